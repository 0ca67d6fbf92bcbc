"""Collapse: the network gives every photo the same embedding, and the loss is happy with that."""

from training.errors import RunError
from training.figures import Quality

# Std times sqrt(d) of unit embeddings: about 1 is healthy, from ImageNet weights 0.6 to 0.8.
SPREAD_MIN = 0.1

# Some random networks start below that; they are judged by what they lose.
SHARE_OF_START = 0.5

# In the first steps of a run from random weights, batch-norm's running averages are behind the
# weights and everything looks alike for one measurement (seen at step 16 of 278, gone at 45).
TIMES = 2


class CollapseWatch:
    """Looks at every measurement of a run, and stops the run where training has collapsed."""

    def __init__(self, start: Quality) -> None:
        self._start = start
        self._times = 0

    def check(self, quality: Quality, step: int, *, last: bool = False) -> None:
        """Count a measurement; the last one of a run needs no second.

        Raises:
            RunError: the spread was lost at two measurements in a row.
        """
        lost = _lost(quality, self._start)
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
