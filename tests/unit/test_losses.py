"""The losses against their definitions, written out slowly."""

import math

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from training.losses import byol_regression, nt_xent

pytestmark = pytest.mark.usefixtures("one_thread")


def rows(count: int, dim: int, seed: int) -> Tensor:
    return torch.randn((count, dim), generator=torch.Generator().manual_seed(seed))


def cosine(first: Tensor, second: Tensor) -> float:
    return float(first @ second) / float(first.norm() * second.norm())


def literal_nt_xent(first: Tensor, second: Tensor, temperature: float) -> float:
    """Equation 1 of SimCLR with its sums as loops; pairs are (k, k + N)."""
    views = [*first.double(), *second.double()]
    total = 0.0
    for i, view in enumerate(views):
        partner = (i + len(first)) % len(views)
        above = math.exp(cosine(view, views[partner]) / temperature)
        below = 0.0
        for k, other in enumerate(views):
            if k != i:
                below += math.exp(cosine(view, other) / temperature)
        total += -math.log(above / below)
    return total / len(views)


@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
@pytest.mark.parametrize("count", [1, 2, 7])
def test_nt_xent_is_the_papers_formula(count: int, temperature: float) -> None:
    first, second = rows(count, 5, seed=0), rows(count, 5, seed=1)

    found = nt_xent(first, second, temperature=temperature)

    assert math.isclose(
        float(found), literal_nt_xent(first, second, temperature), rel_tol=1e-5, abs_tol=1e-6
    )


def test_nt_xents_gradient_is_that_of_finite_differences() -> None:
    # In double precision gradcheck would be exact, but the loss computes in float32: the central
    # difference of a step of 1e-2 is good to 1e-3 here.
    first, second = rows(3, 4, seed=0).requires_grad_(), rows(3, 4, seed=1)
    nt_xent(first, second, temperature=0.5).backward()

    for index in ((0, 0), (1, 2), (2, 3)):
        step = torch.zeros(3, 4)
        step[index] = 1e-2
        ends = [literal_nt_xent(first.detach() + s * step, second, 0.5) for s in (1, -1)]
        assert first.grad is not None
        assert math.isclose(float(first.grad[index]), (ends[0] - ends[1]) / 2e-2, abs_tol=1e-3)


def test_nt_xent_of_bfloat16_at_a_low_temperature_is_finite_and_so_is_its_gradient() -> None:
    first = rows(16, 8, seed=0).bfloat16().requires_grad_()
    second = first.detach() + 0.1 * rows(16, 8, seed=1).bfloat16()

    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = nt_xent(first, second, temperature=0.01)
    loss.backward()

    assert loss.isfinite()
    assert first.grad is not None
    assert first.grad.isfinite().all()


def test_losses_compute_in_float32_under_autocast() -> None:
    first, second = rows(16, 8, seed=0), rows(16, 8, seed=1)

    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = nt_xent(first, second, temperature=0.1), byol_regression(first, second)

    assert torch.equal(cast[0], nt_xent(first, second, temperature=0.1))
    assert torch.equal(cast[1], byol_regression(first, second))
    assert cast[0].dtype == cast[1].dtype == torch.float32


def test_byol_regression_is_two_minus_two_cosines() -> None:
    prediction, target = rows(9, 6, seed=0), rows(9, 6, seed=1)

    found = byol_regression(prediction, target)

    expected = sum(2 - 2 * cosine(p, t) for p, t in zip(prediction, target, strict=True)) / 9
    assert math.isclose(float(found), expected, rel_tol=1e-5)


def test_byol_regression_sends_no_gradient_to_the_target() -> None:
    prediction, target = rows(4, 6, seed=0).requires_grad_(), rows(4, 6, seed=1).requires_grad_()

    byol_regression(prediction, target).backward()

    assert target.grad is None
    assert prediction.grad is not None
    assert prediction.grad.abs().sum() > 0


def test_losses_do_not_wait_for_a_gpu() -> None:
    # Fake tensors know shapes and no values: reading one raises.
    with FakeTensorMode():
        first, second = (torch.empty((8, 4), device="cuda") for _ in range(2))
        loss = nt_xent(first, second, temperature=0.1) + byol_regression(first, second)

    assert loss.device.type == "cuda"
