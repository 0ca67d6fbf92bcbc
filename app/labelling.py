"""The labelling flow: label, get the next suggestions, accept, reject, undo. Knows no Streamlit.

One value serves all sessions of a server. What the classifier says is worked out anew as soon as
the labels' revision has changed: in the background for whoever labels, at once for whoever needs
it exact. Refitting the kind of head in use takes milliseconds; which kind suits the labels is
judged by cross-validation, in the background too, once nobody has labelled for two seconds.
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from app.answers import Answers, Judgement, answered, judged
from app.background import Latest
from app.fewshot.regions import Regions, find_regions
from app.fewshot.suggest import Photos, Suggestion, explores, suggest, suggest_of
from app.prepared import Prepared
from app.task import Failure, failure
from indexer.gallery import Gallery
from indexer.labels import Labels, NewLabel, Undone
from training.errors import LabelError

QUIET_SECONDS = 2.0

# A refit takes all processors for a moment: the page that acknowledges a label goes first.
SECONDS_TO_ACKNOWLEDGE = 0.1

# How the source of a label follows from why its photo was suggested. Only photos drawn at random
# speak for the whole gallery.
_SOURCES = {"audit": "random"}

_PAGE = 24

# Photos that are clustered while the page waits; of more it gets to know in the background.
AT_ONCE = 1_000


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """What is known at one moment, and whether more is on its way."""

    answers: Answers  # perhaps of labels and a gallery that have changed since
    regions: Regions | None  # None: not needed, or not known yet
    settled: bool  # nothing newer is being worked out
    known: float | None = None  # while its typical photos are being found, the share looked at
    failure: Failure | None = None  # why nothing newer comes


class Labelling:
    """Labels a gallery with people's help; safe for many threads."""

    def __init__(
        self,
        gallery: Callable[[], Gallery],
        labels: Labels,
        *,
        quiet_seconds: float = QUIET_SECONDS,
        at_once: int = AT_ONCE,
    ) -> None:
        """Begin.

        Args:
            gallery: gives the gallery as it is now; a build may replace it.
            labels: its labels.
            quiet_seconds: how long nobody must have labelled before the judge begins.
            at_once: photos that are clustered while the page waits.
        """
        self.labels = labels
        self._gallery = gallery
        self._at_once = at_once
        self._refitting = threading.Lock()  # held while answers are worked out
        self._answers: Answers | None = None
        self._failure: Failure | None = None  # of the latest refit in the background
        self._lock = threading.Lock()  # of what follows; never held for long
        self._judgement: Judgement | None = None
        self._set_aside: dict[str, set[int]] = {}
        self._regions: Prepared[int, Regions] = Prepared("clustering")
        self._refit = Latest(self._refit_now, quiet_seconds=SECONDS_TO_ACKNOWLEDGE)
        self._judge = Latest(self._judge_now, quiet_seconds=quiet_seconds, aside=True)

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
        # Whoever comes second waits for the first one's refit instead of doing it again, and what
        # is known never goes back to an older state.
        with self._refitting:
            gallery, judgement, known = self._gallery(), self.judgement(), self._answers
            if known is None or not known.hold(self.labels.revision(), gallery, judgement):
                known = self._answers = answered(gallery, self.labels, judgement)
        judged = known.judgement is not None and known.judgement.revision == known.revision
        if not judged and known.scored is not None:
            self._judge.ask(known)
        return known

    def standing(self, *, wait: bool = False) -> Standing:
        """What is known: see `Standing`.

        Where labels or gallery have changed, a refit begins in the background. One that is under
        way is not begun again; it is followed by one more.

        Args:
            wait: for a refit where one is needed, as the first of all always does.
        """
        known = None if wait else self._answers
        if known is None:
            known = self.answers()
        settled = known.hold(self.labels.revision(), self._gallery(), self.judgement())
        # Asking again would put off what waits: many who label at once would put it off for ever.
        if not settled and not self._refit.busy():
            self._refit.ask(object())
        told = None if settled else self._failure
        if not explores(known.names, known.scored):
            return Standing(known, None, settled, failure=told)
        regions = self._regions_of(known)
        status = self._regions.status()
        if regions is not None or status is None:
            return Standing(known, regions, settled, failure=told)
        if status.state == "failed":
            return Standing(
                known, None, settled, failure=told or Failure(status.message, status.hint)
            )
        share = status.done / status.total if status.total else 0.0
        return Standing(known, None, settled=False, known=share, failure=told)

    def suggest(
        self,
        *,
        count: int = _PAGE,
        who: str = "",
        name: str | None = None,
        standing: Standing | None = None,
    ) -> list[Suggestion]:
        """Photos to label next.

        Args:
            count: how many at most.
            who: leaves out what this person has set aside.
            name: only photos that are most likely of this class, surest first; None mixes what
                teaches most with random draws.
            standing: what to go by; None is by all labels there are now.

        Raises:
            LabelError: there is no such class with labels yet.
        """
        if standing is None:
            answers = self.answers()
            regions = self._regions_of(answers)
        else:
            answers, regions = standing.answers, standing.regions
        skip, scored = self.set_aside(who), answers.scored
        photos = Photos(answers.ids, answers.rows, regions)
        if name is None:
            seed = answers.revision
            return suggest(photos, answers.names, scored, count=count, seed=seed, skip=skip)
        if scored is None or name not in scored.head.classes:
            raise LabelError(f'no photo is labelled "{name}" yet', hint="label one to begin with")
        return suggest_of(photos, answers.names, scored, name, count=count, skip=skip)

    def set_aside(self, who: str) -> frozenset[int]:
        """The photos that a person is not asked about."""
        with self._lock:
            return frozenset(self._set_aside.get(who, ()))

    def judgement(self) -> Judgement | None:
        """The latest one; None until there is one. `answers` has the background make a newer."""
        with self._lock:
            return self._judgement

    def judging(self) -> bool:
        """Whether a judgement is under way or about to begin."""
        return self._judge.busy()

    def close(self) -> None:
        """Stop the work in the background."""
        self._regions.cancel()
        self._refit.close()
        self._judge.close()

    def _regions_of(self, answers: Answers) -> Regions | None:
        """Clusters of the gallery; None while they are being found, seconds at 100,000 photos."""
        return self._regions.ask(
            answers.generation,
            partial(find_regions, answers.rows),
            at_once=len(answers.ids) <= self._at_once,
        )

    def _refit_now(self, _asked: object, _stop: Callable[[], bool]) -> None:
        try:
            self.answers()
        except Exception as error:  # only the page can tell whoever waits
            self._failure = failure(error, "refit")
        else:
            self._failure = None

    def _judge_now(self, answers: Answers, stop: Callable[[], bool]) -> None:
        judgement = judged(answers.shots, revision=answers.revision, stop=stop)
        if judgement is not None:
            with self._lock:
                self._judgement = judgement


def source_of(suggestion: Suggestion) -> str:
    """The source to store with the label of a suggested photo."""
    return _SOURCES.get(suggestion.why, "suggested")
