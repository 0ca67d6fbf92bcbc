"""What to label next: typical photos first, then those the classifier hesitates on, some at random.

Asking what a classifier is unsure of is worse than chance while it knows next to nothing, and
better later. So TypiClust (Hacohen et al., arXiv 2202.02794) is followed by the margin, as in
TCM (Doucet et al., arXiv 2403.03728), and a share of photos drawn at random keeps accuracy honest.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np

from app.fewshot.estimator import LOGISTIC_FROM, Head
from app.fewshot.regions import Regions
from indexer.duplicates import NEAR
from indexer.labels import NONE

T = TypeVar("T")

# Of a page; the labels that accuracy on the whole gallery is known from.
AUDIT_SHARE = 0.15

# Unsure photos are chosen, far from each other, from so many times as many.
POOL = 5


@dataclass(frozen=True, slots=True, eq=False)
class Photos:
    """A gallery as suggestions see it; made once a generation."""

    ids: np.ndarray  # (n,) int64 ascending
    rows: np.ndarray  # (n, d) float32 unit rows
    regions: Regions | None  # None: not known yet


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """A head, and what it says of all photos; made once a refit."""

    head: Head
    shares: np.ndarray  # (n, c) float32 probabilities; of one class, its scores

    @classmethod
    def of(cls, head: Head, rows: np.ndarray) -> "Scored":
        """Score `(n, d)` float32 unit rows."""
        one = len(head.classes) < 2
        return cls(head, head.logits(rows) if one else head.probabilities(rows))


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A photo to label, and what it may be."""

    photo_id: int
    name: str | None  # the likeliest class; None while there are fewer than two
    confidence: float | None  # the share given to it, 0 to 1
    why: str  # typical, unsure, sure or audit


def suggest(
    photos: Photos,
    labels: Mapping[int, str],
    scored: Scored | None,
    *,
    count: int = 24,
    seed: int = 0,
    skip: Collection[int] = frozenset(),
) -> list[Suggestion]:
    """Choose photos to label.

    Args:
        photos: the gallery.
        labels: the class of every labelled photo, by id.
        scored: what the classifier says, if there is one.
        count: how many at most; fewer where few are left.
        seed: of the random draws. Take another after every label (the labels' revision).
        skip: ids to leave out, besides the labelled ones.

    Returns:
        Distinct photos, neither labelled nor skipped. `typical` ones while a class has fewer than
        5 labels (`audit` draws until it is known which are typical), in turns with `sure` ones of
        the thinnest classes; then `unsure` ones, far from each other, with `audit` draws among
        them at random places.
    """
    free = _free(photos, labels, skip)
    draws = np.random.default_rng(seed)
    if explores(labels, scored):
        chosen = _early(photos, labels, scored, free, count, draws)
    else:
        assert scored is not None
        chosen = _later(photos.rows, scored.shares, free, count, draws)
    return [_suggestion(photos, scored, row, why) for row, why in chosen]


def explores(labels: Mapping[int, str], scored: Scored | None) -> bool:
    """Whether so little is labelled yet that typical photos teach more than unsure ones."""
    return scored is None or len(scored.head.classes) < 2 or bool(_thin(labels, scored.head))


def suggest_of(
    photos: Photos,
    labels: Mapping[int, str],
    scored: Scored,
    name: str,
    *,
    count: int = 24,
    skip: Collection[int] = frozenset(),
) -> list[Suggestion]:
    """The photos surest to be of one class, to accept or correct a page at a time.

    Args:
        photos: the gallery.
        labels: the class of every labelled photo, by id.
        scored: what the classifier says.
        name: one of its classes.
        count: how many at most.
        skip: ids to leave out, besides the labelled ones.
    """
    free = _free(photos, labels, skip)
    number = scored.head.classes.index(name)
    if len(scored.head.classes) > 1:
        free = free & (scored.shares.argmax(axis=1) == number)
    best = _best(scored.shares[:, number], free, count)
    return [_suggestion(photos, scored, row, "sure") for row in best]


def _free(photos: Photos, labels: Mapping[int, str], skip: Collection[int]) -> np.ndarray:
    """Which photos may be suggested: `(n,)` bool."""
    taken = np.fromiter((*labels, *skip), np.int64)
    return ~np.isin(photos.ids, taken)


def _thin(labels: Mapping[int, str], head: Head) -> list[int]:
    """The numbers of the classes with few labels, the thinnest first; "none" may stay thin."""
    counts = Counter(labels.values())
    thin = [
        (counts[name], number)
        for number, name in enumerate(head.classes)
        if name != NONE and counts[name] < LOGISTIC_FROM
    ]
    return [number for _, number in sorted(thin)]


def _early(
    photos: Photos,
    labels: Mapping[int, str],
    scored: Scored | None,
    free: np.ndarray,
    count: int,
    draws: np.random.Generator,
) -> list[tuple[int, str]]:
    """Typical photos of regions without labels, in turns with likely ones of thin classes."""
    likely: list[int] = []
    if scored is not None:
        thin = _thin(labels, scored.head)
        best = [_best(scored.shares[:, number], free, count) for number in thin]
        likely = _in_turns(best)[: count // 2]
    rest = free.copy()
    rest[likely] = False
    if photos.regions is None:
        others = [(row, "audit") for row in _drawn(rest, count - len(likely), draws)]
    else:
        labelled = np.isin(photos.ids, np.fromiter(labels, np.int64))
        typical = _typical(photos.regions, labelled, rest, count - len(likely))
        others = [(row, "typical") for row in typical]
    return _in_turns([others, [(row, "sure") for row in likely]])


def _typical(regions: Regions, labelled: np.ndarray, free: np.ndarray, count: int) -> list[int]:
    """The most typical free photo of the region with the fewest labels, the largest first."""
    known = np.bincount(regions.numbers[labelled], minlength=regions.count)
    sizes = np.bincount(regions.numbers, minlength=regions.count)
    order = np.lexsort((-regions.typicality, regions.numbers))
    order = order[free[order]]  # region after region, the most typical first
    ends = np.searchsorted(regions.numbers[order], np.arange(regions.count + 1))
    queues = [order[a : min(b, a + count)].tolist() for a, b in pairwise(ends)]
    chosen: list[int] = []
    taken = [0] * regions.count
    while len(chosen) < count:
        open_ones = [r for r in range(regions.count) if taken[r] < len(queues[r])]
        if not open_ones:
            break
        region = min(open_ones, key=lambda r: (known[r] + taken[r], -sizes[r], r))
        chosen.append(queues[region][taken[region]])
        taken[region] += 1
    return chosen


def _later(
    rows: np.ndarray, shares: np.ndarray, free: np.ndarray, count: int, draws: np.random.Generator
) -> list[tuple[int, str]]:
    """Photos with a small margin between the two likeliest classes, and some at random."""
    # Rounded at random, so that a queue of one photo at a time has its share of draws too.
    wanted = int(count * AUDIT_SHARE + draws.random())
    audit = _drawn(free, wanted, draws)
    rest = free.copy()
    rest[audit] = False
    top = np.partition(shares, -2, axis=1)[:, -2:]  # (n, 2)
    unsure = _diverse(rows, top[:, 0] - top[:, 1], rest, count - len(audit))
    chosen = [(row, "unsure") for row in unsure]
    for row in audit:
        chosen.insert(int(draws.integers(len(chosen) + 1)), (row, "audit"))
    return chosen


def _drawn(allowed: np.ndarray, count: int, draws: np.random.Generator) -> list[int]:
    """So many of the allowed rows, each as likely as any other."""
    return [int(row) for row in draws.permutation(np.flatnonzero(allowed))[:count]]


def _diverse(rows: np.ndarray, scores: np.ndarray, allowed: np.ndarray, count: int) -> list[int]:
    """Allowed rows with high scores, but no two near-copies unless nothing else is left."""
    size = POOL * count
    while True:
        pool = _best(scores, allowed, size)
        chosen = _far_apart(rows, pool, count)
        if len(chosen) == count or len(pool) < size:
            copies = [row for row in pool if row not in chosen]
            return (chosen + copies)[:count]
        size *= POOL  # a long burst filled the pool


def _far_apart(rows: np.ndarray, pool: list[int], count: int) -> list[int]:
    """The pool's first, then always the one farthest from those chosen, up to near-copies."""
    chosen: list[int] = []
    nearest = np.full(len(pool), -np.inf)  # cosine to the nearest chosen one
    while len(chosen) < min(count, len(pool)):
        place = int(np.argmin(nearest))
        if nearest[place] >= NEAR:
            break
        chosen.append(pool[place])
        nearest = np.maximum(nearest, rows[pool] @ rows[pool[place]])
        nearest[place] = np.inf
    return chosen


def _best(scores: np.ndarray, allowed: np.ndarray, count: int) -> list[int]:
    """The allowed rows with the highest scores, best first, ties in order."""
    rows = np.flatnonzero(allowed)
    if 0 < count < len(rows):
        cut = np.partition(scores[rows], len(rows) - count)[len(rows) - count]
        rows = rows[scores[rows] >= cut]
    best = rows[np.argsort(-scores[rows], kind="stable")][:count]
    return [int(row) for row in best]


def _in_turns(lists: list[list[T]]) -> list[T]:
    """The first of each list, then the second of each; what came up before is left out."""
    longest = max((len(one) for one in lists), default=0)
    turns = (one[place] for place in range(longest) for one in lists if place < len(one))
    return list(dict.fromkeys(turns))


def _suggestion(photos: Photos, scored: Scored | None, row: int, why: str) -> Suggestion:
    photo_id = int(photos.ids[row])
    if scored is None or len(scored.head.classes) < 2:
        return Suggestion(photo_id, None, None, why)
    number = int(scored.shares[row].argmax())
    return Suggestion(photo_id, scored.head.classes[number], float(scored.shares[row, number]), why)
