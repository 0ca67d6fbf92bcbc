"""ssl-train report: a real run as one page."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from training.cli import cli
from training.report_content import MAPPED_MIN, embedding_maps

MARKUP = "<img src=x onerror=alert(1)> & 'it'.jpg"


def report(*words: object) -> Result:
    return CliRunner().invoke(cli, ["report", *map(str, words)])


@pytest.fixture
def photos(finished_run: Any, tmp_path: Path) -> Path:
    """The photos of the run, and hostile names among them."""
    folder = tmp_path / "moved"
    shutil.copytree(finished_run.photos, folder)
    (folder / "circle" / "circle-000.jpg").rename(folder / "circle" / MARKUP)
    (folder / "square" / "broken.jpg").write_bytes(b"no photo")
    return folder


@pytest.mark.slow
def test_the_page_needs_nothing_else_and_names_are_text(finished_run: Any, photos: Path) -> None:
    done = report(finished_run.folder, "--photos", photos)

    assert done.exit_code == 0, done.output
    assert done.stdout == f"{finished_run.folder / 'report.html'}\n"
    page = (finished_run.folder / "report.html").read_text(encoding="utf-8")
    assert "<img src=x" not in page
    assert "&lt;img src=x onerror=alert(1)&gt; &amp; &#x27;it&#x27;.jpg" in page
    for address in re.findall(r"(?:src|href)=\"([^\"]*)\"", page):
        assert address.startswith("data:image/jpeg;base64,")
    assert "default-src 'none'" in page
    verdict = json.loads((finished_run.folder / "report.json").read_text())["verdict"]
    assert verdict[:40] in page
    assert "notes.txt" in page  # a skipped file
    for title in ("Curves", "Nearest photos", "Maps", "What training saw", "The plan"):
        assert title in page
    for name in ("neighbours.png", "map.png", "curves.png"):
        with Image.open(finished_run.folder / name) as image:
            assert min(image.size) > 100


@pytest.mark.slow
def test_the_figures_of_an_evaluation_are_shown(finished_run: Any) -> None:
    result = {
        "weights": "trained", "figure": "knn", "size": 32, "value": 0.8128, "low": 0.7,
        "high": 0.9, "against_start": {"value": 0.1, "low": 0.02, "high": 0.2},
    }  # fmt: skip
    found = {"photos": 60, "classes": ["a", "b"], "train": 40, "test": 20, "results": [result]}
    (finished_run.folder / "evaluation.json").write_text(json.dumps(found))

    report(finished_run.folder, "--sample", "20")

    page = (finished_run.folder / "report.html").read_text(encoding="utf-8")
    assert "81.3" in page
    assert "better than the start" in page


@pytest.mark.slow
def test_without_the_photos_the_report_says_so_and_shows_the_rest(finished_run: Any) -> None:
    config = finished_run.folder / "config.json"
    values = json.loads(config.read_text())
    config.write_text(json.dumps({**values, "photos": "/gone/<away>"}))

    done = report(finished_run.folder)

    assert done.exit_code == 0, done.output
    page = (finished_run.folder / "report.html").read_text(encoding="utf-8")
    assert "there is no folder /gone/&lt;away&gt;" in page
    assert "Curves" in page


def test_photos_that_were_named_and_are_not_there_are_an_error(
    finished_run: Any, tmp_path: Path
) -> None:
    done = report(finished_run.folder, "--photos", tmp_path / "nowhere")

    assert done.exit_code == 1
    assert "nowhere" in done.exception.message  # type: ignore[union-attr]
    assert not (finished_run.folder / "report.html").exists()


def test_maps_start_from_each_other_and_need_some_photos(rng: np.random.Generator) -> None:
    centres = 5 * rng.normal(size=(4, 8))
    rows = (np.repeat(centres, 10, axis=0) + rng.normal(size=(40, 8))).astype(np.float32)

    before, after = embedding_maps([rows, rows], seed=0)

    assert before.shape == after.shape == (40, 2)
    # The same embeddings: the maps lie alike, neither turned nor mirrored.
    for axis in (0, 1):
        assert np.corrcoef(before[:, axis], after[:, axis])[0, 1] > 0.5
    assert embedding_maps([rows[: MAPPED_MIN - 1]], seed=0) == ()
