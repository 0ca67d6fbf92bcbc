"""Making probabilities honest: one temperature, learned from answers about unseen photos.

On Calibration of Modern Neural Networks (Guo et al., arXiv 1706.04599), section 4.2: dividing all
scores by one number changes no answer, only how sure it sounds.
"""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

# A photo whose class was not among those learned from would lose infinitely.
MOST_LOSS = 20.0

# Beyond these a head is certain of everything, or of nothing.
COLDEST, WARMEST = 1e-3, 1e2


def losses(logits: np.ndarray, numbers: np.ndarray, *, temperature: float) -> np.ndarray:
    """The negative log of the share that each photo's class is given.

    Args:
        logits: `(n, c)` float64, -inf for a class that is out of the question.
        numbers: `(n,)` int64, the class of each photo.
        temperature: what logits are divided by.

    Returns:
        `(n,)` float64, from 0 to `MOST_LOSS`.
    """
    scaled = logits / temperature  # (n, c)
    own = scaled[np.arange(len(numbers)), numbers]  # (n,)
    lost: np.ndarray = np.clip(logsumexp(scaled, axis=1) - own, 0.0, MOST_LOSS)
    return lost


def balanced(numbers: np.ndarray) -> np.ndarray:
    """Weights `(n,)` that add up to one, and to the same for every class."""
    counts = np.bincount(numbers)
    weights: np.ndarray = 1.0 / (counts[numbers] * np.count_nonzero(counts))
    return weights


def best_temperature(logits: np.ndarray, numbers: np.ndarray) -> float:
    """The temperature of the least mean loss, every class counting the same.

    As in Platt's Probabilistic Outputs for Support Vector Machines (1999), section 2.2, a photo's
    class is expected with a share a little below one: photos that are all answered rightly do not
    make the next answer certain.

    Args:
        logits: `(n, c)` float64, -inf for a class that is out of the question.
        numbers: `(n,)` int64, the class of each photo.
    """
    possible = np.isfinite(logits)  # (n, c)
    chosen = possible[np.arange(len(numbers)), numbers]  # others could not have been told right
    logits, numbers, possible = logits[chosen], numbers[chosen], possible[chosen]
    doubt = 1 / (len(numbers) + 2)
    mean = np.mean(logits, axis=1, where=possible)  # (n,)
    expected = (1 - doubt) * logits[np.arange(len(numbers)), numbers] + doubt * mean  # (n,)
    weights = balanced(numbers)

    def lost(log_temperature: float) -> float:
        warmth = np.exp(log_temperature)
        return float(weights @ (logsumexp(logits / warmth, axis=1) - expected / warmth))

    found = minimize_scalar(
        lost, bounds=(np.log(COLDEST), np.log(WARMEST)), method="bounded", options={"xatol": 1e-3}
    )
    return float(np.exp(found.x))
