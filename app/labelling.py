"""The labelling flow: label, get the next suggestions, accept, reject, undo. Knows no Streamlit.

One value serves all sessions of a server. What the classifier says is worked out anew as soon as
the labels' revision has changed: refitting the kind of head in use takes milliseconds. Which kind
suits the labels is judged by cross-validation in the background, once nobody has labelled for two
seconds.
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from app.background import Latest
from app.fewshot import Head
from app.judging import fit_as_judged, judge
from app.quality import Quality
from app.regions import Regions, find_regions
from app.suggest import Photos, Scored, Suggestion, suggest, suggest_of
from indexer.duplicates import near_groups
from indexer.gallery import Gallery
from indexer.labels import Label, Labels, NewLabel, Undone
from training.errors import LabelError

QUIET_SECONDS = 2.0

# How the source of a label follows from why its photo was suggested. Only photos drawn at random
# speak for the whole gallery.
_SOURCES = {"audit": "random"}

_PAGE = 24


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


class Labelling:
    """Labels a gallery with people's help; safe for many threads."""

    def __init__(
        self,
        gallery: Callable[[], Gallery],
        labels: Labels,
        *,
        quiet_seconds: float = QUIET_SECONDS,
    ) -> None:
        """Begin.

        Args:
            gallery: gives the gallery as it is now; a build may replace it.
            labels: its labels.
            quiet_seconds: how long nobody must have labelled before the judge begins.
        """
        self.labels = labels
        self._gallery = gallery
        self._lock = threading.Lock()
        self._answers: Answers | None = None
        self._judgement: Judgement | None = None
        self._regions: tuple[int, Regions] | None = None
        self._regions_lock = threading.Lock()
        self._set_aside: dict[str, set[int]] = {}
        self._judge = Latest(self._judge_now, quiet_seconds=quiet_seconds)

    # Labelling

    def put(self, ids: Sequence[int], name: str | None, *, source: str, who: str) -> int:
        """Label photos; see `Labels.put`."""
        return self.labels.put(ids, name, source=source, who=who)

    def accept(
        self,
        suggestions: Iterable[Suggestion],
        *,
        who: str,
        corrected: dict[int, str | None] | None = None,
    ) -> int:
        """Label suggested photos as suggested, in one action that one undo takes back.

        Args:
            suggestions: a page of them; those without a name need one in `corrected`.
            who: whose action it is.
            corrected: another class for some of them, by photo id; None leaves the photo out.

        Returns:
            The action's number, once it is stored for good; 0 where nothing was left to label.
        """
        changed = corrected or {}
        said = [(s, changed.get(s.photo_id, s.name)) for s in suggestions]
        return self.labels.put_each(
            [NewLabel(s.photo_id, name, source_of(s)) for s, name in said if name is not None],
            who=who,
        )

    def reject(self, ids: Iterable[int], *, who: str) -> None:
        """Set photos aside: this person is not asked about them again until the server restarts.

        Nothing is stored: "not this class" is no label. A photo that belongs to no class is
        labelled "none of these" with `put`.
        """
        with self._lock:
            self._set_aside.setdefault(who, set()).update(int(photo_id) for photo_id in ids)

    def undo(self, *, who: str) -> Undone | None:
        """Take back this person's latest action; see `Labels.undo`."""
        return self.labels.undo(who=who)

    # Answers

    def answers(self) -> Answers:
        """What the classifier says now: refitted where labels or gallery have changed."""
        gallery = self._gallery()
        revision = self.labels.revision()
        with self._lock:
            known = self._answers
            if known is None or not _fits(known, revision, gallery, self._judgement):
                known = _answered(gallery, self.labels, self._judgement)
                self._answers = known
        judged = known.judgement is not None and known.judgement.revision == known.revision
        if not judged and known.scored is not None:
            self._judge.ask(known)
        return known

    def suggest(
        self, *, count: int = _PAGE, who: str = "", name: str | None = None
    ) -> list[Suggestion]:
        """Photos to label next.

        Args:
            count: how many at most.
            who: leaves out what this person has set aside.
            name: only photos that are most likely of this class, surest first; None mixes what
                teaches most with random draws.

        Raises:
            LabelError: there is no such class with labels yet.
        """
        answers = self.answers()
        with self._lock:
            skip = frozenset(self._set_aside.get(who, ()))
        photos = Photos(answers.ids, answers.rows, self._regions_of(answers))
        names = {photo_id: label.name for photo_id, label in answers.labels.items()}
        scored = answers.scored
        if name is None:
            return suggest(photos, names, scored, count=count, seed=answers.revision, skip=skip)
        if scored is None or name not in scored.head.classes:
            raise LabelError(f'no photo is labelled "{name}" yet', hint="label one to begin with")
        return suggest_of(photos, names, scored, name, count=count, skip=skip)

    def judgement(self) -> Judgement | None:
        """The latest one; None until there is one. `answers` has the background make a newer."""
        with self._lock:
            return self._judgement

    def judging(self) -> bool:
        """Whether a judgement is under way or about to begin."""
        return self._judge.busy()

    def close(self) -> None:
        """Stop the work in the background."""
        self._judge.close()

    def _regions_of(self, answers: Answers) -> Regions:
        """Clusters of the gallery, made once a generation; a second or two at 100,000 photos."""
        with self._regions_lock:
            if self._regions is None or self._regions[0] != answers.generation:
                self._regions = (answers.generation, find_regions(answers.rows))
            return self._regions[1]

    def _judge_now(self, answers: Answers, stop: Callable[[], bool]) -> None:
        judgement = judged(answers.shots, revision=answers.revision, stop=stop)
        if judgement is not None:
            with self._lock:
                self._judgement = judgement


def source_of(suggestion: Suggestion) -> str:
    """The source to store with the label of a suggested photo."""
    return _SOURCES.get(suggestion.why, "suggested")


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


def _fits(answers: Answers, revision: int, gallery: Gallery, judgement: Judgement | None) -> bool:
    return (
        answers.revision == revision
        and answers.generation == gallery.generation
        and answers.judgement is judgement
    )


def _answered(gallery: Gallery, labels: Labels, judgement: Judgement | None) -> Answers:
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
