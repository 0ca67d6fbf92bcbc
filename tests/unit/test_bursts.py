"""Near-duplicates are found, whatever exposure and noise did, and others are not."""

import numpy as np
import pytest
from PIL import Image

from training.bursts import ALONE, LARGEST_MIN, find_bursts, told


def scene(rng: np.random.Generator) -> np.ndarray:
    """A photo of soft blobs, `(96, 96, 3)` float."""
    small = Image.fromarray(rng.integers(0, 256, (9, 9, 3)).astype(np.uint8))
    return np.asarray(small.resize((96, 96), Image.Resampling.BICUBIC), np.float32)


def again(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The next photo of a burst: moved by a pixel, exposed otherwise, with noise."""
    moved = np.roll(photo, rng.integers(-1, 2, 2), axis=(0, 1))
    return moved * rng.uniform(0.9, 1.1) + rng.normal(0, 4, photo.shape)


def stack(photos: list[np.ndarray]) -> np.ndarray:
    return np.clip(np.stack(photos), 0, 255).astype(np.uint8)


@pytest.fixture
def shots(rng: np.random.Generator) -> np.ndarray:
    """Twenty scenes, then two more of scene 3, one of scene 7 and a copy of scene 9."""
    scenes = [scene(rng) for _ in range(20)]
    more = [again(scenes[3], rng), again(scenes[3], rng), again(scenes[7], rng), scenes[9]]
    return stack([*scenes, *more])


def test_photos_of_one_scene_are_one_burst_and_all_others_are_alone(shots: np.ndarray) -> None:
    found = find_bursts(shots, np.arange(24))

    assert found[[3, 20, 21]].tolist() == [0, 0, 0]
    assert found[[7, 22]].tolist() == [1, 1]
    assert found[[9, 23]].tolist() == [2, 2]
    assert (found == ALONE).sum() == 17


def test_only_the_chosen_rows_are_looked_at_in_their_order(shots: np.ndarray) -> None:
    found = find_bursts(shots, np.array([22, 5, 7, 9]))

    assert found.tolist() == [0, ALONE, 0, ALONE]


def test_the_same_shape_in_another_colour_is_no_duplicate(rng: np.random.Generator) -> None:
    photo = scene(rng) / 2 + 40
    grey = np.repeat(photo.mean(axis=2, keepdims=True), 3, axis=2)

    found = find_bursts(stack([grey * (1.5, 0.8, 0.6), grey * (0.6, 0.9, 1.5)]), np.arange(2))

    assert found.tolist() == [ALONE, ALONE]


def test_blank_photos_are_no_burst() -> None:
    blank = np.full((3, 96, 96, 3), 200, np.uint8)

    assert find_bursts(blank, np.arange(3)).tolist() == [ALONE] * 3


def test_where_everything_is_alike_nothing_is_a_burst(rng: np.random.Generator) -> None:
    form = scene(rng)
    photos = stack([again(form, rng) for _ in range(LARGEST_MIN + 1)])

    assert (find_bursts(photos, np.arange(len(photos))) == ALONE).all()


def test_no_photos_have_no_bursts() -> None:
    assert len(find_bursts(np.zeros((0, 64, 64, 3), np.uint8), np.zeros(0, np.int64))) == 0


def test_what_was_found_is_told_with_what_is_done() -> None:
    assert told(np.array([ALONE, ALONE])) == ""
    text = told(np.array([0, 0, ALONE, 1, 1, 1]))
    assert text.startswith("5 photos are near-duplicates of others, in 2 groups")
    assert "negatives" in text
