"""Near-duplicates are found, whatever exposure and noise did, and others are not."""

import time

import numpy as np
import pytest
from PIL import Image

from training.bursts import (
    ALONE,
    COLOUR_MAX,
    LARGEST_MIN,
    LARGEST_SHARE,
    SHAPE_MIN,
    Bursts,
    find_bursts,
)


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
    found = find_bursts(shots, np.arange(24)).groups

    assert found[[3, 20, 21]].tolist() == [0, 0, 0]
    assert found[[7, 22]].tolist() == [1, 1]
    assert found[[9, 23]].tolist() == [2, 2]
    assert (found == ALONE).sum() == 17


def test_only_the_chosen_rows_are_looked_at_in_their_order(shots: np.ndarray) -> None:
    found = find_bursts(shots, np.array([22, 5, 7, 9]))

    assert found.groups.tolist() == [0, ALONE, 0, ALONE]


def test_the_same_shape_in_another_colour_is_no_duplicate(rng: np.random.Generator) -> None:
    photo = scene(rng) / 2 + 40
    grey = np.repeat(photo.mean(axis=2, keepdims=True), 3, axis=2)

    found = find_bursts(stack([grey * (1.5, 0.8, 0.6), grey * (0.6, 0.9, 1.5)]), np.arange(2))

    assert found.groups.tolist() == [ALONE, ALONE]


def test_blank_photos_are_no_burst() -> None:
    blank = np.full((3, 96, 96, 3), 200, np.uint8)

    assert find_bursts(blank, np.arange(3)).groups.tolist() == [ALONE] * 3


def test_where_everything_is_alike_nothing_is_a_burst_and_how_many_is_known(
    rng: np.random.Generator,
) -> None:
    form = scene(rng)
    photos = stack([again(form, rng) for _ in range(LARGEST_MIN + 1)])

    found = find_bursts(photos, np.arange(len(photos)))

    assert (found.groups == ALONE).all()
    assert found.too_large == (LARGEST_MIN + 1,)


def test_the_largest_burst_is_one_and_a_photo_more_is_none(rng: np.random.Generator) -> None:
    one, other = scene(rng), scene(rng)
    shots = [again(one, rng) for _ in range(LARGEST_MIN)]
    shots += [again(other, rng) for _ in range(LARGEST_MIN + 1)]

    found = find_bursts(stack(shots), np.arange(len(shots)))

    assert found.groups.tolist() == [0] * LARGEST_MIN + [ALONE] * (LARGEST_MIN + 1)
    assert found.too_large == (LARGEST_MIN + 1,)


def test_no_photos_have_no_bursts() -> None:
    found = find_bursts(np.zeros((0, 64, 64, 3), np.uint8), np.zeros(0, np.int64))

    assert len(found.groups) == 0
    assert found.too_large == ()


def chained(rng: np.random.Generator, count: int) -> np.ndarray:
    """Photos `(count, 32, 32, 3)`, about ten a scene, tinted and with noise: alike or just not."""
    scenes = rng.integers(40, 200, (count // 10 + 3, 8, 8, 3))
    chosen = np.arange(count) // 10 + rng.integers(0, 3, count)  # scenes overlap in time
    tints = rng.uniform(0.75, 1.25, (count, 1, 1, 3))
    noise = rng.normal(0, 1, (count, 32, 32, 3)) * rng.uniform(0, 60, (count, 1, 1, 1))
    photos = scenes[chosen].repeat(4, axis=1).repeat(4, axis=2) * tints + noise
    return np.clip(photos, 0, 255).astype(np.uint8)


def literal(photos: np.ndarray, window: int) -> list[int]:
    """The definition, pair by pair, of photos of 32 x 32."""
    count = len(photos)
    small = photos.astype(np.float64).reshape(count, 16, 2, 16, 2, 3).mean(axis=(2, 4))
    shapes, colours = [], []
    for photo in small:
        grey = photo.mean(axis=2)
        across, down = grey[:, 1:] - grey[:, :-1], grey[1:] - grey[:-1]
        shape = np.array([*across.flat, *down.flat])
        shapes.append(shape / max(np.sqrt((shape**2).sum()), 1))
        colour = photo.reshape(4, 4, 4, 4, 3).mean(axis=(1, 3))
        colours.append(colour / max(colour.mean(), 1))
    groups = list(range(count))
    for i in range(count):
        for j in range(i + 1, min(count, i + window + 1)):
            same_colours = np.sqrt(((colours[i] - colours[j]) ** 2).mean()) <= COLOUR_MAX
            if shapes[i] @ shapes[j] >= SHAPE_MIN and same_colours:
                groups = [groups[i] if group == groups[j] else group for group in groups]
    largest = max(LARGEST_MIN, int(LARGEST_SHARE * count))
    numbers: dict[int, int] = {}
    return [
        numbers.setdefault(group, len(numbers)) if 1 < groups.count(group) <= largest else ALONE
        for group in groups
    ]


@pytest.mark.parametrize(("count", "window"), [(9, 2), (30, 40), (40, 3), (600, 12), (600, 1)])
@pytest.mark.parametrize("seed", range(3))
def test_groups_are_those_of_the_definition(count: int, window: int, seed: int) -> None:
    photos = chained(np.random.default_rng(seed), count)

    found = find_bursts(photos, np.arange(count), window=window)

    assert found.groups.tolist() == literal(photos, window)


def test_photos_that_only_an_earlier_one_links_are_one_burst(rng: np.random.Generator) -> None:
    # Hundreds of such threes, so that some lie across the blocks in which photos are compared.
    scenes = rng.integers(40, 200, (200, 1, 8, 8, 3)).repeat(4, axis=2).repeat(4, axis=3)
    tints = np.array([(1, 1, 1), (1.12, 1, 0.88), (0.88, 1, 1.12)])
    photos = (scenes * tints[:, None, None]).reshape(600, 32, 32, 3).astype(np.uint8)

    assert find_bursts(photos[[1, 2]], np.arange(2)).groups.tolist() == [ALONE, ALONE]
    found = find_bursts(photos, np.arange(600))
    assert found.groups.tolist() == np.arange(200).repeat(3).tolist()


@pytest.mark.slow
def test_thousands_of_photos_that_are_all_alike_take_seconds(rng: np.random.Generator) -> None:
    forms = again(scene(rng), rng)[::3, ::3] + rng.normal(0, 4, (6000, 32, 32, 3))
    photos = np.clip(forms, 0, 255).astype(np.uint8)
    started = time.monotonic()

    assert find_bursts(photos, np.arange(len(photos))).too_large == (6000,)

    # A loop over their 16 million pairs would take two minutes; this takes two seconds.
    assert time.monotonic() - started < 30


def test_what_was_found_is_told_with_what_is_done() -> None:
    assert Bursts(np.array([ALONE, ALONE]), ()).lines() == []
    [text] = Bursts(np.array([0, 0, ALONE, 1, 1, 1]), ()).lines()
    assert text.startswith("5 photos are near-duplicates of others, in 2 groups")
    assert "negatives" in text


def test_groups_too_large_to_be_a_burst_are_told_with_what_helps() -> None:
    [one] = Bursts(np.full(1300, ALONE), (1200,)).lines()
    assert one.startswith("1,200 photos look alike (perhaps 1 scene)")
    assert "SimCLR pushes them apart; --method byol" in one

    [small, large] = Bursts(np.array([0, 0, *[ALONE] * 27]), (10, 15)).lines()
    assert small.startswith("2 photos are near-duplicates")
    assert large.startswith("25 photos look alike (perhaps 2 scenes)")
