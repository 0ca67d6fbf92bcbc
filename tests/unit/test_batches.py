"""Which photos a step sees: class-balanced, seeded, the same whatever was asked before."""

import numpy as np
import pytest

from training.batches import (
    PER_CLASS_MIN,
    PHOTOS_PER_MOVE,
    class_balanced,
    fit_beside_steps,
    rows_on,
    shuffled,
)

GB = 10**9

# Three classes of very different sizes, and photos without a label.
CODES = np.array([0] * 60 + [1] * 12 + [2] * 3)
SOME = np.concatenate([CODES, np.full(75, -1)])


def classes_seen(codes: np.ndarray, batch: np.ndarray) -> dict[int, int]:
    seen, counts = np.unique(codes[batch], return_counts=True)
    return dict(zip(seen.tolist(), counts.tolist(), strict=True))


def test_every_class_has_as_many_photos_in_a_batch_whatever_its_size() -> None:
    order = class_balanced(CODES, 24, seed=0)

    for step in range(6):
        assert classes_seen(CODES, order(step)) == {0: 8, 1: 8, 2: 8}


def test_where_there_are_many_classes_some_are_seen_at_a_time_and_all_in_turn() -> None:
    codes = np.arange(200) // 5
    order = class_balanced(codes, 32, seed=0)

    batches = [classes_seen(codes, order(step)) for step in range(5)]

    assert all(set(batch.values()) == {PER_CLASS_MIN} for batch in batches)
    assert set().union(*batches) == set(range(40))  # 5 steps of 8 classes, none twice


def test_unlabelled_photos_fill_their_share_and_none_is_twice_in_a_batch() -> None:
    order = class_balanced(SOME, 32, seed=0)

    for step in range(4):
        batch = order(step)
        seen = classes_seen(SOME, batch)
        assert (len(batch), seen[-1]) == (32, 17)  # half of 32, and one left over by 3 classes
        unlabelled = batch[SOME[batch] < 0]
        assert len(set(unlabelled.tolist())) == len(unlabelled)


def test_the_photos_of_a_class_come_in_turn() -> None:
    order = class_balanced(CODES, 24, seed=0)

    seen = np.concatenate([order(step) for step in range(3)])

    assert sorted(seen[CODES[seen] == 1].tolist()) == sorted([*range(60, 72)] * 2)


def test_a_few_labels_still_get_a_quarter_of_every_batch() -> None:
    codes = np.full(1000, -1)
    codes[:10] = np.arange(10) % 2

    seen = classes_seen(codes, class_balanced(codes, 64, seed=0)(3))

    assert seen == {-1: 48, 0: 8, 1: 8}


@pytest.mark.parametrize("batch_size", [2, 3, 5, 7])
def test_small_batches_are_full_too(batch_size: int) -> None:
    assert len(class_balanced(SOME, batch_size, seed=0)(11)) == batch_size


def test_orders_depend_on_the_seed_and_the_step_alone() -> None:
    for made in (lambda seed: class_balanced(SOME, 16, seed), lambda seed: shuffled(75, 16, seed)):
        fresh, used = made(3), made(3)
        for step in (9, 0, 4):
            used(step)

        np.testing.assert_array_equal(fresh(2), used(2))
        assert not np.array_equal(fresh(2), made(4)(2))
        assert not np.array_equal(fresh(2), fresh(3))


def test_photos_stay_on_a_gpu_that_has_room_for_them_and_a_step() -> None:
    assert fit_beside_steps(20 * GB, 40 * GB, 80 * GB)
    assert fit_beside_steps(60 * GB, 8 * GB, 80 * GB)
    assert not fit_beside_steps(61 * GB, 8 * GB, 80 * GB)
    assert not fit_beside_steps(1, 70 * GB, 80 * GB)  # the step barely fits by itself


def test_beside_steps_that_nobody_measured_a_third_of_a_gpu_is_for_photos() -> None:
    assert fit_beside_steps(27 * GB, 0, 80 * GB)
    assert not fit_beside_steps(29 * GB, 0, 80 * GB)


def test_photos_move_in_parts_and_keep_their_order(rng: np.random.Generator) -> None:
    pixels = rng.integers(0, 256, (2 * PHOTOS_PER_MOVE + 90, 2, 2, 3), np.uint8)
    rows = rng.permutation(len(pixels))[:-7]

    np.testing.assert_array_equal(rows_on("cpu", pixels, rows).numpy(), pixels[rows])
