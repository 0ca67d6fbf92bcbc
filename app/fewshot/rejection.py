"""When a classifier should rather answer "none of these": unsure, or far from all it has seen.

A photo keeps its class where the share that the head gives is high enough, and where it is near
enough to that class. Near is the cosine to the class's mean. It was measured beside the nearest
example and the mean of the three nearest: on garments and on CIFAR-10, five classes known and five
not, it told known from unknown best at 10 and at 20 labels a class (AUROC .83 against .78 and .81).

How high and how near is enough is learned from labelled photos that heads had not seen, each
counting as often as photos like it come up in the gallery (`representing`). One setting from 0
(strict) to 1 (complete) moves both bars together: it is the share of the right answers about the
gallery that keep their class. Near is judged class by class, since a scalar bar fails on
neighbours of a spread-out class (arXiv 2605.17818).
"""

from dataclasses import dataclass, replace

import numpy as np

from app.fewshot.bars import Bars, Evidence, bars_from
from app.fewshot.estimator import Head
from app.fewshot.folds import Labelled
from app.fewshot.heads import EPSILON, softmax
from app.fewshot.intervals import wilson
from app.fewshot.quality import Quality
from app.fewshot.representing import effective, speaks_for
from indexer.labels import NONE
from training.bootstrap import Interval

# Where a slider begins. Measured by three ways of labelling, on garments and on CIFAR-10, with and
# without photos of no class among them: where a wrong answer costs what a right one gains, .9 is
# worth as much as .95 or more in every case; .8 is worth less on garments and more on CIFAR-10.
DEFAULT_SETTING = 0.9

# Without right answers enough, a photo has to be more like its class than this share of random
# pairs of photos are like each other, at the default setting. Measured with 1 to 4 labels in each
# of five classes, five others unknown: .8 keeps 84 to 94 % of what is right and 57 to 66 % of what
# is unknown; .99 keeps 11 to 26 % of what is right, since a tenth of the pairs were of one class.
BY_CHANCE = 0.8
RANDOM_PAIRS = 20_000


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a setting does to the photos of a gallery."""

    kept: int  # photos that keep a class
    photos: int  # of so many
    precision: Interval | None  # rightly, of those kept; None where no labelled photo is kept
    judged: int  # so many labelled photos that heads had not seen tell the precision

    @property
    def coverage(self) -> float:
        """The share of the photos that keep a class, 0 to 1."""
        return self.kept / self.photos if self.photos else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Rejection:
    """Bars learned from labels, for every setting."""

    classes: tuple[str, ...]
    means: np.ndarray  # (c, d) float32 unit rows
    kind: str | None  # of the heads judged; None: none was, and shares count for nothing
    temperature: float  # that shares are taken at
    judged: Evidence  # of the labelled photos that were held out
    truth: np.ndarray  # (h,) int64, their classes
    weights: np.ndarray  # (h,) float64, how many photos of the gallery each speaks for
    gallery: Evidence  # of all photos, labelled or not
    chance: np.ndarray  # (p,) float32 ascending, cosines of random pairs of the gallery

    @classmethod
    def fit(
        cls,
        head: Head,
        shots: Labelled,
        quality: Quality | None,
        *,
        gallery: np.ndarray,
        labelled: np.ndarray,
    ) -> "Rejection":
        """Learn from labelled photos and what the judge found of them.

        Args:
            head: learned from these very labels; it answers about the gallery.
            shots: the labelled photos.
            quality: the judgement of these very labels; None, while there are too few, leaves
                likeness beyond chance as the only bar.
            gallery: `(m, d)` float32 unit rows of all photos, labelled or not.
            labelled: `(m,)` bool, which of them are.
        """
        means = _means(shots)
        kind, temperature = None, head.temperature
        judged, truth = _none_judged(), np.empty(0, np.int64)
        if quality is not None:
            kind, temperature = quality.kind, quality.told_at
            assert quality.probabilities.shape == (len(shots.rows), len(shots.classes))
            held = np.flatnonzero(~np.isnan(quality.probabilities[:, 0]))
            judged, truth = _judged(shots, held, quality.probabilities[held]), shots.numbers[held]
        found = _evidence(head, gallery, means, temperature)
        return cls(
            classes=shots.classes,
            means=means,
            kind=kind,
            temperature=temperature,
            judged=judged,
            truth=truth,
            weights=speaks_for(judged.near, found.near[~labelled]),
            gallery=found,
            chance=_chance(gallery),
        )

    def fits(self, head: Head) -> bool:
        """Whether the bars can be applied to a head's answers: its classes and kind are the same.

        Where they are not, because labels came or went since, learn the rejection again.
        """
        return head.classes == self.classes and self.kind in (None, head.kind)

    def evidence(self, head: Head, rows: np.ndarray) -> Evidence:
        """What speaks for the answers of a head that `fits` about `(n, d)` float32 unit rows."""
        assert self.fits(head), (head.classes, head.kind, self.classes, self.kind)
        return _evidence(head, rows, self.means, self.temperature)

    def bars(self, setting: float = DEFAULT_SETTING) -> Bars:
        """The bars at a setting from 0 (strict) to 1 (complete)."""
        assert 0 <= setting <= 1, setting
        belongs = np.array([name != NONE for name in self.classes])
        if setting == 1:
            return Bars(-np.inf, tuple(np.where(belongs, -np.inf, np.inf).tolist()))
        right = (self.judged.said == self.truth) & belongs[self.truth]
        found = bars_from(
            self.judged.of(right),
            self.weights[right],
            classes=len(self.classes),
            keeping=setting,
            by_chance=self._by_chance(setting),
        )
        return replace(found, near=tuple(np.where(belongs, found.near, np.inf).tolist()))

    def keeps(self, evidence: Evidence, setting: float = DEFAULT_SETTING) -> np.ndarray:
        """Which photos keep their class: `(n,)` bool; the others are none of these."""
        return self.bars(setting).passed(evidence)

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
        """What a setting does: counted on the gallery, right as labelled photos tell."""
        bars = self.bars(setting)
        kept = bars.passed(self.judged)
        right, judged = kept & (self.judged.said == self.truth), effective(self.weights[kept])
        share = self.weights[right].sum() / self.weights[kept].sum() if judged else 0.0
        return Outlook(
            kept=int(bars.passed(self.gallery).sum()),
            photos=len(self.gallery.said),
            precision=wilson(min(1.0, share) * judged, judged) if judged else None,
            judged=int(judged),
        )

    def _by_chance(self, setting: float) -> float:
        """How near two photos of the gallery are by chance, or nearer."""
        if not len(self.chance):
            return -np.inf
        return float(np.quantile(self.chance, 1 - (1 - BY_CHANCE) * setting / DEFAULT_SETTING))


def _evidence(head: Head, rows: np.ndarray, means: np.ndarray, temperature: float) -> Evidence:
    shares = softmax(head.logits(rows), temperature=temperature)
    said = shares.argmax(axis=1)
    cosines = rows @ means.T  # (n, c)
    places = np.arange(len(rows))
    return Evidence(said, shares[places, said], cosines[places, said])


def _means(shots: Labelled) -> np.ndarray:
    """Of every class, `(c, d)` float32 unit rows."""
    numbers = range(len(shots.classes))
    return _unit(np.stack([shots.rows[shots.numbers == n].mean(axis=0) for n in numbers]))


def _judged(shots: Labelled, held: np.ndarray, shares: np.ndarray) -> Evidence:
    """Of photos held out: the `(h, c)` shares of heads without them, nearness without copies."""
    said = shares.argmax(axis=1)
    near = np.empty(len(held), np.float32)
    for place, (row, number) in enumerate(zip(held, said, strict=True)):
        others = (shots.numbers == number) & (shots.groups != shots.groups[row])
        mean = _unit(shots.rows[others].mean(axis=0)) if others.any() else None
        near[place] = -1.0 if mean is None else shots.rows[row] @ mean
    return Evidence(said, shares.max(axis=1), near)


def _chance(gallery: np.ndarray) -> np.ndarray:
    """How alike two photos are that have nothing to do with each other, mostly: ascending."""
    if len(gallery) < 2:
        return np.empty(0, np.float32)
    draws = np.random.default_rng(0)
    left = draws.integers(len(gallery), size=RANDOM_PAIRS)
    right = (left + draws.integers(1, len(gallery), size=RANDOM_PAIRS)) % len(gallery)
    cosines: np.ndarray = np.sort(np.einsum("pd,pd->p", gallery[left], gallery[right]))
    return cosines


def _none_judged() -> Evidence:
    return Evidence(np.empty(0, np.int64), np.empty(0, np.float32), np.empty(0, np.float32))


def _unit(rows: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, EPSILON), dtype=np.float32)
