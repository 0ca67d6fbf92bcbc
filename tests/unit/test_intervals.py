"""How sure a figure is, and when it may be a percentage."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from app.fewshot.intervals import in_words, macro_f1, wilson


def test_a_percentage_needs_twenty_labels() -> None:
    assert in_words(0.834, 20) == "83 %"
    assert [in_words(share, 19) for share in (0.8, 0.79, 0.5, 0.49)] == [
        "high", "medium", "medium", "low",
    ]  # fmt: skip


def test_wilson_has_its_textbook_values() -> None:
    none, half = wilson(0, 10), wilson(50, 100)

    # With no success the upper bound is z^2 / (n + z^2).
    assert (none.value, none.low) == (0, 0)
    assert none.high == pytest.approx(1.959964**2 / (10 + 1.959964**2))
    assert (half.low, half.high) == (
        pytest.approx(0.4038, abs=1e-4),
        pytest.approx(0.5962, abs=1e-4),
    )


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_its_share_inside_zero_and_one(pair: tuple[int, int]) -> None:
    right, count = pair
    found, mirrored = wilson(right, count), wilson(count - right, count)

    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.low == pytest.approx(1 - mirrored.high)


@given(st.integers(0, 10_000))
def test_macro_f1_is_scikit_learns_and_lies_in_its_interval(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth, said = rng.integers(0, 4, size=(2, 30))
    classes = np.arange(4)

    found = macro_f1(truth, said, np.arange(30), classes=classes, seed=0)

    present = np.union1d(truth, said)  # others have no F1
    assert found.value == pytest.approx(f1_score(truth, said, average="macro", labels=present))
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_all_right_leaves_no_doubt_and_near_copies_leave_more() -> None:
    truth = np.repeat(np.arange(2), 30)
    said = np.where(np.arange(60) % 5 == 0, 1 - truth, truth)
    both = np.arange(2)

    sure = macro_f1(truth, truth, np.arange(60), classes=both, seed=0)
    apart = macro_f1(truth, said, np.arange(60), classes=both, seed=0)
    bursts = macro_f1(truth, said, np.repeat(np.arange(12), 5), classes=both, seed=0)
    errors_burst = macro_f1(truth, np.sort(said), np.repeat(np.arange(12), 5), classes=both, seed=0)

    assert (sure.low, sure.value, sure.high) == (1, 1, 1)
    assert apart.high - apart.low > 0.1
    assert bursts.value == apart.value
    assert errors_burst.low <= errors_burst.value
