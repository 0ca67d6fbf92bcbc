"""What holds of the schedules at every progress."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from training.schedule import cosine_tau, warmup_cosine

LAWS = settings(derandomize=True, max_examples=50, deadline=None)

shares = st.floats(0, 1)
anywhere = st.floats(-10, 10)


@LAWS
@given(progress=anywhere, warmup=shares, floor=shares)
def test_the_learning_rate_stays_between_zero_and_its_top(
    progress: float, warmup: float, floor: float
) -> None:
    assert 0 <= warmup_cosine(progress, warmup=warmup, floor=floor) <= 1 + 1e-12


@LAWS
@given(first=shares, second=shares, warmup=shares, floor=shares)
def test_the_learning_rate_rises_in_the_warmup_and_falls_after_it(
    first: float, second: float, warmup: float, floor: float
) -> None:
    early, late = sorted((first, second))
    before, after = (warmup_cosine(p, warmup=warmup, floor=floor) for p in (early, late))

    if late < warmup:
        assert before <= after
    elif early >= warmup:
        assert before >= after - 1e-12


@LAWS
@given(warmup=st.floats(0, 0.9), floor=shares)
def test_the_learning_rate_meets_its_ends(warmup: float, floor: float) -> None:
    assert warmup_cosine(warmup, warmup=warmup, floor=floor) == 1
    assert math.isclose(warmup_cosine(1, warmup=warmup, floor=floor), floor, abs_tol=1e-12)
    assert warmup_cosine(0, warmup=warmup, floor=floor) == (0 if warmup > 0 else 1)


def test_a_run_that_only_warms_up_ends_at_the_top() -> None:
    assert warmup_cosine(0.25, warmup=1) == 0.25
    assert warmup_cosine(1, warmup=1) == 1


def test_half_way_down_the_cosine_is_half_way_to_the_floor() -> None:
    assert math.isclose(warmup_cosine(0.6, warmup=0.2, floor=0.1), 0.55)


@LAWS
@given(first=anywhere, second=anywhere, base=shares)
def test_the_momentum_rises_from_its_base_to_one(first: float, second: float, base: float) -> None:
    early, late = sorted((first, second))

    assert base - 1e-12 <= cosine_tau(early, base) <= cosine_tau(late, base) + 1e-12
    assert math.isclose(cosine_tau(0, base), base, abs_tol=1e-12)
    assert cosine_tau(1, base) == 1


@LAWS
@given(progress=shares, base=shares)
def test_the_momentum_is_byols_formula(progress: float, base: float) -> None:
    expected = 1 - (1 - base) * (math.cos(math.pi * progress) + 1) / 2

    assert cosine_tau(progress, base) == expected
