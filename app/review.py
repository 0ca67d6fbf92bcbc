"""What the Review page tells of the classifier, as of the latest judgement. Knows no Streamlit."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.answers import Answers, Judgement
from app.fewshot.intervals import ENOUGH, in_words
from app.fewshot.quality import Quality, SourceAccuracy
from app.fewshot.rejection import Evidence, Outlook, Rejection
from app.fitting import fitted
from indexer.gallery import Gallery
from training.bootstrap import Interval
from training.wording import counted

# How labels came about, as people say it.
SOURCE_WORDS = {
    "cell": "relabelled from the matrix",
    "cluster": "labelled by cluster",
    "import": "imported",
    "lasso": "drawn around on the map",
    "random": "drawn at random",
    "review": "reviewed",
    "search": "searched for",
    "suggested": "suggested",
}


@dataclass(frozen=True, slots=True)
class Score:
    """One figure, with what it is of and how sure it is."""

    name: str
    value: str
    detail: str


@dataclass(frozen=True, slots=True)
class Doubt:
    """A photo whose label may be wrong."""

    photo_id: int
    name: str  # as labelled
    likely: str


@dataclass(frozen=True, slots=True, eq=False)
class Review:
    """A judgement, and what rejection would do by it."""

    judgement: Judgement
    generation: int  # of the gallery
    rejection: Rejection
    evidence: Evidence  # of every photo of the gallery

    @property
    def quality(self) -> Quality:
        """What cross-validation found."""
        return self.judgement.quality

    def kept(self, setting: float) -> int:
        """How many photos of the gallery would get a class at a setting."""
        return int(self.rejection.keeps(self.evidence, setting).sum())

    def outlook(self, setting: float) -> Outlook:
        """What a setting does to labelled photos that heads had not seen."""
        return self.rejection.outlook(setting)

    def in_cell(self, row: int, column: int) -> list[int]:
        """The photos labelled as class `row` and answered as class `column`."""
        quality, shots = self.quality, self.judgement.shots
        if not max(row, column) < len(quality.classes):
            return []
        answered = np.argmax(np.nan_to_num(quality.probabilities, nan=-1.0), axis=1)
        held = ~np.isnan(quality.probabilities[:, 0])
        named = np.asarray(shots.names) == quality.classes[row]
        return [int(i) for i in shots.ids[held & named & (answered == column)]]

    def doubts(self) -> list[Doubt]:
        """Labels that look wrong, the most likely ones first."""
        ids = self.judgement.shots.ids
        return [Doubt(int(ids[s.row]), s.name, s.likely) for s in self.quality.suspicious]


class Reviews:
    """The latest review; worked out once a judgement. Safe for many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._latest: Review | None = None

    def of(self, gallery: Gallery, answers: Answers) -> Review | None:
        """The review of the latest judgement; None until there is one.

        None as well where so many labels were taken back that there is nothing left to judge.
        """
        judgement = answers.judgement
        if judgement is None or answers.head is None or len(answers.head.classes) < 2:
            return None
        with self._lock:
            known = self._latest
            stale = known is None or known.judgement is not judgement
            if stale or known is None or known.generation != answers.generation:
                self._latest = known = _reviewed(gallery, judgement, answers)
            return known


def scores(quality: Quality) -> list[Score]:
    """The figures at the top: over all classes, on random draws, and on other labels."""
    fewest = quality.fewest
    found = [
        Score(
            "Over all classes",
            in_words(quality.macro_f1.value, fewest),
            f"Macro-F1{_between(quality.macro_f1, fewest)}: how often it is right, every class "
            "counting the same.",
        ),
        _audited(quality.audit),
    ]
    return found + [
        Score(
            SOURCE_WORDS.get(source.source, source.source).capitalize(),
            in_words(source.accuracy.value, source.labels),
            f"{_right_on(source.labels, source.accuracy)}. "
            "Chosen, not drawn: it says little of the rest.",
        )
        for source in quality.by_source
    ]


def rejection_words(outlook: Outlook) -> str:
    """What a setting does, in a sentence."""
    if outlook.precision is None:
        return "No labelled photo keeps a class at this setting."
    right = in_words(outlook.precision.value, outlook.kept)
    said = "are right" if outlook.kept >= ENOUGH else "precision"
    return (
        f"Of the labelled photos, {_percent(outlook.coverage)} keep a class; of those, {right} "
        f"{said}{_between(outlook.precision, outlook.kept)}."
    )


def share_words(share: float | None, labels: int) -> str:
    """A class's figure: a percentage, a band, or a dash where there is none."""
    return "–" if share is None else in_words(share, labels)  # noqa: RUF001 - a dash


def _reviewed(gallery: Gallery, judgement: Judgement, answers: Answers) -> Review:
    # Of the labels that were judged: those of today may have other classes.
    made = fitted(gallery, judgement.shots, judgement)
    evidence = made.rejection.evidence(made.head, answers.rows)
    return Review(judgement, answers.generation, made.rejection, evidence)


def _audited(audit: SourceAccuracy | None) -> Score:
    name = "Drawn at random"
    if audit is None:
        return Score(
            name,
            "–",  # noqa: RUF001 - a dash
            "Nothing of this kind is labelled yet. The Label page asks about some photos at "
            "random: only those tell how good it is on all your photos.",
        )
    return Score(
        name,
        in_words(audit.accuracy.value, audit.labels),
        f"{_right_on(audit.labels, audit.accuracy)}. Nobody chose "
        "them, so this holds for all your photos.",
    )


def _right_on(count: int, interval: Interval) -> str:
    return f"right on {counted(count, 'photo')}{_between(interval, count)}"


def _between(interval: Interval, count: int) -> str:
    """The interval in words, where there are enough photos for one to be shown."""
    if count < ENOUGH:
        return ""
    return f", between {_percent(interval.low)} and {_percent(interval.high)}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def disagreement(names: Sequence[tuple[str, str]]) -> str:
    """What people said of one photo: pairs of who and which class."""
    return ", ".join(f"{who}: {name}" for who, name in names)
