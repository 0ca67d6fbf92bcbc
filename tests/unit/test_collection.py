"""A run goes on with the photos it began with, and says how others differ."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.cache import open_photos
from training.collection import same_collection
from training.errors import RunError
from training.progress import Silent
from training.runs import RunFolder

NAMES = (b"a.bmp", b"b \xff.bmp", b"sub/c.bmp")


def draw(file: Path, shade: int) -> None:
    """A photo that takes as many bytes whatever it shows."""
    Image.fromarray(np.full((16, 16, 3), shade, np.uint8)).save(file)


def check(run: RunFolder, photos: Path) -> None:
    same_collection(run, photos, open_photos(photos, run.path / "cache", 16, progress=Silent()))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    for name in NAMES:
        draw(folder / os.fsdecode(name), 200)
    return folder


@pytest.fixture
def run(tmp_path: Path, photos: Path) -> RunFolder:
    (tmp_path / "run").mkdir()
    begun = RunFolder(tmp_path / "run")
    check(begun, photos)
    return begun


def test_the_same_photos_are_accepted_even_copied_elsewhere(run: RunFolder, photos: Path) -> None:
    copied = shutil.copytree(photos, photos.with_name("copied"), copy_function=shutil.copyfile)
    moved = photos.rename(photos.with_name("moved"))
    (moved / "a.bmp").touch()

    check(run, copied)
    check(run, moved)


@pytest.mark.parametrize("end", "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029\r\n")
def test_a_name_may_hold_what_some_take_for_the_end_of_a_line(tmp_path: Path, end: str) -> None:
    (tmp_path / "run").mkdir()
    begun, photos = RunFolder(tmp_path / "run"), tmp_path / "odd"
    photos.mkdir()
    draw(photos / f"a{end}b.bmp", 90)

    for _ in ("begin", "go on"):
        check(begun, photos)


def test_what_came_went_and_changed_is_counted_and_one_named(run: RunFolder, photos: Path) -> None:
    draw(photos / "new.bmp", 200)
    (photos / os.fsdecode(NAMES[1])).unlink()
    Image.new("RGB", (5, 5)).save(photos / "a.bmp")

    with pytest.raises(RunError) as caught:
        check(run, photos)

    assert "began with 3 photos: 1 came, 1 went, 1 changed; the first: new.bmp" in (
        caught.value.message
    )


def test_a_photo_that_changed_and_kept_its_size_in_bytes_is_noticed(
    run: RunFolder, photos: Path
) -> None:
    before = (photos / "a.bmp").stat()
    draw(photos / "a.bmp", 100)
    os.utime(photos / "a.bmp", ns=(before.st_atime_ns, before.st_mtime_ns + 10**9))
    assert (photos / "a.bmp").stat().st_size == before.st_size

    with pytest.raises(RunError, match=r"1 changed; the first: a\.bmp"):
        check(run, photos)


def test_a_photo_that_vanishes_meanwhile_counts_as_changed(run: RunFolder, photos: Path) -> None:
    found = open_photos(photos, run.path / "cache", 16, progress=Silent())
    (photos / "a.bmp").unlink()

    with pytest.raises(RunError, match=r"1 changed; the first: a\.bmp"):
        same_collection(run, photos, found)


def test_a_list_of_an_earlier_version_is_compared_by_sizes(run: RunFolder, photos: Path) -> None:
    size = (photos / "a.bmp").stat().st_size
    lines = b"".join(b"%s,%d\n" % (name, size) for name in NAMES)
    (run.path / "photos.csv").write_bytes(b"path,size_bytes\n" + lines)
    draw(photos / "a.bmp", 100)

    check(run, photos)
    Image.new("RGB", (5, 5)).save(photos / "a.bmp")
    with pytest.raises(RunError, match=r"1 changed; the first: a\.bmp"):
        check(run, photos)


@pytest.mark.parametrize("line", ["a.bmp,many", "a.bmp", "a.bmp,1,2,3,4"])
def test_a_damaged_list_is_told(run: RunFolder, photos: Path, line: str) -> None:
    (run.path / "photos.csv").write_text(f"path,size_bytes\n{line}\n")

    with pytest.raises(RunError, match=r"photos\.csv is damaged"):
        check(run, photos)
