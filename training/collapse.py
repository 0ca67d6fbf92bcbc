"""Collapse: the network gives every photo the same embedding, and the loss is happy with that."""

import math

from torch import nn

from training.errors import RunError
from training.figures import Quality

# Std times sqrt(d) of unit embeddings: about 1 is healthy, from ImageNet weights 0.6 to 0.8.
SPREAD_MIN = 0.1

# Some random networks start below that; they are judged by what they lose.
SHARE_OF_START = 0.5

# One measurement may be a bad moment at a high learning rate.
TIMES = 2


def settling_steps(network: nn.Module) -> int:
    """Steps until batch-norm's running averages say more of the run than of its start.

    Before that everything may look alike only because they are behind the weights: seen from
    random weights at step 16, gone at 45. After 3 / momentum steps 5 % of the start are left.
    """
    momenta = [
        module.momentum
        for module in network.modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.momentum
    ]
    return math.ceil(3 / min(momenta)) if momenta else 0


class CollapseWatch:
    """Looks at every measurement of a run, and stops the run where training has collapsed."""

    def __init__(self, start: Quality, *, settled: int) -> None:
        """Judge against the figures of the start, and not before step `settled`."""
        self._start = start
        self._settled = settled
        self._times = 0

    def check(self, quality: Quality, step: int, *, last: bool = False) -> None:
        """Count a measurement; the last one of a run needs no second.

        Raises:
            RunError: the spread was lost at two measurements in a row.
        """
        lost = _lost(quality, self._start) if step >= self._settled else ""
        self._times = self._times + 1 if lost else 0
        if lost and (last or self._times >= TIMES):
            raise RunError(
                f"training collapsed by step {step:,}: {lost}, so all photos look alike to the "
                "network, whatever the loss says",
                hint="start again with a tenth of the learning rate (--lr) or another --method; "
                "start.safetensors in the run's folder holds the weights before",
            )


def _lost(quality: Quality, start: Quality) -> str:
    """What has collapsed, in words; empty where nothing has."""
    pairs = (
        ("embeddings", quality.spread, start.spread),
        ("projections", quality.projection_spread, start.projection_spread),
    )
    for name, now, before in pairs:
        if now is None or before is None:
            continue
        if now < min(SPREAD_MIN, SHARE_OF_START * before):
            return f"the spread of the {name} fell from {before:.2f} to {now:.3f} (1 is healthy)"
    return ""
