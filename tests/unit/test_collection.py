"""A run goes on with the photos it began with, and says how others differ."""

from pathlib import Path

import pytest

from training.collection import same_collection
from training.errors import RunError
from training.runs import RunFolder

NAMES = (b"a.jpg", b"b \xff.jpg", b"sub/c.jpg")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    for name in NAMES:
        (folder / name.decode(errors="surrogateescape")).write_bytes(b"x" * 10)
    return folder


@pytest.fixture
def run(tmp_path: Path, photos: Path) -> RunFolder:
    (tmp_path / "run").mkdir()
    begun = RunFolder(tmp_path / "run")
    same_collection(begun, photos, NAMES)
    return begun


def test_the_same_photos_are_accepted_even_copied_elsewhere(run: RunFolder, photos: Path) -> None:
    moved = photos.rename(photos.with_name("moved"))
    (moved / "a.jpg").touch()

    same_collection(run, moved, NAMES)


def test_what_came_went_and_changed_is_counted_and_one_named(run: RunFolder, photos: Path) -> None:
    (photos / "new.jpg").write_bytes(b"x")
    (photos / "a.jpg").write_bytes(b"changed")

    with pytest.raises(RunError) as caught:
        same_collection(run, photos, (b"a.jpg", b"new.jpg", b"sub/c.jpg"))

    assert "began with 3 photos: 1 came, 1 went, 1 changed; the first: new.jpg" in (
        caught.value.message
    )


def test_a_photo_that_vanishes_meanwhile_counts_as_changed(run: RunFolder, photos: Path) -> None:
    (photos / "a.jpg").unlink()

    with pytest.raises(RunError, match=r"1 changed; the first: a\.jpg"):
        same_collection(run, photos, NAMES)


def test_a_damaged_list_is_told(run: RunFolder, photos: Path) -> None:
    (run.path / "photos.csv").write_text("path,size_bytes\na.jpg,many\n")

    with pytest.raises(RunError, match=r"photos\.csv is damaged"):
        same_collection(run, photos, NAMES)
