"""What the Review page tells of the classifier, as of the latest judgement. Knows no Streamlit."""

import threading
from dataclasses import dataclass

import numpy as np

from app.answers import Answers, Judgement
from app.fewshot.quality import Quality
from app.fewshot.rejection import Outlook, Rejection
from app.fitting import fitted
from indexer.gallery import Gallery


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

    @property
    def quality(self) -> Quality:
        """What cross-validation found."""
        return self.judgement.quality

    def outlook(self, setting: float) -> Outlook:
        """What a setting does to the photos of the gallery."""
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


def _reviewed(gallery: Gallery, judgement: Judgement, answers: Answers) -> Review:
    # Of the labels that were judged: those of today may have other classes.
    made = fitted(gallery, judgement.shots, judgement)
    return Review(judgement, answers.generation, made.rejection)
