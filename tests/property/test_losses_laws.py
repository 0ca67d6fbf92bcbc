"""Symmetries, bounds and limits of the losses."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from training.losses import byol_regression, nt_xent

LAWS = settings(derandomize=True, max_examples=25, deadline=None)

# float32 sums of some dozens of logits of up to 20.
TOLERANCE = 2e-5

seeds = st.integers(0, 2**31 - 1)
counts = st.integers(2, 24)
temperatures = st.floats(0.05, 2)


pytestmark = pytest.mark.usefixtures("one_thread")


def pair(seed: int, count: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    first, second = torch.randn((2, count, 6), generator=generator)
    return first, second


def close(first: Tensor, second: Tensor) -> bool:
    return math.isclose(float(first), float(second), rel_tol=TOLERANCE, abs_tol=TOLERANCE)


@LAWS
@given(seed=seeds, count=counts, temperature=temperatures)
def test_nt_xent_ignores_the_order_of_the_photos(seed: int, count: int, temperature: float) -> None:
    first, second = pair(seed, count)
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))

    assert close(
        nt_xent(first, second, temperature=temperature),
        nt_xent(first[order], second[order], temperature=temperature),
    )


@LAWS
@given(seed=seeds, count=counts, temperature=temperatures)
def test_nt_xent_ignores_which_view_comes_first(seed: int, count: int, temperature: float) -> None:
    first, second = pair(seed, count)

    assert close(
        nt_xent(first, second, temperature=temperature),
        nt_xent(second, first, temperature=temperature),
    )


@LAWS
@given(seed=seeds, count=counts, exponent=st.floats(-3, 3))
def test_losses_ignore_the_length_of_the_rows(seed: int, count: int, exponent: float) -> None:
    first, second = pair(seed, count)
    lengths = 10**exponent * (1 + torch.arange(count)[:, None] / count)

    assert close(
        nt_xent(first, second, temperature=0.2), nt_xent(lengths * first, second, temperature=0.2)
    )
    assert close(byol_regression(first, second), byol_regression(first, lengths * second))


@LAWS
@given(seed=seeds, count=st.integers(1, 24), temperature=temperatures)
def test_nt_xent_of_collapsed_rows_is_log_of_the_candidates(
    seed: int, count: int, temperature: float
) -> None:
    row = pair(seed, 1)[0].expand(count, 6)

    found = nt_xent(row, row, temperature=temperature)

    assert math.isclose(float(found), math.log(2 * count - 1), rel_tol=1e-5, abs_tol=TOLERANCE)


@LAWS
@given(seed=seeds, count=counts, temperature=temperatures)
def test_nt_xent_lies_between_zero_and_the_worst_case(
    seed: int, count: int, temperature: float
) -> None:
    loss = float(nt_xent(*pair(seed, count), temperature=temperature))

    # All negatives at cosine 1, the partner at -1.
    worst = math.log(1 + (2 * count - 2) * math.exp(2 / temperature))
    assert 0 <= loss <= worst


@LAWS
@given(seed=seeds, count=counts)
def test_nt_xent_vanishes_when_partners_agree_and_all_others_are_orthogonal(
    seed: int, count: int
) -> None:
    rows = torch.linalg.qr(
        torch.randn((count, count), generator=torch.Generator().manual_seed(seed))
    ).Q

    assert float(nt_xent(rows, rows, temperature=0.05)) < 2 * count * math.exp(-1 / 0.05) + 1e-6


@LAWS
@given(seed=seeds, count=counts)
def test_byol_regression_lies_between_zero_and_four_and_meets_both(seed: int, count: int) -> None:
    first, second = pair(seed, count)

    assert 0 <= float(byol_regression(first, second)) <= 4
    assert close(byol_regression(first, 3 * first), torch.tensor(0.0))
    assert close(byol_regression(first, -first), torch.tensor(4.0))
