from pathlib import Path

import pytest
from PIL import Image

from app.library import Library
from indexer.build import BuildRequest, build
from training.errors import GalleryError
from training.progress import Silent


@pytest.fixture
def folder(shape_folder: Path, toy_encoder: Path, tmp_path: Path) -> Path:
    gallery = tmp_path / "gallery"
    build(BuildRequest(shape_folder, gallery, encoder=toy_encoder), progress=Silent())
    return gallery


def test_a_missing_gallery_is_told_at_once_with_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(GalleryError) as raised:
        Library(tmp_path / "nothing")
    assert "ssl-index build" in raised.value.hint


def test_the_gallery_is_opened_once_while_nothing_changes(folder: Path) -> None:
    library = Library(folder, seconds_between_openings=0)
    assert library.gallery() is library.gallery()


def test_a_build_while_the_app_runs_is_seen(folder: Path, shape_folder: Path) -> None:
    library = Library(folder, seconds_between_openings=0)
    before = library.gallery()
    samples = library.samples(before)
    Image.new("RGB", (50, 50), "purple").save(shape_folder / "new.jpg")
    build(BuildRequest(shape_folder, folder), progress=Silent())
    after = library.gallery()
    assert len(after) == len(before) + 1
    assert library.samples(after) != samples


def test_a_build_under_way_does_not_reopen_the_gallery_at_every_click(
    folder: Path, shape_folder: Path
) -> None:
    library = Library(folder, seconds_between_openings=3600)
    before = library.gallery()
    Image.new("RGB", (50, 50), "purple").save(shape_folder / "new.jpg")
    build(BuildRequest(shape_folder, folder), progress=Silent())
    assert library.gallery() is before


def test_a_gallery_that_cannot_be_opened_again_serves_on(
    folder: Path, shape_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    library = Library(folder, seconds_between_openings=0)
    before = library.gallery()
    Image.new("RGB", (50, 50), "purple").save(shape_folder / "new.jpg")
    build(BuildRequest(shape_folder, folder), progress=Silent())
    (folder / "encoder.onnx").unlink()
    assert library.gallery() is before
    assert "cannot be opened again" in caplog.text


def test_photos_that_moved_are_read_where_they_are_now(folder: Path, shape_folder: Path) -> None:
    moved = shape_folder.with_name("moved")
    shape_folder.rename(moved)
    with pytest.raises(GalleryError, match="not in"):
        Library(folder)
    assert Library(folder, photos=moved).gallery().read(1).width == 64
