"""How sure a figure is: shares, macro-F1, and when they may be shown as percentages."""

import numpy as np

from training.bootstrap import Z95, Interval

# Below so many labels a percentage would claim more than is known.
ENOUGH = 20

# What is called high, and what medium.
HIGH, MEDIUM = 0.8, 0.5

RESAMPLES = 1000


def in_words(share: float, count: int) -> str:
    """A share for people: a percentage from 20 labels on, below that how high it is, roughly."""
    return f"{share:.0%}".replace("%", " %") if count >= ENOUGH else band(share)


def band(share: float) -> str:
    """`high`, `medium` or `low`."""
    return "high" if share >= HIGH else "medium" if share >= MEDIUM else "low"


def wilson(right: float, count: float) -> Interval:
    """A share with Wilson's score interval (Wilson 1927), which stays inside 0 and 1.

    Counts that weigh differently come as so many equal ones as tell as much: fractions, then.
    """
    assert 0 <= right <= count, (right, count)
    assert count > 0, count
    share = right / count
    weight = Z95**2 / count
    middle = (share + weight / 2) / (1 + weight)
    half = Z95 * np.sqrt(share * (1 - share) / count + weight / (4 * count)) / (1 + weight)
    # Rounding may carry the bound of a share of 0 or 1 past it.
    return Interval(share, min(share, max(0.0, middle - half)), max(share, min(1.0, middle + half)))


def f1_scores(right: np.ndarray, labelled: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """F1 of every class from counts of one shape; NaN where a class is neither there nor said."""
    total = labelled + predicted
    with np.errstate(invalid="ignore"):
        scores: np.ndarray = np.where(total > 0, 2 * right / np.maximum(total, 1), np.nan)
    return scores


def macro_f1(
    truth: np.ndarray, said: np.ndarray, groups: np.ndarray, *, classes: np.ndarray, seed: int
) -> Interval:
    """The mean of the classes' F1, with a bootstrap interval over groups of near-copies.

    Groups are drawn, not photos: a burst of twenty says little more than one photo. The interval
    covers which photos happened to be judged, not which happened to be learned from.

    Args:
        truth: `(n,)` int64 class numbers.
        said: `(n,)` int64, what the head answered.
        groups: `(n,)` int64 group numbers.
        classes: `(k,)` int64, the numbers of the classes that count.
        seed: of the draws.
    """
    return around(*macro_f1_draws(truth, said[None], groups, classes=classes, seed=seed))


def macro_f1_draws(
    truth: np.ndarray, said: np.ndarray, groups: np.ndarray, *, classes: np.ndarray, seed: int
) -> tuple[float, np.ndarray]:
    """Macro-F1, and of photos drawn anew: the same draws for the same seed and groups.

    Args:
        truth: `(n,)` int64 class numbers.
        said: `(r, n)` int64, what r heads answered; the mean of their macro-F1 is taken.
        groups: `(n,)` int64 group numbers.
        classes: `(k,)` int64, the numbers of the classes that count.
        seed: of the draws.

    Returns:
        The figure, and `(RESAMPLES,)` float64 of the draws.
    """
    group = np.unique(groups, return_inverse=True)[1]
    count = int(group.max()) + 1
    draws = np.random.default_rng(seed).multinomial(
        count, np.full(count, 1 / count), size=RESAMPLES
    )  # (resamples, groups): how often each group was drawn
    drawn = np.vstack([np.ones(count), draws])  # the first as it is; float, which multiplies faster
    there = drawn @ _counts(group, truth, classes, count)
    scores = np.zeros(len(drawn))
    for answers in said:
        hit = truth == answers
        right = drawn @ _counts(group[hit], truth[hit], classes, count)
        scores += _mean_f1(right, there, drawn @ _counts(group, answers, classes, count))
    scores /= len(said)
    return float(scores[0]), scores[1:]


def around(value: float, draws: np.ndarray) -> Interval:
    """A figure with the middle 95 % of what it was in other draws; it lies inside."""
    low, high = np.nanpercentile(draws, (2.5, 97.5))
    return Interval(value, float(min(low, value)), float(max(high, value)))


def _counts(group: np.ndarray, numbers: np.ndarray, classes: np.ndarray, count: int) -> np.ndarray:
    """How many of each class every group has: `(groups, k)` int64."""
    flat = np.zeros((count, len(classes)), np.int64)
    for column, number in enumerate(classes):
        flat[:, column] = np.bincount(group[numbers == number], minlength=count)
    return flat


def _mean_f1(right: np.ndarray, labelled: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Macro-F1 of every row of counts `(m, k)`: `(m,)`, over the classes that occur in it."""
    scores = f1_scores(right, labelled, predicted)  # (m, k)
    there = np.isfinite(scores)
    mean: np.ndarray = np.where(there, scores, 0).sum(axis=1) / np.maximum(there.sum(axis=1), 1)
    return mean
