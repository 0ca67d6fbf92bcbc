"""What cross-validation tells of a classifier: figures by class and by source, doubtful labels."""

from dataclasses import dataclass

import numpy as np

from app.fewshot.folds import Labelled
from app.fewshot.intervals import HIGH, wilson
from app.fewshot.learning import LearningCurve
from app.fewshot.reliability import Stretch
from training.bootstrap import Interval

# The source of labels on photos drawn at random.
AUDIT = "random"


# A label is doubted as firmly as all but this share of a class's photos are agreed with.
AGREED = 0.25


@dataclass(frozen=True, slots=True)
class ClassQuality:
    """How well one class is told from the others."""

    name: str
    labels: int
    precision: float | None  # None: the head never said this class
    recall: float | None  # None: the class is not judged, it has one group of near-copies
    f1: float | None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A head that was tried."""

    kind: str  # MEAN, LOGISTIC, or "k-NN", which is a check and never chosen: it is not linear
    c: float | None
    macro_f1: float
    loss: float | None  # mean log loss at its best temperature; None for k-NN


@dataclass(frozen=True, slots=True)
class SourceAccuracy:
    """Accuracy on the labels that came about in one way."""

    source: str
    labels: int
    accuracy: Interval


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A label that heads which had not seen it disagree with."""

    row: int  # its place among the rows judged
    name: str  # as labelled
    likely: str  # as answered
    confidence: float  # the share given to `likely`


@dataclass(frozen=True, slots=True, eq=False)
class Quality:
    """What cross-validation found. Classes are in the order of their names, as in a head."""

    kind: str
    c: float | None
    reason: str  # a sentence for people: why this head
    temperature: float | None  # from 20 labels a class on; None: probabilities are not calibrated
    told_at: float  # the temperature that `probabilities` were taken at
    classes: tuple[str, ...]
    macro_f1: Interval  # over the classes that could be judged
    per_class: tuple[ClassQuality, ...]
    confusion: np.ndarray  # (c, c) int64: labelled as (row), answered as (column)
    probabilities: np.ndarray  # (n, c) float32 of unseen photos; NaN where never held out
    candidates: tuple[Candidate, ...]
    by_source: tuple[SourceAccuracy, ...]  # every source but the random draws
    audit: SourceAccuracy | None  # the randomly drawn labels: what holds of the whole gallery
    suspicious: tuple[Suspicion, ...]  # the most likely wrong first
    learning: LearningCurve | None  # None: a class has fewer than five labels
    reliability: tuple[Stretch, ...]  # empty: probabilities are not calibrated
    fewest: int  # labels of the smallest class
    enough: bool  # percentages may be shown: 20 labels in every class


def per_class(
    labelled: Labelled, confusion: np.ndarray, counts: np.ndarray
) -> tuple[ClassQuality, ...]:
    """Precision, recall and F1 from the confusion matrix `(c, c)` and all labels' counts `(c,)`."""
    found = []
    for number, judged in enumerate(labelled.judged):
        right, said = int(confusion[number, number]), int(confusion[:, number].sum())
        there = int(confusion[number].sum())
        found.append(
            ClassQuality(
                labelled.classes[number],
                int(counts[number]),
                precision=right / said if said else None,
                recall=right / there if judged else None,
                f1=2 * right / (said + there) if judged else None,
            )
        )
    return tuple(found)


def by_source(sources: np.ndarray, right: np.ndarray) -> list[SourceAccuracy]:
    """Accuracy apart by how photos came to be labelled: `(h,)` sources and whether right."""
    return [
        SourceAccuracy(
            str(source),
            int((sources == source).sum()),
            wilson(int(right[sources == source].sum()), int((sources == source).sum())),
        )
        for source in np.unique(sources)
    ]


def suspicious(
    labelled: Labelled, probabilities: np.ndarray, held: np.ndarray
) -> tuple[Suspicion, ...]:
    """Labels that are disagreed with as firmly as others of that class are agreed with.

    As in Confident Learning (Northcutt et al., arXiv 1911.00068), section 3.1, every class has a
    bar. Theirs, the mean share of all photos labelled so, was measured: the lower quartile of
    those agreed with lists a fifth fewer and finds as many planted errors. A sure answer passes.
    """
    shares, truth = probabilities[held], labelled.numbers[held]  # (h, c), (h,)
    said = shares.argmax(axis=1)
    own, given = shares[np.arange(len(held)), truth], shares.max(axis=1)
    bars = np.full(len(labelled.classes), np.inf)
    for number in np.unique(truth[said == truth]):
        agreed = own[(truth == number) & (said == number)]
        bars[number] = min(HIGH, np.quantile(agreed, AGREED))
    doubted = np.flatnonzero((said != truth) & (given >= bars[said]))
    worst_first = doubted[np.argsort(own[doubted] - given[doubted], kind="stable")]
    return tuple(
        Suspicion(
            int(held[i]),
            labelled.classes[truth[i]],
            labelled.classes[said[i]],
            float(given[i]),
        )
        for i in worst_first
    )
