"""When a classifier should rather answer "none of these": unsure, or far from all it has seen.

A photo keeps its class where the share that the head gives is high enough, and where it is near
enough to that class. Near is the cosine to the class's mean. It was measured beside the nearest
example and the mean of the three nearest: on garments and on CIFAR-10, five classes known and five
not, it told known from unknown best at 10 and at 20 labels a class (AUROC .83 against .78 and .81).

How high and how near is enough is learned from labelled photos that heads had not seen. One
setting from 0 (strict) to 1 (complete) moves both bars: it is the share of the rightly answered
labelled photos that each bar lets pass. Near is judged class by class, since a scalar bar fails
on neighbours of a spread-out class (arXiv 2605.17818).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.fewshot.estimator import Head
from app.fewshot.heads import EPSILON, softmax
from app.fewshot.intervals import wilson
from app.fewshot.quality import Quality
from indexer.labels import NONE
from training.bootstrap import Interval

# Where a slider begins.
DEFAULT_SETTING = 0.95

# Right answers that a class needs for a bar of its own; below it shares one with the others.
OWN_BAR = 10

# Without right answers enough, a photo has to be more like its class than this share of random
# pairs of photos are like each other, at the default setting. Measured with 1 to 4 labels in each
# of five classes, five others unknown: .8 keeps 84 to 94 % of what is right and 57 to 66 % of what
# is unknown; .99 keeps 11 to 26 % of what is right, since a tenth of the pairs were of one class.
BY_CHANCE = 0.8
RANDOM_PAIRS = 20_000


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What speaks for the answers about some photos; does not depend on the setting."""

    said: np.ndarray  # (n,) int64, the number of the likeliest class
    share: np.ndarray  # (n,) float32, what the head gives it
    near: np.ndarray  # (n,) float32, the cosine to its mean


@dataclass(frozen=True, slots=True)
class Bars:
    """What a photo has to reach to keep its class."""

    share: float
    near: tuple[float, ...]  # one a class; -inf lets everything pass, inf (none of these) nothing


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a setting does to labelled photos that heads had not seen."""

    kept: int  # photos that keep a class
    right: int  # of these, rightly
    precision: Interval | None  # right of kept; None where none is kept
    coverage: float  # kept of those that belong to a class, 0 to 1


@dataclass(frozen=True, slots=True, eq=False)
class Rejection:
    """Bars learned from labels, for every setting."""

    classes: tuple[str, ...]
    means: np.ndarray  # (c, d) float32 unit rows
    kind: str | None  # of the heads judged; None: none was, and shares count for nothing
    temperature: float  # that the judged shares were taken at
    judged: Evidence  # of the labelled photos that were held out
    truth: np.ndarray  # (h,) int64, their classes
    chance: np.ndarray  # (p,) float32 ascending, cosines of random pairs of the gallery

    @classmethod
    def fit(
        cls,
        rows: np.ndarray,
        names: Sequence[str],
        quality: Quality | None,
        *,
        groups: np.ndarray,
        gallery: np.ndarray,
        seed: int = 0,
    ) -> "Rejection":
        """Learn from labelled photos and what the judge found of them.

        Args:
            rows: `(n, d)` float32 unit rows, the labelled photos.
            names: `(n,)` the class of each.
            quality: the judgement of these very labels; None, while there are too few, leaves
                likeness beyond chance as the only bar.
            groups: `(n,)` int64, the same number for near-copies of one photo.
            gallery: `(m, d)` float32 unit rows of all photos, labelled or not.
            seed: of the random pairs.
        """
        classes, numbers = np.unique(np.asarray(names, dtype=str), return_inverse=True)
        means = np.stack([rows[numbers == c].mean(axis=0) for c in range(len(classes))])
        judged, truth = _none_judged(), np.empty(0, np.int64)
        kind, temperature = None, 1.0
        if quality is not None:
            kind, temperature = quality.kind, quality.told_at
            assert quality.probabilities.shape == (len(rows), len(classes))
            held = np.flatnonzero(~np.isnan(quality.probabilities[:, 0]))
            shares, truth = quality.probabilities[held], numbers[held]
            said = shares.argmax(axis=1)
            near = _near_others(rows, numbers, groups, held, said)
            judged = Evidence(said, shares.max(axis=1), near)
        return cls(
            classes=tuple(map(str, classes)),
            means=_unit(means),
            kind=kind,
            temperature=temperature,
            judged=judged,
            truth=truth,
            chance=_chance(gallery, seed=seed),
        )

    def fits(self, head: Head) -> bool:
        """Whether the bars can be applied to a head's answers: its classes and kind are the same.

        Where they are not, because labels came or went since, learn the rejection again.
        """
        return head.classes == self.classes and self.kind in (None, head.kind)

    def evidence(self, head: Head, rows: np.ndarray) -> Evidence:
        """What speaks for the answers of a head that `fits` about `(n, d)` float32 unit rows."""
        assert self.fits(head), (head.classes, head.kind, self.classes, self.kind)
        shares = softmax(head.logits(rows), temperature=self.temperature)
        said = shares.argmax(axis=1)
        cosines = rows @ self.means.T  # (n, c)
        places = np.arange(len(rows))
        return Evidence(said, shares[places, said], cosines[places, said])

    def bars(self, setting: float = DEFAULT_SETTING) -> Bars:
        """The bars at a setting from 0 (strict) to 1 (complete)."""
        assert 0 <= setting <= 1, setting
        right = self.judged.said == self.truth
        own = [right & (self.truth == number) for number in range(len(self.classes))]
        near = [
            np.inf
            if name == NONE
            else self._near_bar(self.judged.near[its if its.sum() >= OWN_BAR else right], setting)
            for name, its in zip(self.classes, own, strict=True)
        ]
        return Bars(_bar(self.judged.share[right], setting), tuple(near))

    def keeps(self, evidence: Evidence, setting: float = DEFAULT_SETTING) -> np.ndarray:
        """Which photos keep their class: `(n,)` bool; the others are none of these."""
        bars = self.bars(setting)
        near = np.asarray(bars.near)[evidence.said]
        kept: np.ndarray = (evidence.share >= bars.share) & (evidence.near >= near)
        return kept

    def apply(
        self, head: Head, rows: np.ndarray, setting: float = DEFAULT_SETTING
    ) -> tuple[str, ...]:
        """The answers about `(n, d)` float32 unit rows: a class, or "none of these"."""
        evidence = self.evidence(head, rows)
        kept = self.keeps(evidence, setting)
        return tuple(
            self.classes[number] if keep else NONE
            for number, keep in zip(evidence.said, kept, strict=True)
        )

    def outlook(self, setting: float = DEFAULT_SETTING) -> Outlook:
        """Precision and coverage at a setting, on labelled photos that heads had not seen."""
        kept = self.keeps(self.judged, setting)
        belonging = np.array([name != NONE for name in self.classes])[self.truth]
        right = int((kept & (self.judged.said == self.truth)).sum())
        count = int(kept.sum())
        return Outlook(
            kept=count,
            right=right,
            precision=wilson(right, count) if count else None,
            coverage=float(kept[belonging].mean()) if belonging.any() else 0.0,
        )

    def _near_bar(self, right: np.ndarray, setting: float) -> float:
        """From the likeness of right answers, or from chance where there are too few."""
        if len(right) >= OWN_BAR:
            return _bar(right, setting)
        if setting == 1 or not len(self.chance):
            return -np.inf
        return float(np.quantile(self.chance, 1 - (1 - BY_CHANCE) * setting / DEFAULT_SETTING))


def _bar(right: np.ndarray, setting: float) -> float:
    """What the asked-for share of right answers reaches; all pass at 1 or if there are none."""
    if setting == 1 or not len(right):
        return -np.inf
    return float(np.quantile(right, 1 - setting))


def _near_others(
    rows: np.ndarray, numbers: np.ndarray, groups: np.ndarray, held: np.ndarray, said: np.ndarray
) -> np.ndarray:
    """The cosine of held out photos to the mean of a class without their near-copies: `(h,)`."""
    near = np.empty(len(held), np.float32)
    for place, (row, number) in enumerate(zip(held, said, strict=True)):
        others = rows[(numbers == number) & (groups != groups[row])]
        near[place] = rows[row] @ _unit(others.mean(axis=0)) if len(others) else -1.0
    return near


def _chance(gallery: np.ndarray, *, seed: int) -> np.ndarray:
    """How alike two photos are that have nothing to do with each other, mostly: ascending."""
    if len(gallery) < 2:
        return np.empty(0, np.float32)
    draws = np.random.default_rng(seed)
    left = draws.integers(len(gallery), size=RANDOM_PAIRS)
    right = (left + draws.integers(1, len(gallery), size=RANDOM_PAIRS)) % len(gallery)
    cosines: np.ndarray = np.sort(np.einsum("pd,pd->p", gallery[left], gallery[right]))
    return cosines


def _none_judged() -> Evidence:
    return Evidence(np.empty(0, np.int64), np.empty(0, np.float32), np.empty(0, np.float32))


def _unit(rows: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, EPSILON), dtype=np.float32)
