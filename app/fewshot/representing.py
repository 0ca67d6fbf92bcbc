"""How many photos of a gallery each labelled one speaks for.

Labels are no random sample. Those accepted as the surest lie near their class, those asked for
because the head hesitates lie far from it, and so neither a share nor a quantile of theirs is the
gallery's. Each counts as often as photos like it come up among all photos (Shimodaira, Improving
predictive inference under covariate shift, 2000): with how near a photo is to the class that was
said as the sign of what is like it, and the odds of a logistic regression that tells labelled from
other photos by it as the ratio (Bickel et al., Discriminative learning under covariate shift,
2009). By the share beside it, or with the classes apart, was measured: no nearer to the truth; nor
was a bound on the weights.
"""

import numpy as np
from sklearn.linear_model import LogisticRegression


def speaks_for(labelled: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Of how many photos each labelled one is the example: itself, and unlabelled ones like it.

    Args:
        labelled: `(h,)` float32, how near each labelled photo is to the class that heads said
            which had not seen it.
        others: `(m,)` float32, the same of the unlabelled photos.

    Returns:
        `(h,)` float64, each 1 or more; they add up to h + m.
    """
    if not len(labelled):
        return np.empty(0)
    each = len(others) / len(labelled)
    both = np.concatenate([labelled, others]).astype(np.float64)
    spread = both.std()
    if not len(others) or spread == 0:
        return np.full(len(labelled), 1 + each)
    signs = ((both - both.mean()) / spread)[:, None]  # (h + m, 1)
    unlabelled = np.arange(len(both)) >= len(labelled)
    told = LogisticRegression().fit(signs, unlabelled)
    # The odds up to a factor, which the sum settles; the largest is 1, so that none overflows.
    logits = told.decision_function(signs[: len(labelled)])
    odds = np.exp(logits - logits.max())
    weights: np.ndarray = 1 + len(others) * odds / odds.sum()
    return weights


def effective(weights: np.ndarray) -> float:
    """How many equally weighing photos tell as much: 0 to n (Kish, Survey Sampling, 1965, 8.2)."""
    return float(weights.sum() ** 2 / (weights**2).sum()) if len(weights) else 0.0


def ranks(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The share of the weight that lies below each value: `(n,)` float64, from 0 to below 1."""
    order = np.argsort(values, kind="stable")
    before = np.concatenate([[0.0], np.cumsum(weights[order])])  # (n + 1,)
    first = np.searchsorted(values[order], values, side="left")
    found: np.ndarray = before[first] / before[-1]
    return found


def reached_by(values: np.ndarray, weights: np.ndarray, share: float) -> float:
    """The highest of the values that at least this share of the weight reaches; n is 1 or more."""
    order = np.argsort(values, kind="stable")
    below = ranks(values, weights)[order]
    # Sums round: what misses the share by a billionth reaches it.
    return float(values[order][np.flatnonzero(below <= 1 - share + 1e-9)[-1]])
