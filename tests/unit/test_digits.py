"""The digits as photos: real handwriting, the same every time, and hard for raw pixels."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.digits import COMPLETE, LEAST_CONTRAST, PHOTO_SIZE, draw, draw_digits
from training.errors import CollectionError
from training.evaluate import centred, folder_labels, knn_accuracy
from training.photos import FoundFile, read_photo, walk
from training.spec import Preprocessing

# Ink all over the field but its corners, so that it reaches as far in every tilt.
DISC = np.where(np.add.outer(*[(np.arange(8) - 3.5) ** 2] * 2) < 16, 16.0, 0.0)


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("digits") / "photos"
    draw_digits(folder)
    return folder


def files(folder: Path) -> list[bytes]:
    items = list(walk(folder))
    assert all(isinstance(item, FoundFile) for item in items)
    return [item.path for item in items]


def test_all_digits_are_drawn_into_a_folder_each(digits: Path) -> None:
    paths = files(digits)

    assert len(paths) == 1797
    assert {path.split(b"/")[0] for path in paths} == {b"%d" % digit for digit in range(10)}


def test_drawings_are_rgb_photos_of_the_size_that_is_told(digits: Path) -> None:
    photo = read_photo(digits / os.fsdecode(files(digits)[0]))

    assert (photo.width, photo.height, photo.format) == (PHOTO_SIZE, PHOTO_SIZE, "PNG")


def test_raw_pixels_do_not_tell_the_digits_apart(digits: Path) -> None:
    paths = files(digits)
    preprocessing = Preprocessing(32)
    pixels = [
        preprocessing.prepare(read_photo(digits / os.fsdecode(path)).image).reshape(-1)
        for path in paths
    ]
    labels = folder_labels(tuple(paths))
    assert labels is not None

    accuracy = knn_accuracy(centred(np.array(pixels, np.float32)), labels)

    assert 0.1 < accuracy < 0.45  # guessing is right in a tenth; on the 8 x 8 greys it is 0.97


def test_the_same_seed_draws_the_same_pictures_and_another_does_not() -> None:
    first, again, other = (draw(DISC, np.random.default_rng(seed)) for seed in (1, 1, 2))

    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != other.tobytes()


@pytest.mark.parametrize("seed", range(20))
def test_ink_is_darker_than_paper_and_stays_inside_what_preprocessing_keeps(seed: int) -> None:
    grey = np.asarray(draw(DISC, np.random.default_rng(seed)).convert("L"), float)

    inked = grey < (grey.min() + np.percentile(grey, 99)) / 2
    edge = round(PHOTO_SIZE / 16)  # half of what CROP_FRACTION leaves out
    kept = inked[edge:-edge, edge:-edge]
    assert grey[~inked].mean() - grey[inked].mean() > LEAST_CONTRAST - 10
    assert kept.sum() > 0.99 * inked.sum()


def test_a_finished_folder_is_reused(digits: Path) -> None:
    first = digits / os.fsdecode(files(digits)[0])
    before = first.stat().st_mtime_ns

    assert draw_digits(digits) == 1797
    assert first.stat().st_mtime_ns == before


def test_a_folder_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "photos" / "mine.png")

    with pytest.raises(CollectionError, match="not a finished folder") as caught:
        draw_digits(tmp_path / "photos")

    assert caught.value.hint
    assert os.listdir(tmp_path / "photos") == ["mine.png"]  # noqa: PTH208


def test_a_failure_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", fail)

    with pytest.raises(OSError, match="No space left"):
        draw_digits(tmp_path / "photos")

    assert list(tmp_path.iterdir()) == []


def test_the_mark_of_a_finished_folder_is_no_photo(digits: Path) -> None:
    assert (digits / COMPLETE).is_file()
    assert COMPLETE.encode() not in files(digits)
