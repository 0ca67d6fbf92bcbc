"""How sure is a figure? Intervals by resampling the photos it was measured on. NumPy only.

Differences are paired: both sides are measured on the same photos, and a resample takes the same
photos for both, so what makes a photo hard for both cancels.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

LEVEL = 0.95
RESAMPLES = 2000
HALF_SAMPLES = 100
_RESAMPLES_AT_ONCE = 100  # bounds the memory: as many times the photos, 8 bytes each

Z95 = 1.959964  # of a normal distribution: 95 % lie within as many standard deviations


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with the range in which it lies with 95 % confidence."""

    value: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """For a difference: whether it is clear which way it goes."""
        return self.low > 0 or self.high < 0

    def to_json(self) -> dict[str, float]:
        """Rounded."""
        return {
            "value": round(self.value, 4),
            "low": round(self.low, 4),
            "high": round(self.high, 4),
        }


def mean_interval(values: np.ndarray, *, seed: int = 0) -> Interval:
    """The mean of `(n,)` figures, one a photo, with its percentile bootstrap interval.

    Efron's bootstrap (Efron and Tibshirani 1993, section 13.3), 2,000 resamples. NaN is "not
    known" and left out; nothing known gives NaN.
    """
    known = values[~np.isnan(values)].astype(np.float64)
    if len(known) == 0:
        return Interval(np.nan, np.nan, np.nan)
    draws = np.random.default_rng(seed)
    means = np.concatenate(
        [
            known[draws.integers(0, len(known), (_RESAMPLES_AT_ONCE, len(known)))].mean(axis=1)
            for _ in range(RESAMPLES // _RESAMPLES_AT_ONCE)
        ]
    )
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(known.mean()), float(low), float(high))


def paired_interval(after: np.ndarray, before: np.ndarray, *, seed: int = 0) -> Interval:
    """By how much the mean grew from `before` to `after`, `(n,)` each, of the same photos."""
    return mean_interval(after.astype(np.float64) - before.astype(np.float64), seed=seed)


def half_sample_interval(
    difference: Callable[[np.ndarray], float], count: int, *, seed: int = 0
) -> Interval:
    """An interval for a figure that is no mean over photos, as a rank or a spread of all.

    The bootstrap draws photos twice, which lowers every rank and puts distances of zero between
    photos. Half-samples draw none twice; for a random half the standard deviation of the figure
    is that of its error (the delete-d jackknife with d = n / 2, Shao and Wu 1989, eq. 3.2, whose
    factor (n - d) / d is 1). The interval is normal: value +- 1.96 of them.

    Args:
        difference: the figure of the photos with these indices, `(m,)` int64.
        count: how many photos there are.
        seed: fixes the halves.
    """
    value = difference(np.arange(count))
    draws = np.random.default_rng(seed)
    halves = [
        difference(np.sort(draws.permutation(count)[: (count + 1) // 2]))
        for _ in range(HALF_SAMPLES)
    ]
    reach = Z95 * float(np.std(halves, ddof=1))
    return Interval(value, value - reach, value + reach)
