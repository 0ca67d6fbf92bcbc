"""How many photos of a gallery each labelled one speaks for, and quantiles that heed it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from app.fewshot.representing import effective, ranks, reached_by, speaks_for

cosines = st.floats(-1, 1, width=32)


def some(least: int = 1) -> st.SearchStrategy[np.ndarray]:
    return st.integers(least, 30).flatmap(lambda n: arrays(np.float32, n, elements=cosines))


def weighing(count: int) -> np.ndarray:
    return np.random.default_rng(count).uniform(0.1, 5, count)


@given(some(), some(0))
def test_labelled_photos_speak_for_themselves_and_together_for_all(
    labelled: np.ndarray, others: np.ndarray
) -> None:
    weights = speaks_for(labelled, others)

    assert weights.sum() == pytest.approx(len(labelled) + len(others))
    assert (weights >= 1).all()


@given(some())
def test_photos_that_are_as_near_as_the_others_all_speak_for_as_many(near: np.ndarray) -> None:
    assert speaks_for(near, np.tile(near, 3)) == pytest.approx(np.full(len(near), 4.0), rel=1e-3)


def test_a_rare_kind_of_label_speaks_for_more_where_it_is_common(
    rng: np.random.Generator,
) -> None:
    """Two normal distributions of one spread: the ratio is the exponential of a line."""
    labelled, others = rng.normal(0.6, 0.1, 4000), rng.normal(0.5, 0.1, 4000)

    weights = speaks_for(labelled, others)

    expected = 1 + np.exp(-(labelled - 0.55) / 0.1)
    assert np.corrcoef(np.log(weights - 1), labelled)[0, 1] == pytest.approx(-1, abs=1e-6)
    middle = abs(labelled - 0.55) < 0.1
    assert weights[middle] == pytest.approx(expected[middle], rel=0.15)
    assert np.average(labelled, weights=weights - 1) == pytest.approx(0.5, abs=0.01)


def test_equal_weights_tell_as_much_as_there_are_and_one_heavy_one_tells_as_much_as_one() -> None:
    assert effective(np.full(40, 3.0)) == pytest.approx(40)
    assert effective(np.array([1e9, 1, 1])) == pytest.approx(1, abs=1e-6)
    assert effective(np.empty(0)) == 0


@given(some())
def test_a_rank_is_the_share_of_the_weight_below(values: np.ndarray) -> None:
    weights = weighing(len(values))

    found = ranks(values, weights)

    slow = [weights[values < value].sum() / weights.sum() for value in values]
    assert found == pytest.approx(slow, abs=1e-12)


@given(some(), st.floats(0, 1))
def test_what_a_share_reaches_is_the_highest_such_value(values: np.ndarray, share: float) -> None:
    weights = weighing(len(values))

    found = reached_by(values, weights, share)

    def reaching(bar: float) -> float:
        return float(weights[values >= bar].sum() / weights.sum())

    assert found in values
    assert reaching(found) >= share - 1e-6
    assert all(reaching(value) < share + 1e-6 for value in values[values > found])
