"""How many answers were right, by how certain they were."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from app.fewshot.intervals import wilson
from app.fewshot.reliability import EDGES, reliability

answers = st.integers(0, 80).flatmap(
    lambda n: st.tuples(arrays(np.float32, n, elements=st.floats(0, 1, width=32)), arrays(bool, n))
)


@given(answers)
def test_every_answer_lies_in_one_stretch_and_its_certainty_in_it(
    told: tuple[np.ndarray, np.ndarray],
) -> None:
    found = reliability(*told)

    assert sum(stretch.answers for stretch in found) == len(told[0])
    assert [(stretch.low, stretch.high) for stretch in found] == list(pairwise(EDGES))
    for stretch in found:
        assert (stretch.certainty is None) == (stretch.answers == 0)
        if stretch.certainty is not None:
            assert stretch.low - 1e-6 <= stretch.certainty <= stretch.high + 1e-6
        assert (stretch.right is None) == (stretch.answers < 20)


def test_right_answers_are_counted_where_they_were_said() -> None:
    shares = np.repeat(np.float32([0.85, 0.95, 1.0]), [40, 30, 10])
    right = np.concatenate([np.arange(40) < 34, np.ones(30, bool), np.zeros(10, bool)])

    found = reliability(shares, right)

    assert found[4].right == wilson(34, 40)
    assert found[4].certainty == pytest.approx(0.85)
    assert found[5].right == wilson(30, 40)
    assert [stretch.answers for stretch in found] == [0, 0, 0, 0, 40, 40]


def test_an_honest_head_is_as_often_right_as_it_says(rng: np.random.Generator) -> None:
    shares = rng.uniform(0.5, 1, 20_000)

    found = reliability(shares, rng.random(20_000) < shares)

    for stretch in found[1:]:
        assert stretch.right is not None
        assert stretch.certainty == pytest.approx(stretch.right.value, abs=0.02)
