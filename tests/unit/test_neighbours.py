"""The demo's sheet of neighbours and its figure for raw pixels, on a handful of photos."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageColor

from app.neighbours import FRAME, PLAIN, RIGHT, WRONG, Indexed, draw_sheet, raw_pixels, read_gallery
from indexer.build import BuildRequest, build
from training.errors import GalleryError
from training.evaluate import folder_labels
from training.photos import walk
from training.progress import Silent

SHAPES = 4


@pytest.fixture
def indexed(shape_folder: Path) -> Indexed:
    """Twenty-four photos whose embeddings hold their class and nothing else."""
    paths = tuple(item.path for item in walk(shape_folder))
    labels = folder_labels(paths)
    assert labels is not None
    return Indexed(shape_folder, paths, np.eye(SHAPES, dtype=np.float32)[labels], labels, "a test")


def without_labels(photos: Indexed) -> Indexed:
    return Indexed(photos.root, photos.paths, photos.rows, None, photos.origin)


def share_of(sheet: Image.Image, colour: str) -> float:
    return float((np.asarray(sheet) == ImageColor.getrgb(colour)).all(axis=-1).mean())


def test_neighbours_of_the_querys_class_are_framed_green(indexed: Indexed) -> None:
    sheet = draw_sheet(indexed)

    # One query a class. Of its nine neighbours five are of its class: there are six photos each.
    assert share_of(sheet, RIGHT) == pytest.approx(share_of(sheet, WRONG) * 5 / 4, rel=0.01)
    assert share_of(sheet, PLAIN) == pytest.approx(share_of(sheet, WRONG) / 4, rel=0.01)


def test_without_classes_all_frames_are_plain(indexed: Indexed) -> None:
    sheet = draw_sheet(without_labels(indexed))

    assert share_of(sheet, RIGHT) == share_of(sheet, WRONG) == 0
    assert share_of(sheet, PLAIN) > 0


def test_the_sheet_is_the_same_for_one_seed_and_another_for_another(indexed: Indexed) -> None:
    first, again = draw_sheet(indexed, seed=1), draw_sheet(indexed, seed=1)

    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != draw_sheet(indexed, seed=2).tobytes()


def test_the_query_comes_first_even_beside_an_exact_copy(indexed: Indexed) -> None:
    same = Indexed(indexed.root, indexed.paths, np.ones_like(indexed.rows), indexed.labels, "")

    column = np.asarray(draw_sheet(same))[:, 10 : 10 + FRAME]

    assert (column == ImageColor.getrgb(PLAIN)).all(axis=-1).any()
    assert not (column == ImageColor.getrgb(RIGHT)).all(axis=-1).any()


def test_a_photo_that_vanished_leaves_a_blank_tile(indexed: Indexed) -> None:
    for photo in indexed.root.rglob("*.jpg"):
        photo.unlink()

    assert draw_sheet(indexed).size[0] > 0
    assert not raw_pixels(indexed).any()


def test_two_photos_make_a_sheet_of_two_columns(indexed: Indexed) -> None:
    pair = Indexed(indexed.root, indexed.paths[:2], indexed.rows[:2], None, "")

    assert draw_sheet(pair).width < draw_sheet(indexed).width


def test_raw_pixels_are_centred_unit_rows(indexed: Indexed) -> None:
    rows = raw_pixels(indexed)

    assert rows.shape == (24, 32 * 32 * 3)
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)


def test_a_gallery_is_read_with_its_paths_and_classes(
    shape_folder: Path, tmp_path: Path, toy_encoder: Path
) -> None:
    gallery = tmp_path / "gallery"
    build(BuildRequest(shape_folder, gallery, toy_encoder), progress=Silent())

    photos = read_gallery(gallery)
    some = read_gallery(gallery, most=10)

    assert photos.root == shape_folder
    assert len(photos.paths) == len(photos.rows) == 24
    assert photos.labels is not None
    assert len(some.paths) == 10
    assert set(some.paths) <= set(photos.paths)


def test_a_folder_without_a_gallery_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GalleryError):
        read_gallery(tmp_path)
