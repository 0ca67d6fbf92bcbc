"""Searching, and building from an ONNX file, work where torch is not installed."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

# Importing a module whose entry is None raises ImportError, as if it were not installed.
WITHOUT_TORCH = """
import json, sys
from pathlib import Path

for name in ("torch", "torchvision", "streamlit"):
    sys.modules[name] = None
"""

SEARCH = """
from indexer.gallery import Gallery

gallery = Gallery.open(Path(sys.argv[1]))
hits = gallery.search(gallery.encoder.embed_image(gallery.read(2).image), k=1)
print(json.dumps({"found": hits[0].id, "onnx": "onnx" in sys.modules}))
"""

BUILD = """
from indexer.build import BuildRequest, build
from training.progress import Silent

photos, gallery, encoder = map(Path, sys.argv[1:])
print(json.dumps(build(BuildRequest(photos, gallery, encoder), progress=Silent()).added))
"""


def python(script: str, *arguments: Path) -> Any:
    """What a script without torch prints, as JSON."""
    command = [sys.executable, "-W", "error", "-c", WITHOUT_TORCH + script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_gallery_is_searched_without_torch_and_without_onnx(studio: Any) -> None:
    studio.build()
    assert python(SEARCH, studio.folder) == {"found": 2, "onnx": False}


def test_a_gallery_is_built_from_an_onnx_file_without_torch(studio: Any) -> None:
    assert python(BUILD, studio.photos, studio.folder, studio.request.encoder) == 4


def test_the_command_line_starts_without_torch() -> None:
    assert python("import indexer.cli\nprint(json.dumps('started'))") == "started"


@pytest.mark.parametrize("module", ["training.photos", "training.spec", "training.console"])
def test_what_the_indexer_takes_from_training_needs_no_torch(module: str) -> None:
    assert python(f"import {module}\nprint(1)") == 1
