"""How many were right of the answers said with so much certainty?"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from app.fewshot.intervals import ENOUGH, wilson
from training.bootstrap import Interval

# Where a stretch of certainty ends and the next begins.
EDGES = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Answers that were said with about the same certainty."""

    low: float  # the certainty, from
    high: float  # up to; the last stretch holds it, the others do not
    answers: int
    certainty: float | None  # the mean of what was said; None where there are no answers
    right: Interval | None  # how many were; None where there are fewer than 20 answers


def reliability(shares: np.ndarray, right: np.ndarray) -> tuple[Stretch, ...]:
    """How often answers were right, by how certain they were.

    Args:
        shares: `(n,)` float32, what each answer was said with, 0 to 1.
        right: `(n,)` bool, whether it was.
    """
    places = np.digitize(shares, EDGES[1:-1])
    found = []
    for number, (low, high) in enumerate(pairwise(EDGES)):
        its = places == number
        count = int(its.sum())
        found.append(
            Stretch(
                low,
                high,
                count,
                certainty=float(shares[its].mean()) if count else None,
                right=wilson(int(right[its].sum()), count) if count >= ENOUGH else None,
            )
        )
    return tuple(found)
