"""Is it learning? Figures of a network from what it makes of held-out photos. NumPy only.

All but two need no labels. What they are worth: `tests/benchmarks/label_free_figures.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np

from training.bootstrap import Interval, half_sample_interval, paired_interval
from training.errors import RunError
from training.evaluate import (
    centred,
    effective_rank,
    knn_right,
    rank_of_gram,
    retrieved_first,
    spread,
    unit,
)

SHOTS = 5
EPISODES = 50
_EPISODE_SEED = 5


@dataclass(frozen=True, eq=False)
class Sight:
    """What a network makes of n photos and of two random views of each; row i is photo i."""

    embeddings: np.ndarray  # (n, d) float32, unit rows, of the photos themselves
    first: np.ndarray  # (n, d) representations of one view
    second: np.ndarray  # (n, d) of the other
    projections: np.ndarray | None = None  # (n, p) of the photos, where there is a projector
    labels: np.ndarray | None = None  # (n,) int64, negative without one; None: nothing is known

    def __post_init__(self) -> None:
        for rows in (self.embeddings, self.first, self.second, self.projections):
            if rows is not None and not np.isfinite(rows).all():
                raise RunError(
                    "the network's outputs are no longer numbers: training diverged",
                    hint="start again with a lower learning rate, as --lr 1e-4",
                )


@dataclass(frozen=True)
class Quality:
    """The figures; None where one cannot be known."""

    retrieval: float  # view-retrieval at 1, in [0, 1]
    rank: float  # effective rank of the embeddings
    spread: float  # std * sqrt(d) of the embeddings: 1 is healthy, 0 is collapse
    alignment: float | None = None  # squared distance of two views of a photo, 0 to 4
    uniformity: float | None = None  # of all photos, at most 0; lower is more even
    projection_rank: float | None = None
    projection_spread: float | None = None
    knn: float | None = None  # leave-one-out accuracy
    five_shot: float | None = None  # accuracy of the nearest class mean from five examples

    def to_json(self) -> dict[str, float]:
        """Rounded, without what is not known."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: round(value, 4) for name, value in values.items() if value is not None}


def quality_of(sight: Sight) -> Quality:
    """All figures that can be known."""
    projections, right, shots = sight.projections, _knn(sight), _five_shot(sight)
    return Quality(
        retrieval=float(retrieved_first(sight.first, sight.second).mean()),
        rank=effective_rank(sight.embeddings),
        spread=spread(sight.embeddings),
        alignment=float(misalignments(sight.first, sight.second).mean()),
        uniformity=uniformity(sight.embeddings),
        projection_rank=None if projections is None else effective_rank(unit(projections)),
        projection_spread=None if projections is None else spread(projections),
        knn=None if right is None else float(right.mean()),
        five_shot=None if shots is None else float(np.nanmean(shots)),
    )


def changes(after: Sight, before: Sight) -> dict[str, Interval]:
    """By how much every figure grew, with its 95 % interval, of two sights of the same photos.

    Projections are left out: the two networks' projectors are not the same, and one is random.
    """
    found = {
        "retrieval": paired_interval(
            retrieved_first(after.first, after.second), retrieved_first(before.first, before.second)
        ),
        "alignment": paired_interval(
            misalignments(after.first, after.second), misalignments(before.first, before.second)
        ),
    }
    count = len(after.embeddings)
    if count > 3:  # a half must hold two
        found["rank"] = half_sample_interval(_rank_change(after, before), count)
        found["spread"] = half_sample_interval(
            lambda some: spread(after.embeddings[some]) - spread(before.embeddings[some]), count
        )
        found["uniformity"] = half_sample_interval(
            lambda some: uniformity(after.embeddings[some]) - uniformity(before.embeddings[some]),
            count,
        )
    for name, figure in (("knn", _knn), ("five_shot", _five_shot)):
        now, then = figure(after), figure(before)
        if now is not None and then is not None:
            found[name] = paired_interval(now, then)
    return found


def misalignments(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Squared distance of the two views of every photo on the unit sphere, `(n,)` in [0, 4].

    Its mean is the alignment of Wang and Isola (arXiv 2005.10242, eq. 1 with alpha 2).
    """
    found: np.ndarray = np.square(unit(first) - unit(second)).sum(axis=1)
    return found


def uniformity(embeddings: np.ndarray) -> float:
    """How evenly rows cover the unit sphere (Wang and Isola, arXiv 2005.10242, eq. 2 with t 2).

    log of the mean of exp(-2 |x - y|^2) over all pairs of different rows: 0 where all are equal,
    about -4 + 4 mean(cosine) where they are spread. 0 for fewer than two rows.
    """
    rows = unit(np.asarray(embeddings, np.float64))
    count = len(rows)
    if count < 2:
        return 0.0
    closeness = np.exp(4 * (np.clip(rows @ rows.T, -1, 1) - 1))  # |x - y|^2 = 2 - 2 cos
    total = closeness.sum() - closeness.trace()
    return float(np.log(total / (count * (count - 1))))


def five_shot(embeddings: np.ndarray, labels: np.ndarray) -> np.ndarray | None:
    """How often each photo is given its class by the nearest mean of five examples a class.

    50 random draws of the examples, the same for every network. The shares are `(n,)` in [0, 1];
    NaN for photos of classes with fewer than six. None with fewer than two such classes.
    """
    rows = centred(embeddings)
    classes, codes = np.unique(labels, return_inverse=True)
    large = [code for code in range(len(classes)) if (codes == code).sum() > SHOTS]
    if len(large) < 2:
        return None
    asked, right = np.zeros(len(rows)), np.zeros(len(rows))
    draws = np.random.default_rng(_EPISODE_SEED)
    for _ in range(EPISODES):
        members = [draws.permutation(np.flatnonzero(codes == code)) for code in large]
        means = unit(np.stack([rows[some[:SHOTS]].mean(axis=0) for some in members]))
        for place, some in enumerate(members):
            others = some[SHOTS:]
            asked[others] += 1
            right[others] += (rows[others] @ means.T).argmax(axis=1) == place
    return np.where(asked > 0, right / np.maximum(asked, 1), np.nan)


def _rank_change(after: Sight, before: Sight) -> Callable[[np.ndarray], float]:
    # Products once, not once a half: a rank needs no more than the products of its rows.
    grams = [s.embeddings.astype(np.float64) @ s.embeddings.T for s in (after, before)]

    def change(some: np.ndarray) -> float:
        place = np.ix_(some, some)
        return rank_of_gram(grams[0][place]) - rank_of_gram(grams[1][place])

    return change


def _knn(sight: Sight) -> np.ndarray | None:
    """For which labelled photos the vote of the other labelled ones is right."""
    known = _known(sight)
    return None if known is None else knn_right(centred(known[0]), known[1])


def _five_shot(sight: Sight) -> np.ndarray | None:
    known = _known(sight)
    return None if known is None else five_shot(*known)


def _known(sight: Sight) -> tuple[np.ndarray, np.ndarray] | None:
    """Embeddings and labels of the photos that have one; None where no two do."""
    if sight.labels is None:
        return None
    known = sight.labels >= 0
    if known.sum() < 2:
        return None
    return sight.embeddings[known], sight.labels[known]
