"""Collapse: photos get one embedding, or lie on one line, and the loss is happy with that."""

import math

from torch import nn

from training.errors import RunError
from training.figures import Quality

# Std times sqrt(d) of unit embeddings: about 1 is healthy, from ImageNet weights 0.6 to 0.8.
SPREAD_MIN = 0.1

# Effective rank of embeddings: 1 on a line through zero, on any other at most 2, for with zero it
# spans a plane. Runs that learnt kept 45 and more from ImageNet and from random weights, and 14 of
# 17 held-out photos; where less was seen, early from random weights, the spread was lost as well.
RANK_MIN = 2.0

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

    def __init__(self, start: Quality, *, settled: int, labelled: bool = False) -> None:
        """Judge against the figures of the start, and not before step `settled`.

        Where a run is `labelled` the rank is not judged: two classes that are learnt well are two
        points, and these lie on a line.
        """
        self._start = start
        self._settled = settled
        self._labelled = labelled
        self._times = 0

    def check(self, quality: Quality, step: int, *, last: bool = False) -> None:
        """Count a measurement; the last one of a run needs no second.

        Raises:
            RunError: the spread or the rank was lost at two measurements in a row.
        """
        lost = self._lost(quality) if step >= self._settled else ""
        self._times = self._times + 1 if lost else 0
        if lost and (last or self._times >= TIMES):
            raise RunError(
                f"training collapsed by step {step:,}: {lost}, whatever the loss says",
                hint="start again with a tenth of the learning rate (--lr) or another --method; "
                "start.safetensors in the run's folder holds the weights before",
            )

    def _lost(self, quality: Quality) -> str:
        """What has collapsed, in words; empty where nothing has."""
        start = self._start
        pairs = (
            ("embeddings", quality.spread, start.spread),
            ("projections", quality.projection_spread, start.projection_spread),
        )
        for name, now, before in pairs:
            if now is None or before is None:
                continue
            if now < min(SPREAD_MIN, SHARE_OF_START * before):
                return (
                    f"the spread of the {name} fell from {before:.2f} to {now:.3f} (1 is healthy), "
                    "so all photos look alike to the network"
                )
        if not self._labelled and quality.rank < min(RANK_MIN, SHARE_OF_START * start.rank):
            return (
                f"the effective rank of the embeddings fell from {start.rank:.1f} to "
                f"{quality.rank:.2f}, so the network sees photos along one line only"
            )
        return ""
