"""Schedules as pure functions of progress: 0 at the start of a run, 1 at its end.

Progress is steps done over all steps or, under a time budget, time spent over time given; values a
little outside [0, 1], which clocks produce, count as the nearest end.
"""

import math


def warmup_cosine(progress: float, *, warmup: float, floor: float = 0.0) -> float:
    """What the learning rate is multiplied by: linear from 0 to 1, then half a cosine to `floor`.

    Args:
        progress: share of the run that is done.
        warmup: share of the run that the rise takes, in [0, 1]; 0 starts at the top.
        floor: the last value, in [0, 1].
    """
    progress = _in_unit_interval(progress)
    if progress < warmup:
        return progress / warmup
    if warmup >= 1:
        return 1.0
    fall = (progress - warmup) / (1 - warmup)
    return floor + (1 - floor) * (1 + math.cos(math.pi * fall)) / 2


def cosine_tau(progress: float, base: float) -> float:
    """Momentum of BYOL's target, from `base` up to 1 (arXiv 2006.07733, section 3.3)."""
    return 1 - (1 - base) * (math.cos(math.pi * _in_unit_interval(progress)) + 1) / 2


def _in_unit_interval(progress: float) -> float:
    return min(1.0, max(0.0, progress))
