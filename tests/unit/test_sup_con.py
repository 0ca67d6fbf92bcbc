"""SupCon against equation 2 of its paper, written out slowly."""

import math

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from training.losses import nt_xent, own_identities, sup_con

pytestmark = pytest.mark.usefixtures("one_thread")

MIXED = [0, 1, 0, 2, 1, 0, 3]  # 2 and 3 are alone


def rows(count: int, dim: int = 5, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn((count, dim), generator=generator, dtype=torch.float64)


def literal_sup_con(views: Tensor, labels: list[int], temperature: float) -> Tensor:
    """L_out with its sums as loops, in double precision; its gradient comes by the chain rule."""
    unit = [view / view.norm() for view in views]
    losses = []
    for i, anchor in enumerate(unit):
        others = [a for a in range(len(unit)) if a != i]
        positives = [p for p in others if labels[p] == labels[i]]
        if not positives:
            continue
        below = sum(torch.exp(anchor @ unit[a] / temperature) for a in others)
        terms = [torch.log(torch.exp(anchor @ unit[p] / temperature) / below) for p in positives]
        losses.append(-sum(terms) / len(positives))
    return sum(losses) / len(losses)  # type: ignore[return-value]


@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
@pytest.mark.parametrize("labels", [MIXED, [0, 0, 0], [0, 0, 1, 1], [4, 9, 9, 4, -3]])
def test_sup_con_and_its_gradient_are_the_papers_formula(
    labels: list[int], temperature: float
) -> None:
    ours, theirs = (rows(len(labels)).requires_grad_() for _ in range(2))

    found = sup_con(ours, torch.tensor(labels), temperature=temperature)
    expected = literal_sup_con(theirs, labels, temperature)
    found.backward()
    expected.backward()

    assert math.isclose(float(found.detach()), float(expected.detach()), rel_tol=1e-5)
    assert ours.grad is not None
    # float32 at logits of up to 10.
    torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("count", [1, 2, 9])
def test_nt_xent_is_sup_con_where_every_photo_is_a_class_of_its_own(count: int) -> None:
    first, second = rows(count), rows(count, seed=1)

    by_photo = literal_sup_con(torch.cat((first, second)), [*range(count)] * 2, 0.3)

    assert math.isclose(
        float(nt_xent(first, second, temperature=0.3)), float(by_photo), rel_tol=1e-5, abs_tol=1e-6
    )


def test_an_anchor_without_positives_teaches_only_as_a_negative() -> None:
    views = rows(3).requires_grad_()

    loss = sup_con(views, torch.tensor([0, 0, 1]), temperature=0.5)
    loss.backward()

    # The mean is over two anchors, not three, and the third is still pushed away.
    expected = float(literal_sup_con(views.detach(), [0, 0, 1], 0.5))
    assert math.isclose(float(loss.detach()), expected, rel_tol=1e-5)
    assert views.grad is not None
    assert views.grad[2].norm() > 0


def test_without_any_positive_the_loss_is_zero_and_so_is_its_gradient() -> None:
    views = rows(4).requires_grad_()

    loss = sup_con(views, torch.arange(4), temperature=0.1)
    loss.backward()

    assert float(loss.detach()) == 0
    assert views.grad is not None
    assert not views.grad.any()


def test_unlabelled_photos_are_never_each_others_positives() -> None:
    labels = torch.tensor([2, -1, 0, -1, -1, 2])

    own = own_identities(labels)

    assert own[[0, 2, 5]].tolist() == [2, 0, 2]
    assert len(set(own[[1, 3, 4]].tolist())) == 3
    assert (own[[1, 3, 4]] < 0).all()


def test_a_photos_own_number_says_that_it_came_twice() -> None:
    own = own_identities(torch.tensor([-2, -1, -7, -2, -1]))

    assert own[0] == own[3]
    assert len(set(own.tolist())) == 4


def test_the_shares_of_several_processes_average_to_the_loss_of_all() -> None:
    labels = torch.tensor(MIXED[:6])
    views = rows(6)
    whole = views.clone().requires_grad_()
    shared = views.clone().requires_grad_()

    sup_con(whole, labels, temperature=0.2).backward()
    shares = [
        sup_con(shared, labels, temperature=0.2, anchors=torch.tensor(anchors))
        for anchors in ([0, 3], [1, 5], [4, 2])
    ]
    (torch.stack(shares).mean()).backward()

    torch.testing.assert_close(whole.grad, shared.grad, atol=1e-6, rtol=1e-5)


def test_sup_con_of_bfloat16_at_a_low_temperature_is_finite_and_in_float32() -> None:
    views = rows(32).bfloat16().requires_grad_()

    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = sup_con(views, torch.arange(32) % 5, temperature=0.01)
    loss.backward()

    assert loss.dtype == torch.float32
    assert loss.isfinite()
    assert views.grad is not None
    assert views.grad.isfinite().all()


def test_sup_con_does_not_wait_for_a_gpu() -> None:
    # Fake tensors know shapes and no values: reading one raises.
    with FakeTensorMode():
        views = torch.empty((8, 4), device="cuda")
        labels = own_identities(torch.zeros(8, dtype=torch.int64, device="cuda"))
        loss = sup_con(views, labels, temperature=0.1)

    assert loss.device.type == "cuda"
