"""A person who labels a gallery as the app asks: no random sample of it, for benchmarks."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from app.fewshot.estimator import LOGISTIC_FROM, fit_head
from app.fewshot.suggest import Photos, Scored, Suggestion, suggest, suggest_of
from indexer.labels import NONE

# Of a wall or a stretch of the queue.
PAGE = 24

# How people go about it: draws alone; the queue alone; walls of one guessed class, with one of
# all kinds now and then, as in the walk of the README.
HABITS = ("at random", "the queue", "walls of a class")

Labelled = dict[int, tuple[str, str]]  # by row: the class and the source


def label(
    habit: str,
    photos: Photos,
    truth: Sequence[str | None],
    *,
    count: int,
    says_none: bool,
    draw: int,
) -> Labelled:
    """Label so many photos rightly.

    Args:
        habit: one of `HABITS`.
        photos: the gallery, its ids 0 to n - 1.
        truth: the class of each; None for photos of no class.
        count: how many labels.
        says_none: whether photos of no class are labelled as such, or set aside.
        draw: of the random choices.
    """
    labels, aside = Labelled(), set[int]()
    for row, source in _asked(habit, photos, truth, labels, aside, np.random.default_rng(draw)):
        name = truth[row] or (NONE if says_none else None)
        if name is None:
            aside.add(row)
        else:
            labels[row] = (name, source)
        if len(labels) == count:
            break
    return labels


def _asked(
    habit: str,
    photos: Photos,
    truth: Sequence[str | None],
    labels: Labelled,
    aside: set[int],
    draws: np.random.Generator,
) -> Iterator[tuple[int, str]]:
    """One photo after the other; what was answered in between is heeded a page at a time."""
    if habit == HABITS[0]:
        yield from ((int(row), "random") for row in draws.permutation(len(truth)))
        return
    for name in sorted({name for name in truth if name}):
        yield int(draws.choice([row for row, of in enumerate(truth) if of == name])), "search"
    for turn in range(len(truth)):
        for asked in _page(habit, photos, {row: n for row, (n, _) in labels.items()}, aside, turn):
            yield asked.photo_id, "random" if asked.why == "audit" else "suggested"


def _page(
    habit: str, photos: Photos, labels: dict[int, str], aside: set[int], turn: int
) -> list[Suggestion]:
    """The next page of the queue, or the next wall."""
    rows = sorted(labels)
    scored = Scored.of(fit_head(photos.rows[rows], [labels[row] for row in rows]), photos.rows)
    counts = Counter(name for name in labels.values() if name != NONE)
    between = len(counts) // 2 + 1
    if habit == HABITS[1] or min(counts.values()) < LOGISTIC_FROM or turn % between == 0:
        return suggest(photos, labels, scored, count=PAGE, seed=turn, skip=aside)
    name = sorted(counts)[(turn - turn // between - 1) % len(counts)]
    return suggest_of(photos, labels, scored, name, count=PAGE, skip=aside)
