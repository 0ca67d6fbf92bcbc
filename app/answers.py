"""What the classifier says of every photo, as of one revision of the labels. Knows no Streamlit."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from app.fewshot.estimator import Head
from app.fewshot.judging import fit_as_judged, judge
from app.fewshot.quality import Quality
from app.fewshot.suggest import Scored
from indexer.duplicates import near_groups
from indexer.gallery import Gallery
from indexer.labels import Label, Labels
from training.errors import LabelError


@dataclass(frozen=True, slots=True, eq=False)
class Shots:
    """The labelled photos of a gallery, as one revision of the labels has them."""

    ids: np.ndarray  # (m,) int64 ascending
    rows: np.ndarray  # (m, d) float32 unit rows
    names: tuple[str, ...]
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """What cross-validation found, and on which photos."""

    shots: Shots  # `quality`'s rows are these, in this order
    revision: int  # of the labels
    quality: Quality


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What the classifier says of every photo, as of one revision of the labels."""

    revision: int
    generation: int  # of the gallery
    ids: np.ndarray  # (n,) int64 ascending
    rows: np.ndarray  # (n, d) float32 unit rows
    labels: dict[int, Label]
    shots: Shots
    scored: Scored | None  # None: there are no labels
    judgement: Judgement | None  # the latest; perhaps of an earlier revision

    @property
    def head(self) -> Head | None:
        """The classifier; None while there are no labels."""
        return None if self.scored is None else self.scored.head

    @property
    def names(self) -> dict[int, str]:
        """The class of every labelled photo, by id."""
        return {photo_id: label.name for photo_id, label in self.labels.items()}

    @property
    def probabilities(self) -> np.ndarray | None:
        """`(n, c)` float32 in the order of `head.classes`; with one class, its scores."""
        return None if self.scored is None else self.scored.shares

    @property
    def predicted(self) -> np.ndarray | None:
        """The likeliest class of every photo, as `(n,)` indices into `head.classes`."""
        return None if self.probabilities is None else self.probabilities.argmax(axis=1)

    @property
    def confidence(self) -> np.ndarray | None:
        """The share given to it: `(n,)` float32; with one class, the score."""
        return None if self.probabilities is None else self.probabilities.max(axis=1)

    def hold(self, revision: int, gallery: Gallery, judgement: Judgement | None) -> bool:
        """Whether they are of these labels and this gallery, by this judgement."""
        return (
            self.revision == revision
            and self.generation == gallery.generation
            and self.judgement is judgement
        )


def answered(gallery: Gallery, labels: Labels, judgement: Judgement | None) -> Answers:
    """Fit the kind of head that a judgement chose to the labels, and score every photo."""
    # Read before the labels: one that comes between is in them, and the next call refits again.
    revision = labels.revision()
    current = labels.current()
    ids, rows = gallery.embeddings()
    shots = shots_of(ids, rows, current)
    scored = None
    if shots.names:
        head = fit_as_judged(shots.rows, shots.names, judgement.quality if judgement else None)
        scored = Scored.of(head, rows)
    return Answers(
        revision=revision,
        generation=gallery.generation,
        ids=ids,
        rows=rows,
        labels=current,
        shots=shots,
        scored=scored,
        judgement=judgement,
    )


def judged(
    shots: Shots, *, revision: int = 0, stop: Callable[[], bool] = lambda: False
) -> Judgement | None:
    """Judge these shots now; None where there are too few to judge by.

    Raises:
        Interrupted: `stop` said so.
    """
    try:
        quality = judge(
            shots.rows,
            shots.names,
            groups=near_groups(shots.rows),
            sources=shots.sources,
            stop=stop,
        )
    except LabelError:
        return None
    return Judgement(shots, revision, quality)


def shots_of(ids: np.ndarray, rows: np.ndarray, labels: dict[int, Label]) -> Shots:
    """The labelled photos among `ids` `(n,)` with `rows` `(n, d)`, both ascending by id."""
    labelled = np.fromiter(labels, np.int64)
    places = np.flatnonzero(np.isin(ids, labelled))
    found = [labels[int(photo_id)] for photo_id in ids[places]]
    return Shots(
        ids[places],
        rows[places],
        tuple(label.name for label in found),
        tuple(label.source for label in found),
    )
