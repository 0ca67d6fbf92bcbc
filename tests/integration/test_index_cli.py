"""ssl-index as people and scripts use it: output, exit codes, interruptions, full disks."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from training.checkpoint import ENCODER_FILE, save_encoder
from training.models import build_backbone
from training.spec import EncoderSpec, Preprocessing

COMMAND = [sys.executable, "-c", "from indexer.cli import main; main()"]


@pytest.fixture
def built(studio: Any) -> Any:
    """The studio with its gallery, and a bad file among the photos."""
    (studio.photos / "bad \udcff\n.jpg").write_bytes(b"no photo")
    studio.build()
    return studio


# Output


def test_building_prints_a_flat_report_and_nothing_else_on_stdout(
    ssl_index: Any, studio: Any
) -> None:
    (studio.photos / "bad.jpg").write_bytes(b"no photo")
    done = ssl_index(
        "build", studio.photos, "-o", studio.folder, "--encoder", studio.request.encoder, "--json"
    )
    assert done.code == 0
    report = json.loads(done.out)
    seconds = report.pop("seconds")
    assert seconds > 0
    assert report == {
        "seen": 5, "added": 4, "changed": 0, "moved": 0, "unchanged": 0, "removed": 0,
        "missing": 0, "skipped": 1,
    }  # fmt: skip
    assert "skipped 1: not an image" in done.err
    assert f"ssl-index info {studio.folder} --skipped" in done.err


def test_building_tells_people_in_words(ssl_index: Any, studio: Any) -> None:
    done = ssl_index(
        "build", studio.photos, "-o", studio.folder, "--encoder", studio.request.encoder
    )
    assert "4 files seen: 4 added" in done.out
    assert f"ssl-app {studio.folder}" in done.out


def test_a_precision_is_measured_told_and_kept_and_another_is_refused(
    ssl_index: Any, studio: Any
) -> None:
    command = ("build", studio.photos, "-o", studio.folder, "--encoder", studio.request.encoder)

    first = ssl_index(*command, "--precision", "int8")
    kept = ssl_index("update", studio.folder)
    other = ssl_index(*command, "--precision", "fp16")

    assert (first.code, kept.code, other.code) == (0, 0, 1)
    assert "int8 embeds" in first.err
    assert "cosine to its embeddings" in first.err
    assert "the gallery was built in int8, asked for is fp16" in other.err
    assert f"--encoder {studio.request.encoder} --rebuild --precision fp16" in other.err
    assert ssl_index(*command, "--precision", "int4").code == 2


def test_searching_gives_a_block_for_each_image_with_paths_that_come_back(
    ssl_index: Any, studio: Any
) -> None:
    studio.paint("odd \udcff\n.png", "pink")
    studio.build()
    queries = [studio.photos / "a.png", studio.photos / "odd \udcff\n.png"]

    done = ssl_index("search", studio.folder, *queries, "-k", "2", "--json")

    blocks = json.loads(done.out)
    assert [block["query"] for block in blocks] == [str(query) for query in queries]
    assert [hit["rank"] for hit in blocks[0]["hits"]] == [1, 2]
    assert blocks[0]["hits"][0]["path"] == "a.png"
    assert blocks[0]["hits"][0]["score"] == pytest.approx(1, abs=1e-5)
    assert os.fsencode(blocks[1]["hits"][0]["path"]) == b"odd \xff\n.png"


def test_searching_shows_people_a_table_on_one_line_a_photo(ssl_index: Any, studio: Any) -> None:
    studio.paint("odd \udcff\n.png", "pink")
    studio.build()
    done = ssl_index("search", studio.folder, studio.photos / "odd \udcff\n.png", "-k", "1")
    (row,) = (line for line in done.out.splitlines() if " 1 " in line)
    assert "1.000" in row
    assert r"odd \xff\x0a.png" in row


def test_info_describes_the_gallery(ssl_index: Any, built: Any) -> None:
    facts = json.loads(ssl_index("info", built.folder, "--json").out)
    assert (facts["photos"], facts["skipped"], facts["dim"]) == (4, 1, 16)
    assert facts["photo_root"] == str(built.photos)
    assert (facts["index"], facts["index_recall"]) == ("exact", None)
    told = ssl_index("info", built.folder).out
    assert "photos       4" in told
    assert "index        exact" in told
    assert "index reason every photo is compared" in told


def test_a_kind_of_index_can_be_asked_for(ssl_index: Any, built: Any) -> None:
    done = ssl_index("update", built.folder, "--index", "half", "--device", "cpu")
    assert done.code == 0
    assert "index: half, every photo is compared, first in half precision, as was" in done.err
    assert json.loads(ssl_index("info", built.folder, "--json").out)["index"] == "half"
    assert ssl_index("update", built.folder, "--index", "hnsw").code == 2


def test_info_lists_every_skipped_file_with_its_reason(ssl_index: Any, built: Any) -> None:
    shown = ssl_index("info", built.folder, "--skipped").out
    assert shown.count("\n") == 1
    assert r"bad \xff\x0a.jpg" in shown
    (entry,) = json.loads(ssl_index("info", built.folder, "--skipped", "--json").out)
    assert os.fsencode(entry["path"]) == b"bad \xff\n.jpg"
    assert "not an image" in entry["reason"]


# Errors


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (("info", "nowhere"), "no gallery in nowhere", "ssl-index build"),
        (("build", "nowhere", "--encoder", "{encoder}"), "no folder nowhere", "photos"),
        (("build", "{photos}", "-o", "new"), "no encoder", "ssl-train"),
        (("build", "{photos}", "-o", "new", "--encoder", "gone.onnx"), "gone.onnx", "ssl-train"),
        (("search", "{gallery}", "{photos}/bad.jpg"), "bad.jpg: not an image", ""),
        (("search", "{gallery}", "{photos}/gone.jpg"), "gone.jpg: there is no such file", ""),
        (("search", "{gallery}", "{photos}/a.png", "--photos", "gone"), "in gone", "--photos"),
        (("build", "{photos}", "-o", ".", "--encoder", "{encoder}"), "not a gallery", "-o"),
    ],
)
def test_an_error_is_one_line_and_a_hint(
    arguments: tuple[str, ...],
    message: str,
    hint: str,
    ssl_index: Any,
    studio: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (studio.photos / "bad.jpg").write_bytes(b"no photo")
    studio.build()
    monkeypatch.chdir(studio.photos.parent)
    names = {
        "photos": studio.photos, "gallery": studio.folder, "encoder": studio.request.encoder
    }  # fmt: skip

    done = ssl_index(*(argument.format(**names) for argument in arguments))

    assert done.code == 1
    assert done.out == ""
    lines = done.err.splitlines()
    assert lines[0].startswith("error: ")
    assert message in lines[0]
    assert hint in "".join(lines[1:])
    assert len(lines) <= 2


@pytest.mark.parametrize(
    "arguments",
    [(), ("search", "g"), ("search", "g", "x", "-k", "0"), ("build", "p", "--device", "tpu")],
)
def test_wrong_usage_has_its_own_exit_code(arguments: tuple[str, ...], ssl_index: Any) -> None:
    done = ssl_index(*arguments)
    assert done.code == 2
    assert "Usage: ssl-index" in done.err


def test_a_folder_that_may_not_be_written_is_told_in_one_line(
    ssl_index: Any, as_nobody: AbstractContextManager[None], studio: Any, tmp_path: Path
) -> None:
    encoder = tmp_path / "own.onnx"
    encoder.write_bytes(studio.request.encoder.read_bytes())
    with as_nobody:
        done = ssl_index("build", "photos", "-o", "gallery", "--encoder", "own.onnx")
    assert done.code == 1
    assert "permission denied" in done.err
    assert "Traceback" not in done.err


FULL_DISK = """
set -e
mount -t tmpfs -o size=200k tmpfs "$1"
shift
exec "$@"
"""


def test_a_full_disk_is_told_in_one_line(studio: Any, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    own_mounts = ["unshare", "--map-root-user", "--mount", "sh", "-c", FULL_DISK, "sh", disk]
    if subprocess.run([*own_mounts, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this user may not mount a small disk")
    studio.paint_many(300)
    build = ["build", studio.photos, "-o", disk / "gallery", "--encoder", studio.request.encoder]
    done = subprocess.run(
        [*own_mounts, *COMMAND, *build], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 1, done.stderr
    assert "the disk is full" in done.stderr
    assert "free some space" in done.stderr
    assert "Traceback" not in done.stderr


# The whole way


def test_a_run_in_its_usual_place_is_exported_and_used(studio: Any, tmp_path: Path) -> None:
    backbone = build_backbone("resnet18", small_stem=True)
    spec = EncoderSpec("resnet18", backbone.embedding_dim, Preprocessing(32), small_stem=True)
    (tmp_path / "run").mkdir()
    save_encoder(tmp_path / "run" / ENCODER_FILE, spec, backbone.network.state_dict())

    done = subprocess.run(
        [*COMMAND, "build", "photos", "--json"],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["added"] == 4
    assert "PyTorch and ONNX agree to within" in done.stderr
    encoder = (tmp_path / "gallery" / "encoder.onnx").read_bytes()
    assert str(tmp_path).encode() not in encoder


# Ctrl-C


@pytest.fixture
def slow_photos(tmp_path: Path) -> Path:
    """Photos that take a while to decode, and are small on the disk: 4 megapixels of one colour."""
    root = tmp_path / "slow"
    root.mkdir()
    Image.new("RGB", (2000, 2000), "teal").save(root / "0.png", compress_level=1)
    data = (root / "0.png").read_bytes()
    for number in range(1, 400):
        # Bytes after a PNG's end do not matter to its decoder, and make it another content.
        (root / f"{number}.png").write_bytes(data + str(number).encode())
    return root


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_ends_with_its_exit_code_and_the_way_on(
    times: int, slow_photos: Path, toy_encoder: Path, tmp_path: Path
) -> None:
    gallery = tmp_path / "gallery"
    build = [*COMMAND, "build", slow_photos, "-o", gallery, "--encoder", toy_encoder]
    running = subprocess.Popen(build, stderr=subprocess.PIPE, text=True)
    try:
        wait_until((gallery / "encoder.base.onnx").exists)
        time.sleep(0.5)
        for _ in range(times):
            running.send_signal(signal.SIGINT)
            time.sleep(0.1)
        _, told = running.communicate(timeout=120)
    finally:
        running.kill()

    assert running.returncode == 130
    assert "Ctrl-C again leaves at once" in told
    assert "Traceback" not in told
    if times == 1:
        assert "of 400 photos" in told
        assert "run the same command again" in told


def wait_until(done: Callable[[], bool]) -> None:
    for _ in range(600):
        if done():
            return
        time.sleep(0.05)
    pytest.fail("nothing happened for 30 seconds")
