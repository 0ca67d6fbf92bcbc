"""Would more labels help? The classifier learned from half of them, a quarter, an eighth.

The held out photos stay the same, so what changes is what was learned from, and the gain of the
last doubling is known better than either figure.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

import numpy as np

from app.fewshot.estimator import LOGISTIC_FROM, smallest_class
from app.fewshot.folds import Fold, Labelled, held_out_logits
from app.fewshot.heads import LinearHead, NearestMean
from app.fewshot.intervals import around, macro_f1_draws
from training.bootstrap import Interval

# Parts of the labels beside all of them, each twice the one before.
PARTS = (0.125, 0.25, 0.5)

# A gain below this is none: another hundred labels for a point are not worth the time.
WORTH = 0.01


@dataclass(frozen=True, slots=True)
class Step:
    """The classifier learned from so many labels."""

    labels: int  # the mean over the folds
    macro_f1: Interval


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """How the classifier got better with its labels."""

    steps: tuple[Step, ...]  # each with about twice the labels of the one before
    gain: Interval  # of the last doubling, in macro-F1; -1 to 1

    @property
    def outlook(self) -> str:
        """`rising`, `level`, or `unclear` where the interval holds both."""
        if self.gain.low > 0 and self.gain.value >= WORTH:
            return "rising"
        return "level" if self.gain.high < 2 * WORTH else "unclear"


def learning_curve(
    labelled: Labelled,
    divisions: list[list[Fold]],
    make: Callable[[], LinearHead],
    *,
    whole: np.ndarray,
    seed: int,
    stop: Callable[[], bool],
) -> LearningCurve:
    """Judge the same kind of head on growing parts of the labels.

    Args:
        labelled: the labels, five or more in every class.
        divisions: as `divided` gives them; their held out photos are asked every time.
        make: the head that was chosen. Parts with fewer labels in a class than it takes for
            logistic regression are learned by nearest mean, as the app would.
        whole: `(r, n, c)` float64, what `held_out_logits` gives for it.
        seed: of the draws of parts, and of the bootstrap.
        stop: asked between fits.

    Raises:
        Interrupted: `stop` said so.
    """
    held = np.sort(np.concatenate([held for _, held in divisions[0]]))
    draws = np.random.default_rng(seed)
    # The first ones of an order stay, so that every part lies within the next.
    orders = [draws.permutation(int(labelled.groups.max()) + 1) for _ in divisions]
    steps, scores = [], []
    for part in (*PARTS, 1.0):
        parts = [
            [(_part(labelled, learned, order, part), asked) for learned, asked in folds]
            for folds, order in zip(divisions, orders, strict=True)
        ]
        logits = whole if part == 1 else _answers(labelled, parts, make, stop=stop)
        score = macro_f1_draws(
            labelled.numbers[held],
            logits[:, held].argmax(axis=2),
            labelled.groups[held],
            classes=np.flatnonzero(labelled.judged),
            seed=seed,
        )
        counts = [len(learned) for folds in parts for learned, _ in folds]
        steps.append(Step(round(float(np.mean(counts))), around(*score)))
        scores.append(score)
    (half, half_draws), (every, every_draws) = scores[-2:]
    return LearningCurve(tuple(steps), around(every - half, every_draws - half_draws))


def _answers(
    labelled: Labelled,
    parts: list[list[Fold]],
    make: Callable[[], LinearHead],
    *,
    stop: Callable[[], bool],
) -> np.ndarray:
    """`held_out_logits` of the chosen head, or of nearest mean where a part is too thin for it."""
    thin = any(
        _fewest(labelled, learned) < LOGISTIC_FROM for folds in parts for learned, _ in folds
    )
    return held_out_logits(labelled, parts, NearestMean if thin else make, stop=stop)


def _part(labelled: Labelled, learned: np.ndarray, order: np.ndarray, part: float) -> np.ndarray:
    """The rows of the first groups in an order, of every class so many of its groups."""
    chosen = []
    for number in np.unique(labelled.numbers[learned]):
        its = learned[labelled.numbers[learned] == number]
        groups = np.unique(labelled.groups[its])
        first = groups[np.argsort(order[groups])][: ceil(part * len(groups))]
        chosen.append(its[np.isin(labelled.groups[its], first)])
    return np.sort(np.concatenate(chosen))


def _fewest(labelled: Labelled, learned: np.ndarray) -> int:
    """The labels of the smallest class among some rows."""
    return smallest_class([labelled.classes[number] for number in labelled.numbers[learned]])[0]
