"""The bars that a photo has to reach to keep its class, learned from right answers."""

from dataclasses import dataclass

import numpy as np

from app.fewshot.representing import effective, ranks, reached_by

# So many right answers, or as much as they tell, give a class a bar of its own; below that it
# shares one with the others. Measured with 10, 20 and 40 on garments and CIFAR-10, labels gathered
# in three ways: at .95, 2.7, 2.3 and 2.2 points more or fewer right answers were kept; a bar of
# its own turns more unknown photos away (49, 51 and 53 % were kept).
OWN_BAR = 20


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What speaks for the answers about some photos; does not depend on the setting."""

    said: np.ndarray  # (n,) int64, the number of the likeliest class
    share: np.ndarray  # (n,) float32, what the head gives it
    near: np.ndarray  # (n,) float32, the cosine to its mean

    def of(self, chosen: np.ndarray) -> "Evidence":
        """The evidence of some of the photos."""
        return Evidence(self.said[chosen], self.share[chosen], self.near[chosen])


@dataclass(frozen=True, slots=True)
class Bars:
    """What a photo has to reach to keep its class."""

    share: float
    near: tuple[float, ...]  # one a class; -inf lets everything pass, inf (none of these) nothing

    def passed(self, evidence: Evidence) -> np.ndarray:
        """Which photos reach both: `(n,)` bool."""
        near = np.asarray(self.near)[evidence.said]
        kept: np.ndarray = (evidence.share >= self.share) & (evidence.near >= near)
        return kept


def bars_from(
    right: Evidence, weights: np.ndarray, *, classes: int, keeping: float, by_chance: float
) -> Bars:
    """Bars that a share of the right answers reach, and that are equally high in both signs.

    How high a bar is, is the share of right answers below it: in the share that the head gives
    among all, in nearness among those of the same class. Answers pass both bars or neither counts.

    Args:
        right: of n right answers about photos that heads had not seen.
        weights: `(n,)` float64, how many photos each speaks for.
        classes: how many there are.
        keeping: the share of the weight that reaches both bars, at the least; 0 to 1.
        by_chance: how near is near enough while there are too few right answers to tell.
    """
    if len(weights) < OWN_BAR:
        level = reached_by(right.share, weights, keeping) if len(weights) else -np.inf
        return Bars(level, (by_chance,) * classes)
    every = np.ones(len(weights), bool)
    own = [right.said == number for number in range(classes)]
    learned = [its if effective(weights[its]) >= OWN_BAR else every for its in own]
    ranked = [ranks(right.near[its], weights[its]) for its in learned]
    share = ranks(right.share, weights)
    both = share.copy()
    for its, learned_from, its_ranks in zip(own, learned, ranked, strict=True):
        both[its] = np.minimum(share[its], its_ranks[its[learned_from]])
    level = reached_by(both, weights, keeping)
    near = (
        _least(right.near[learned_from], its_ranks, level)
        for learned_from, its_ranks in zip(learned, ranked, strict=True)
    )
    return Bars(_least(right.share, share, level), tuple(near))


def _least(values: np.ndarray, ranked: np.ndarray, level: float) -> float:
    """The least of the values that ranks so high; infinity where none does."""
    return float(values[ranked >= level].min(initial=np.inf))
