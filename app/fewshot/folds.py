"""What a head says of labelled photos it has not learned from: grouped cross-validation.

Near-copies of a photo (bursts, resized copies) always lie in the same fold. Otherwise a head is
asked about photos that it has all but seen, and the answer flatters.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from app.fewshot.heads import LinearHead
from training.errors import Interrupted, LabelError

MOST_FOLDS = 5

# Different divisions of few photos differ by points; more of them change little any more.
REPEATS = 3

Fold = tuple[np.ndarray, np.ndarray]  # (t,) rows to learn from, (h,) rows held out; int64


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """Labelled photos, with the classes as numbers."""

    rows: np.ndarray  # (n, d) float32 unit rows
    numbers: np.ndarray  # (n,) int64, the class of each
    groups: np.ndarray  # (n,) int64, the same number for near-copies
    classes: tuple[str, ...]  # by name

    @classmethod
    def of(cls, rows: np.ndarray, names: Sequence[str], groups: np.ndarray) -> "Labelled":
        """From `(n, d)` float32 unit rows, `(n,)` class names and `(n,)` int64 group numbers."""
        classes, numbers = np.unique(np.asarray(names, dtype=str), return_inverse=True)
        return cls(rows, numbers, np.asarray(groups), tuple(map(str, classes)))

    @property
    def judged(self) -> np.ndarray:
        """`(c,)` bool: the classes with two groups, so that one can be held out and one learned."""
        return np.array(
            [
                len(np.unique(self.groups[self.numbers == number])) >= 2
                for number in range(len(self.classes))
            ]
        )


def divided(labelled: Labelled, *, seed: int) -> list[list[Fold]]:
    """Divide labelled photos into folds, in several ways.

    Photos of a class with one group are never held out. They are learned from, except with a fold
    that holds near-copies of theirs.

    Returns:
        `REPEATS` divisions. In each, every photo of a judged class is held out once.

    Raises:
        LabelError: fewer than two classes have two groups.
    """
    judged = labelled.judged
    if judged.sum() < 2:
        raise LabelError(
            "there are too few labels to judge a classifier",
            hint="label two photos or more, no near-copies, in each of two classes",
        )
    chosen = np.flatnonzero(judged[labelled.numbers])  # rows that are held out once
    numbers, groups = labelled.numbers[chosen], labelled.groups[chosen]
    counts = [len(np.unique(groups[numbers == number])) for number in np.unique(numbers)]
    divisions = []
    for repeat in range(REPEATS):
        folds = StratifiedGroupKFold(
            min(MOST_FOLDS, *counts), shuffle=True, random_state=seed + repeat
        )
        held = (chosen[part] for _, part in folds.split(numbers, numbers, groups))
        divisions.append([_fold(labelled.groups, part) for part in held if len(part)])
    return divisions


def held_out_logits(
    labelled: Labelled,
    divisions: list[list[Fold]],
    make: Callable[[], LinearHead],
    *,
    stop: Callable[[], bool],
) -> np.ndarray:
    """The scores of heads that learned without the photo.

    Returns:
        `(r, n, c)` float64, one plane a division: -inf for a class that was not among those
        learned from, NaN for photos that are never held out.

    Raises:
        Interrupted: `stop` said so.
    """
    shape = (len(divisions), len(labelled.rows), len(labelled.classes))
    logits = np.full(shape, np.nan)
    for plane, folds in zip(logits, divisions, strict=True):
        for learned, held in folds:
            if stop():
                raise Interrupted("judging was stopped")
            head = make().fit(labelled.rows[learned], labelled.numbers[learned])
            plane[held] = -np.inf
            plane[np.ix_(held, head.classes_)] = (
                labelled.rows[held] @ head.coef_.T + head.intercept_
            )
    return logits


def _fold(groups: np.ndarray, held: np.ndarray) -> Fold:
    return np.flatnonzero(~np.isin(groups, groups[held])), held
