"""A classifier from a few labelled photos: which head suits how many labels, and the head itself.

Rows are embeddings as the gallery has them, `(n, d)` float32 of unit length and already centred
by the encoder, so nothing is normalised here.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.fewshot.heads import LOGISTIC_C, Logistic, NearestMean, softmax
from indexer.labels import NONE
from training.errors import LabelError

MEAN, LOGISTIC = "mean", "logistic"
KINDS = ("auto", MEAN, LOGISTIC)

# From so many labels in the smallest class on. By the smallest, since logistic regression ignores a
# class of one beside classes of twenty: measured, 30 points of macro-F1 against 41 to 46.
LOGISTIC_FROM = 5
CHOSEN_FROM = 20  # head and C by cross-validation; percentages and calibrated probabilities

# What a query moves away from counts half of what it moves towards (Rocchio's beta).
NEGATIVE_WEIGHT = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """A linear classifier: `logits = rows @ weights.T + bias`."""

    kind: str  # MEAN or LOGISTIC
    classes: tuple[str, ...]  # by name; the order of all that has one number a class
    weights: np.ndarray  # (c, d) float32
    bias: np.ndarray  # (c,) float32
    temperature: float  # what logits are divided by before the softmax
    c: float | None  # the strength of logistic regression's fit; None for nearest mean
    reason: str  # a sentence for people: why this kind

    def logits(self, rows: np.ndarray) -> np.ndarray:
        """The score of every class: `(n, c)` float32; for nearest mean, cosines."""
        scores: np.ndarray = rows @ self.weights.T
        scores += self.bias
        return scores

    def probabilities(self, rows: np.ndarray) -> np.ndarray:
        """The share of every class: `(n, c)` float32. With one class all are one."""
        return softmax(self.logits(rows), temperature=self.temperature)

    def folded(self) -> tuple[np.ndarray, np.ndarray]:
        """Weights `(c, d)` and bias `(c,)` whose plain softmax gives the probabilities."""
        return self.weights / np.float32(self.temperature), self.bias / np.float32(self.temperature)


def fit_head(
    rows: np.ndarray,
    names: Sequence[str],
    *,
    kind: str = "auto",
    c: float | None = None,
    temperature: float | None = None,
) -> Head:
    """Learn a classifier from labelled photos.

    Args:
        rows: `(n, d)` float32 unit rows, the labelled photos.
        names: `(n,)` the class of each; "none of these" is a class like any other.
        kind: `mean`, `logistic`, or `auto`: by the number of labels in the smallest class.
        c: how closely logistic regression fits; None: 1.
        temperature: what the judge found to make probabilities honest; None: the kind's own.

    Returns:
        The same head for the same labels, in whatever order they come.

    Raises:
        LabelError: there is nothing to learn from, or only one class for logistic regression.
    """
    assert len(rows) == len(names), (len(rows), len(names))
    assert kind in KINDS, kind
    if not len(names):
        raise LabelError("there are no labels to learn from", hint="label a photo of each class")
    chosen, reason = _choice(names, kind)
    model = _estimator(chosen, c, temperature)
    # One order of the rows, so that sums round the same way whichever label came first.
    order = np.lexsort((*rows.T[:8], np.asarray(names)))
    model.fit(rows[order], np.asarray(names)[order])
    return Head(
        kind=chosen,
        classes=tuple(str(name) for name in model.classes_),
        weights=np.ascontiguousarray(model.coef_, dtype=np.float32),
        bias=np.asarray(model.intercept_, dtype=np.float32),
        temperature=model.temperature,
        c=model.C if isinstance(model, Logistic) else None,
        reason=reason,
    )


def rank_by_examples(
    rows: np.ndarray, positives: np.ndarray, negatives: np.ndarray | None = None
) -> np.ndarray:
    """How much photos look like some examples and unlike others, where there are no classes yet.

    Args:
        rows: `(n, d)` float32 unit rows, the photos to rank.
        positives: `(p, d)` float32 unit rows, one or more.
        negatives: `(q, d)` float32 unit rows, perhaps none.

    Returns:
        `(n,)` float32: the mean cosine to the positives minus half that to the negatives.

    Raises:
        LabelError: there are no positives.
    """
    if not len(positives):
        raise LabelError("there is no example to rank by", hint="choose a photo to begin with")
    query = positives.mean(axis=0)  # (d,)
    if negatives is not None and len(negatives):
        query = query - NEGATIVE_WEIGHT * negatives.mean(axis=0)
    scores: np.ndarray = rows @ query.astype(rows.dtype)
    return scores


def smallest_class(names: Sequence[str]) -> tuple[int, str]:
    """The class with the fewest labels: how many, and its name.

    "None of these" does not count beside two classes: one press of its key must not change the
    kind of head that all others are told apart with.
    """
    counts = Counter(names)
    if len(counts) > 2:
        counts.pop(NONE, None)
    return min((count, name) for name, count in counts.items())


def _choice(names: Sequence[str], kind: str) -> tuple[str, str]:
    """The kind of head, and why."""
    counts = Counter(names)
    if kind == LOGISTIC and len(counts) == 1:
        raise LabelError(
            f'there is only one class, "{next(iter(counts))}"',
            hint="label a photo of another class, or some as none of these",
        )
    if kind != "auto":
        return kind, f"{kind} was asked for"
    if len(counts) == 1:
        return MEAN, "there is one class so far: photos are ranked by how much they look like it"
    fewest, name = smallest_class(names)
    if fewest < LOGISTIC_FROM:
        return MEAN, (
            f'nearest class mean: the smallest class, "{name}", has {fewest} '
            f"label{'s' * (fewest > 1)}; logistic regression takes over from {LOGISTIC_FROM}"
        )
    return LOGISTIC, f"logistic regression: every class has {LOGISTIC_FROM} labels or more"


def _estimator(kind: str, c: float | None, temperature: float | None) -> NearestMean | Logistic:
    model: NearestMean | Logistic
    model = NearestMean() if kind == MEAN else Logistic(C=c or LOGISTIC_C)
    if temperature is not None:
        model.temperature = temperature
    return model
