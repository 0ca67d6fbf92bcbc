"""SimCLR, SupCon and BYOL around a backbone small enough to look into."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from training.errors import ConfigError
from training.losses import nt_xent, own_identities, sup_con
from training.methods import BYOL, Method, SimCLR, SupCon, build_method
from training.models import Backbone

NAMES = ("simclr", "byol", "supcon")

# Of the eight photos in `views`; two have none.
LABELS = torch.tensor([0, 0, 1, -1, 1, 2, 2, -1])

pytestmark = pytest.mark.usefixtures("one_thread")


def tiny_backbone() -> Backbone:
    """Two blocks of convolution and batch norm, so that one can be frozen."""
    network = nn.Sequential(
        nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU()),
        nn.Sequential(nn.Conv2d(4, 6, 3, bias=False), nn.BatchNorm2d(6), nn.ReLU()),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )
    return Backbone(network, 6)


def build(name: str, seed: int = 0, **changes: float) -> Method:
    torch.manual_seed(seed)
    return build_method(
        name, tiny_backbone(), projection_dim=5, hidden_dim=8, temperature=0.5, **changes
    )


def build_byol(**changes: float) -> BYOL:
    method = build("byol", **changes)
    assert isinstance(method, BYOL)
    return method


def views(seed: int = 0) -> tuple[Tensor, Tensor]:
    first, second = torch.randn((2, 8, 3, 10, 10), generator=torch.Generator().manual_seed(seed))
    return first, second


def train(method: Method, steps: int, step: Callable[[int], float] = lambda _: 0.5) -> None:
    moving = [p for p in method.parameters() if p.requires_grad]
    optimiser = torch.optim.SGD(moving, lr=0.1)
    for index in range(steps):
        optimiser.zero_grad()
        method.loss(*views(index), LABELS).backward()
        optimiser.step()
        method.after_step(step(index))


def assert_same(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


def online_state(method: BYOL) -> dict[str, Tensor]:
    """The online network under the names that the target has."""
    parts = nn.ModuleDict({"backbone": method.backbone, "projector": method.projector})
    return parts.state_dict()


# ---- all methods


@pytest.mark.parametrize("name", NAMES)
def test_every_trainable_parameter_gets_a_gradient_and_no_other(name: str) -> None:
    method = build(name)

    method.loss(*views(), LABELS).backward()

    for parameter_name, parameter in method.named_parameters():
        if parameter_name.startswith("target."):
            assert parameter.grad is None, parameter_name
            assert not parameter.requires_grad, parameter_name
        else:
            assert parameter.grad is not None, parameter_name
            # Float noise where the true gradient is zero is below 1e-7 here.
            assert parameter.grad.abs().max() > 1e-5, parameter_name


@pytest.mark.parametrize("name", NAMES)
def test_training_trains_the_backbone_it_was_given(name: str) -> None:
    torch.manual_seed(0)
    backbone = tiny_backbone()
    method = build_method(name, backbone, projection_dim=5, hidden_dim=8, temperature=0.5)
    before = copy.deepcopy(backbone.state_dict())

    train(method, steps=1)

    assert method.backbone is backbone
    assert all(not torch.equal(value, before[name]) for name, value in backbone.named_parameters())


@pytest.mark.parametrize("name", NAMES)
def test_the_loss_falls_when_the_same_views_come_again(name: str) -> None:
    method = build(name)
    optimiser = torch.optim.SGD([p for p in method.parameters() if p.requires_grad], lr=0.05)
    losses = []

    for _ in range(30):
        optimiser.zero_grad()
        loss = method.loss(*views(), LABELS)
        loss.backward()
        optimiser.step()
        method.after_step(0.5)
        losses.append(float(loss.detach()))

    assert losses[-1] < 0.9 * losses[0]


@pytest.mark.parametrize("name", NAMES)
def test_the_loss_is_a_float32_scalar_under_autocast(name: str) -> None:
    method = build(name)

    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = method.loss(*views(), LABELS)
    loss.backward()

    assert loss.shape == ()
    assert loss.dtype == torch.float32
    assert loss.isfinite()


@pytest.mark.parametrize("name", NAMES)
def test_a_run_continues_from_its_state_as_if_never_stopped(name: str) -> None:
    whole, stopped, resumed = build(name), build(name), build(name, seed=9)
    train(whole, steps=4, step=lambda index: index / 4)

    train(stopped, steps=4, step=lambda index: index / 4)
    resumed.load_state_dict(copy.deepcopy(stopped.state_dict()))
    train(whole, steps=2)
    train(resumed, steps=2)

    assert_same(whole.state_dict(), resumed.state_dict())


@pytest.mark.parametrize("name", NAMES)
def test_a_frozen_block_stays_as_it_is(name: str) -> None:
    method = build(name)
    network = method.backbone.network
    assert isinstance(network, nn.Sequential)
    network[0].requires_grad_(False).eval()
    before = copy.deepcopy(network[0].state_dict())

    train(method, steps=3)

    assert_same(network[0].state_dict(), before)
    if isinstance(method, BYOL):
        target = method.target.get_submodule("backbone.network.0")
        assert_same(target.state_dict(), before)
        assert not target.training


@pytest.mark.parametrize("name", NAMES)
def test_evaluation_mode_leaves_every_buffer_alone(name: str) -> None:
    method = build(name).eval()
    before = copy.deepcopy(method.state_dict())

    with torch.no_grad():
        loss = method.loss(*views(), LABELS)

    assert loss.isfinite()
    assert_same(method.state_dict(), before)


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(ConfigError, match="no method 'moco'"):
        build("moco")


# ---- SimCLR


def test_simclr_compares_both_views_of_one_pass() -> None:
    method = build("simclr")
    assert isinstance(method, SimCLR)
    first, second = views()

    loss = method.loss(first, second)

    projections = method.projector(method.backbone(torch.cat((first, second))))
    assert torch.allclose(loss, nt_xent(projections[:8], projections[8:], temperature=0.5))


def test_nothing_follows_a_step_of_simclr() -> None:
    method = build("simclr")
    before = copy.deepcopy(method.state_dict())

    method.after_step(0.3)

    assert_same(method.state_dict(), before)


# ---- SupCon


def test_supcon_pulls_both_views_of_all_photos_of_a_class_together() -> None:
    method = build("supcon")
    assert isinstance(method, SupCon)
    first, second = views()

    loss = method.loss(first, second, LABELS)

    projections = method.projector(method.backbone(torch.cat((first, second))))
    classes = own_identities(LABELS).repeat(2)
    assert torch.allclose(loss, sup_con(projections, classes, temperature=0.5))


def test_supcon_without_any_label_is_simclr() -> None:
    supcon, simclr = build("supcon"), build("simclr")

    losses = [method.loss(*views(), torch.full((8,), -1)) for method in (supcon, simclr)]

    assert torch.equal(*losses)


# ---- BYOL


def test_the_target_starts_as_a_copy_projector_and_buffers_included() -> None:
    torch.manual_seed(0)
    backbone = tiny_backbone()
    backbone(views()[0])  # running statistics of its own

    method = build_method("byol", backbone, projection_dim=5, hidden_dim=8, temperature=0.5)

    assert isinstance(method, BYOL)
    assert_same(method.target.state_dict(), online_state(method))
    shared = {p.data_ptr() for p in method.target.parameters()}
    assert shared.isdisjoint(p.data_ptr() for p in method.backbone.parameters())


def test_byols_loss_lies_between_zero_and_four_and_is_symmetric() -> None:
    method = build_byol()
    first, second = views()

    with torch.no_grad():
        loss, swapped = method.loss(first, second), method.loss(second, first)

    assert 0 <= float(loss) <= 4
    assert torch.allclose(loss, swapped, atol=1e-6)


def test_the_target_sees_batch_statistics_in_training() -> None:
    method = build_byol()
    counter = method.target.get_submodule("projector.1").num_batches_tracked

    method.loss(*views(), LABELS)

    assert int(counter) == 2  # one pass per view


def test_momentum_one_freezes_the_target_buffers_included() -> None:
    method = build_byol()
    train(method, steps=1)
    method.loss(*views(), LABELS).backward()
    torch.optim.SGD(method.backbone.parameters(), lr=1.0).step()
    before = copy.deepcopy(method.target.state_dict())

    method.after_step(1.0)

    assert_same(method.target.state_dict(), before)


def test_momentum_zero_copies_the_online_network_buffers_included() -> None:
    method = build_byol(tau_base=0.0)
    method.loss(*views(), LABELS).backward()
    torch.optim.SGD(method.parameters(), lr=1.0).step()

    method.after_step(0.0)

    assert_same(method.target.state_dict(), online_state(method))


def test_the_target_moves_by_the_momentum_of_the_schedule() -> None:
    method = build_byol(tau_base=0.9)
    with torch.no_grad():
        for parameter in method.backbone.parameters():
            parameter.add_(1.0)
    before = copy.deepcopy(method.target.state_dict())

    method.after_step(0.5)  # half way from 0.9 to 1

    name = "backbone.network.0.0.weight"
    moved = method.target.state_dict()[name] - before[name]
    torch.testing.assert_close(moved, torch.full_like(moved, 0.05), atol=1e-6, rtol=0)
