"""The average of a network's weights over the run's last steps, as another result of training."""

import copy

import torch
from torch import Tensor, nn


class WeightAverage:
    """An exponential moving average of a network's weights and batch-norm statistics.

    Early on the average is over few steps (its momentum is at most (1 + k) / (10 + k) after k
    steps), so that it does not remember the start longer than the run does.
    """

    def __init__(self, network: nn.Module, momentum: float) -> None:
        self._network = network
        self._average = copy.deepcopy(network).requires_grad_(False)
        self._momentum = momentum

    @torch.no_grad()
    def follow(self, step: int) -> None:
        """Take the weights after optimiser step number `step`, counted from 0, into the average."""
        momentum = min(self._momentum, (1 + step) / (10 + step))
        blend(self._average, self._network, 1 - momentum)

    @torch.no_grad()
    def apply(self) -> None:
        """Give the network the averaged weights."""
        blend(self._network, self._average, 1.0)

    def tensors(self) -> dict[str, Tensor]:
        """The average, for a checkpoint."""
        return dict(self._average.state_dict())

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Put back what `tensors` gave."""
        self._average.load_state_dict(tensors)


@torch.no_grad()
def blend(target: nn.Module, source: nn.Module, weight: float) -> None:
    """Move a network by `weight` of the way towards another of the same form.

    Batch-norm statistics move alike, so that the target can be evaluated; counters are copied.
    Interpolation leaves equal values as they are, to the bit: frozen parts never drift.
    """
    pairs = list(zip(_state(target), _state(source), strict=True))
    moving = [pair for pair in pairs if pair[0].is_floating_point()]
    counters = [pair for pair in pairs if not pair[0].is_floating_point()]
    if moving:  # torch refuses empty lists
        torch._foreach_lerp_([t for t, _ in moving], [s for _, s in moving], weight)
    if counters:  # only batch norms have them: a ConvNeXt has none
        torch._foreach_copy_([t for t, _ in counters], [s for _, s in counters])


def _state(module: nn.Module) -> list[Tensor]:
    return [*module.parameters(), *module.buffers()]
