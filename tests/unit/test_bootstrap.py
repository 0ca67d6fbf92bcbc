"""Intervals: their closed forms, their limits, and that pairing pays."""

import math

import numpy as np
import pytest

from training.bootstrap import Interval, half_sample_interval, mean_interval, paired_interval
from training.evaluate import effective_rank


def test_the_interval_of_a_mean_is_about_the_normal_one(rng: np.random.Generator) -> None:
    values = (rng.random(400) < 0.3).astype(float)

    found = mean_interval(values)

    error = 1.96 * values.std() / math.sqrt(len(values))
    assert found.value == values.mean()
    assert found.low == pytest.approx(values.mean() - error, abs=0.006)
    assert found.high == pytest.approx(values.mean() + error, abs=0.006)


def test_it_covers_the_truth_about_as_often_as_it_says(rng: np.random.Generator) -> None:
    covered = 0
    for _ in range(60):
        found = mean_interval(rng.normal(size=40))
        covered += found.low <= 0 <= found.high

    assert covered >= 51  # 57 are expected; fewer than 51 has odds of 1 in 300


def test_figures_that_are_not_known_are_left_out() -> None:
    assert mean_interval(np.array([1.0, np.nan, 1.0])) == Interval(1.0, 1.0, 1.0)
    assert math.isnan(mean_interval(np.array([np.nan])).value)


def test_pairing_finds_a_small_change_among_very_different_photos(
    rng: np.random.Generator,
) -> None:
    before = rng.normal(size=100)
    after = before + 0.1 + 0.05 * rng.normal(size=100)

    found = paired_interval(after, before)

    assert found.excludes_zero
    assert found.low > 0
    alone = mean_interval(after)
    assert alone.high - alone.low > 10 * (found.high - found.low)


def test_no_change_is_not_called_one() -> None:
    same = np.arange(10.0)

    assert paired_interval(same, same) == Interval(0.0, 0.0, 0.0)
    assert not paired_interval(same, same).excludes_zero


def test_half_samples_give_the_standard_error_of_a_mean(rng: np.random.Generator) -> None:
    values = rng.normal(size=500)

    found = half_sample_interval(lambda chosen: float(values[chosen].mean()), len(values))

    error = 1.96 * values.std() / math.sqrt(len(values))
    assert found.value == pytest.approx(values.mean())
    assert found.high - found.value == pytest.approx(error, rel=0.25)


def test_a_rank_is_taken_of_distinct_photos_only(rng: np.random.Generator) -> None:
    rows = rng.normal(size=(40, 60))
    sizes: list[int] = []

    def rank(chosen: np.ndarray) -> float:
        sizes.append(len(set(chosen.tolist())))
        return effective_rank(rows[chosen])

    half_sample_interval(rank, len(rows))

    assert sizes[0] == 40
    assert set(sizes[1:]) == {20}


def test_the_same_seed_gives_the_same_interval(rng: np.random.Generator) -> None:
    values = rng.normal(size=50)

    assert mean_interval(values, seed=3) == mean_interval(values, seed=3)
    assert mean_interval(values, seed=3) != mean_interval(values, seed=4)
