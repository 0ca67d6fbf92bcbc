"""Optimisers against their definitions, and who is decayed, scaled and layered."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from training.errors import ConfigError
from training.models import build_backbone
from training.optim import (
    MOMENTUM,
    TRUST,
    build_optimizer,
    optimizer_tensors,
    restore_optimizer,
    set_learning_rate,
)

pytestmark = pytest.mark.usefixtures("one_thread")

DECAY = 0.01


class Tiny(nn.Module):
    """A backbone of three blocks with a head, as methods have them."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.backbone = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Linear(5, 3))
        self.head = nn.Linear(3, 2)

    def forward(self, rows: Tensor) -> Tensor:
        found: Tensor = self.head(self.backbone(rows))
        return found


def step(module: nn.Module, optimizer: torch.optim.Optimizer, seed: int, lr: float = 0.5) -> None:
    rows = torch.randn((6, 4), generator=torch.Generator().manual_seed(seed))
    optimizer.zero_grad()
    module(rows).square().mean().backward()
    set_learning_rate(optimizer, lr)
    optimizer.step()


def literal_lars(weight: Tensor, gradient: Tensor, speed: Tensor, lr: float) -> tuple[Tensor, ...]:
    """One step of algorithm 1 for one tensor, number by number."""
    adapt = weight.ndim > 1
    weights, gradients = weight.flatten().tolist(), gradient.flatten().tolist()
    decay = DECAY if adapt else 0.0
    update = [g + decay * w for w, g in zip(weights, gradients, strict=True)]
    trust = 1.0
    if adapt:
        length = math.sqrt(sum(w * w for w in weights))
        size = math.sqrt(sum(u * u for u in update))
        trust = TRUST * length / size if length > 0 and size > 0 else 1.0
    moved = MOMENTUM * speed.flatten() + trust * torch.tensor(update)
    return (weight.flatten() - lr * moved).view_as(weight), moved.view_as(weight)


def test_lars_is_its_paper_tensor_by_tensor() -> None:
    module = Tiny()
    optimizer = build_optimizer(module, name="lars", weight_decay=DECAY)
    names = dict(module.named_parameters())
    speeds = {name: torch.zeros_like(p) for name, p in names.items()}

    for seed in range(3):
        before = {name: p.detach().clone() for name, p in names.items()}
        step(module, optimizer, seed)
        for name, p in names.items():
            assert p.grad is not None
            wanted, speeds[name] = literal_lars(before[name], p.grad, speeds[name], 0.5)
            torch.testing.assert_close(p.detach(), wanted, atol=1e-6, rtol=1e-5)


def test_weights_of_zero_still_move_under_lars() -> None:
    module = Tiny()
    nn.init.zeros_(module.head.weight)
    optimizer = build_optimizer(module, name="lars", weight_decay=0.0)
    nn.init.ones_(module.head.bias)

    step(module, optimizer, 0)

    assert module.head.weight.isfinite().all()
    assert module.head.weight.abs().max() > 0


def test_lars_does_not_wait_for_a_gpu() -> None:
    # Fake tensors know shapes and no values: reading one raises.
    with FakeTensorMode():
        module = nn.Linear(4, 5, device="cuda")
        optimizer = build_optimizer(module, name="lars", weight_decay=DECAY)
        for parameter in module.parameters():
            parameter.grad = torch.empty_like(parameter)
        set_learning_rate(optimizer, 0.1)
        optimizer.step()


@pytest.mark.parametrize("name", ["adamw", "sgd", "lars"])
def test_biases_and_norms_are_not_decayed(name: str) -> None:
    module = Tiny()
    optimizer = build_optimizer(module, name=name, weight_decay=DECAY)

    decays = {id(p): group["weight_decay"] for group in optimizer.param_groups
              for p in group["params"]}  # fmt: skip

    for key, p in module.named_parameters():
        assert decays[id(p)] == (DECAY if p.ndim > 1 else 0), key


@pytest.mark.parametrize("name", ["adamw", "sgd", "lars"])
def test_scales_of_channels_are_not_decayed_whatever_their_shape(name: str) -> None:
    module = build_backbone("convnext_tiny")
    optimizer = build_optimizer(module, name=name, weight_decay=DECAY)

    groups = {id(p): group for group in optimizer.param_groups for p in group["params"]}

    shapes = set()
    for key, p in module.named_parameters():
        is_weight = key.endswith("weight") and p.ndim > 1  # of a convolution or a linear layer
        assert groups[id(p)]["weight_decay"] == (DECAY if is_weight else 0), key
        assert groups[id(p)].get("adapt", is_weight) is is_weight, key
        if key.endswith("layer_scale"):
            shapes.add(tuple(p.shape))
    assert (96, 1, 1) in shapes


@pytest.mark.parametrize("name", ["adamw", "sgd", "lars"])
def test_layers_nearer_the_input_learn_more_slowly_and_heads_at_the_full_rate(name: str) -> None:
    module = Tiny()
    optimizer = build_optimizer(module, name=name, weight_decay=DECAY, layer_decay=0.5)
    set_learning_rate(optimizer, 0.8)

    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}

    blocks = list(module.backbone.children())
    expected = [(module.head, 0.8), *zip(reversed(blocks), (0.4, 0.2, 0.1), strict=True)]
    for part, rate in expected:
        assert all(rates[id(p)] == pytest.approx(rate) for p in part.parameters())
    assert len(rates) == len(list(module.parameters()))


def test_frozen_parameters_are_left_out() -> None:
    module = Tiny()
    module.backbone[0].requires_grad_(False)

    optimizer = build_optimizer(module, weight_decay=DECAY)

    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert held == {id(p) for p in module.parameters() if p.requires_grad}


@pytest.mark.parametrize("name", ["adamw", "sgd", "lars"])
@pytest.mark.parametrize("layer_decay", [1.0, 0.7])
def test_an_optimizer_goes_on_from_its_tensors(name: str, layer_decay: float) -> None:
    def made() -> tuple[Tiny, torch.optim.Optimizer]:
        module = Tiny()
        return module, build_optimizer(
            module, name=name, weight_decay=DECAY, layer_decay=layer_decay
        )

    (whole, first), (resumed, second) = made(), made()
    step(whole, first, 0, lr=0.01)
    resumed.load_state_dict(whole.state_dict())
    saved = {name: value.clone() for name, value in optimizer_tensors(first).items()}
    restore_optimizer(second, saved)
    step(whole, first, 1, lr=0.01)
    step(resumed, second, 1, lr=0.01)

    for key, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[key]), key


def test_an_unknown_optimizer_is_refused() -> None:
    with pytest.raises(ConfigError, match="no optimizer 'adam'"):
        build_optimizer(Tiny(), name="adam", weight_decay=0)
