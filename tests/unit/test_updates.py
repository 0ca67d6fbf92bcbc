"""Updating a gallery while it is served: progress, outcome, cancelling, failing."""

import shutil
from pathlib import Path

import pytest
from PIL import Image

from app.library import Library
from indexer.build import BuildRequest, build
from indexer.folder import GalleryFolder
from training.progress import Silent

SECONDS = 60.0


@pytest.fixture
def library(shape_folder: Path, toy_encoder: Path, tmp_path: Path) -> Library:
    folder = tmp_path / "gallery"
    build(BuildRequest(shape_folder, folder, encoder=toy_encoder), progress=Silent())
    return Library(folder)


def test_nothing_has_happened_before_the_first_update(library: Library) -> None:
    assert library.updates.status() is None
    library.updates.cancel()
    assert library.updates.status() is None


def test_an_update_counts_what_changed_and_the_library_serves_it(
    library: Library, shape_folder: Path
) -> None:
    Image.new("RGB", (50, 50), "purple").save(shape_folder / "new.jpg")
    (shape_folder / "broken.jpg").write_bytes(b"not an image")
    assert library.update()
    library.updates.wait(SECONDS)
    status = library.updates.status()
    assert status is not None
    assert (status.number, status.state) == (1, "done")
    assert status.result is not None
    assert (status.result.added, status.result.skipped, status.result.unchanged) == (1, 1, 24)
    # At once, although galleries are otherwise opened again after ten seconds at the earliest.
    assert len(library.gallery()) == 25


def test_photos_that_are_gone_leave_only_when_that_is_wished(
    library: Library, shape_folder: Path
) -> None:
    (shape_folder / "cross" / "cross-002.jpg").unlink()
    for prune, size in ((False, 24), (True, 23)):
        library.update(prune=prune)
        library.updates.wait(SECONDS)
        status = library.updates.status()
        assert status is not None
        assert status.result is not None
        assert (status.result.missing, status.result.removed) == (not prune, prune)
        assert len(library.gallery()) == size


def test_a_second_update_waits_for_nobody_and_is_refused(library: Library) -> None:
    with GalleryFolder(library.folder).claimed(wait_seconds=1, command="test"):
        assert library.update()
        assert not library.update()
    library.updates.wait(SECONDS)
    assert library.update()
    library.updates.wait(SECONDS)
    status = library.updates.status()
    assert status is not None
    assert (status.number, status.state) == (2, "done")


def test_a_cancelled_update_leaves_the_gallery_as_good_as_it_was(
    library: Library, shape_folder: Path
) -> None:
    Image.new("RGB", (50, 50), "purple").save(shape_folder / "new.jpg")
    # While another writer holds the gallery, the update can but wait: time enough to cancel it.
    with GalleryFolder(library.folder).claimed(wait_seconds=1, command="test"):
        library.update()
        library.updates.cancel()
        status = library.updates.status()
        assert status is not None
        assert status.state == "stopping"
    library.updates.wait(SECONDS)
    status = library.updates.status()
    assert status is not None
    assert status.state == "cancelled"
    assert len(library.gallery()) == 24
    assert library.gallery().search(library.gallery().embedding(1), k=3)


def test_a_failure_is_told_with_what_helps(library: Library, shape_folder: Path) -> None:
    for entry in shape_folder.iterdir():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    library.update(prune=True)
    library.updates.wait(SECONDS)
    status = library.updates.status()
    assert status is not None
    assert status.state == "failed"
    assert "holds no photo now" in status.message
    assert "mounted" in status.hint
    assert len(library.gallery()) == 24
