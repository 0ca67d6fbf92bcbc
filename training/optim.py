"""Optimisers: AdamW, SGD and LARS, without weight decay on biases and scales of channels."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from training.errors import ConfigError

MOMENTUM = 0.9

# How much of its own length a layer may move at learning rate 1 (SimCLR's code; arXiv 1708.03888).
TRUST = 0.001


class Lars(torch.optim.Optimizer):
    """SGD with each tensor's step scaled to its length (arXiv 1708.03888, algorithm 1).

    Groups with `adapt` False (biases, scales of channels) take plain SGD steps. Norms stay on the
    device: nothing here waits for a GPU.
    """

    def __init__(
        self, groups: Iterable[dict[str, Any]], *, momentum: float = MOMENTUM, trust: float = TRUST
    ) -> None:
        defaults = {"lr": 0.0, "momentum": momentum, "trust": trust, "weight_decay": 0.0,
                    "adapt": True}  # fmt: skip
        super().__init__(groups, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One step; `closure` is not used."""
        for group in self.param_groups:
            moved = [p for p in group["params"] if p.grad is not None]
            if not moved:
                continue
            updates = [p.grad for p in moved]
            if group["weight_decay"]:
                updates = list(torch._foreach_add(updates, moved, alpha=group["weight_decay"]))
            if group["adapt"]:
                updates = list(torch._foreach_mul(updates, _trust(moved, updates, group["trust"])))
            buffers = [self._buffer(p) for p in moved]
            torch._foreach_mul_(buffers, group["momentum"])
            torch._foreach_add_(buffers, updates)
            torch._foreach_add_(moved, buffers, alpha=-group["lr"])

    def _buffer(self, parameter: Tensor) -> Tensor:
        state = self.state[parameter]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(parameter)
        buffer: Tensor = state["momentum_buffer"]
        return buffer


def build_optimizer(
    module: nn.Module, *, name: str = "adamw", weight_decay: float, layer_decay: float = 1.0
) -> torch.optim.Optimizer:
    """An optimiser over the parameters that require gradients; the rate is set every step.

    Args:
        module: a method. Where `layer_decay` is below 1, its `backbone`'s children are layers.
        name: adamw, sgd or lars.
        weight_decay: of weights; biases and scales of channels have none.
        layer_decay: each layer's rate is this times that of the layer after it (ULMFiT, arXiv
            1801.06146, section 3.2); heads have the full rate.

    Raises:
        ConfigError: there is no such optimiser.
    """
    groups = list(_groups(module, weight_decay, layer_decay))
    if name == "adamw":
        return torch.optim.AdamW([_without(group, "adapt") for group in groups], lr=0.0)
    if name == "sgd":
        plain = [_without(group, "adapt") for group in groups]
        return torch.optim.SGD(plain, lr=0.0, momentum=MOMENTUM)
    if name == "lars":
        return Lars(groups)
    raise ConfigError(f"there is no optimizer {name!r}", hint="use adamw, sgd or lars")


def set_learning_rate(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """The learning rate of all parameters, times their layer's share of it."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group["scale"]


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimiser's state as named tensors, `INDEX.NAME`, for a checkpoint."""
    return {
        f"{index}.{name}": value
        for index, state in optimizer.state_dict()["state"].items()
        for name, value in state.items()
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Put back what `optimizer_tensors` gave, laid out in memory as the parameters are."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split(".", 1)
        like = parameters[int(index)]
        if value.shape == like.shape:
            value = torch.empty_like(like).copy_(value)  # noqa: PLW2901
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def _trust(weights: list[Tensor], updates: list[Tensor], trust: float) -> list[Tensor]:
    """What each update is multiplied by: 1 where weights or update are all zero."""
    lengths = torch.stack(torch._foreach_norm(weights))  # (k,)
    steps = torch.stack(torch._foreach_norm(updates))  # (k,)
    known = (lengths > 0) & (steps > 0)
    return list(torch.where(known, trust * lengths / steps.clamp(min=1e-30), 1.0).unbind())


def _groups(module: nn.Module, weight_decay: float, layer_decay: float) -> Iterator[dict[str, Any]]:
    """Parameter groups by layer, weights apart from vectors."""
    layers: list[tuple[float, list[Tensor]]] = []
    backbone = getattr(module, "backbone", None)
    if layer_decay < 1 and isinstance(backbone, nn.Module):
        blocks = list(backbone.children())
        for depth, block in enumerate(reversed(blocks), start=1):
            layers.append((layer_decay**depth, list(block.parameters())))
    seen = {id(p) for _, found in layers for p in found}
    layers.append((1.0, [p for p in module.parameters() if id(p) not in seen]))
    for scale, found in layers:
        trained = [p for p in found if p.requires_grad]
        # Decaying a bias or a scale of channels only shrinks activations.
        weights, vectors = (
            [p for p in trained if _is_vector(p) is wanted] for wanted in (False, True)
        )
        for params, decay, adapt in ((weights, weight_decay, True), (vectors, 0.0, False)):
            if params:
                yield {"params": params, "weight_decay": decay, "adapt": adapt, "scale": scale}


def _is_vector(parameter: Tensor) -> bool:
    """Whether at most one side is longer than 1, as ConvNeXt's scales `(c, 1, 1)` have it too."""
    return sum(side > 1 for side in parameter.shape) <= 1


def _without(group: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in group.items() if key != name}
