"""Where a gallery's photos crowd: clusters, and how typical each photo is of its own."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.cluster import KMeans

from training.errors import Interrupted
from training.progress import Progress, Silent

# As many clusters as people label in a quarter of an hour; fewer where they would hold too little.
MOST_REGIONS = 100
PHOTOS_A_REGION = 20

# Clusters are learned from a sample; all photos are then assigned. They only spread the questions
# out: more rounds move few photos, and cost seconds on a busy machine.
SAMPLE = 5_000
ROUNDS = 10

# Typicality: TypiClust, section 3.2, takes 20 neighbours. Large clusters are compared in part.
NEIGHBOURS = 20
COMPARED = 250

CHUNK = 8192

_SILENT = Silent()


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """Clusters of a gallery; made once a generation."""

    numbers: np.ndarray  # (n,) int64, the cluster of every photo
    typicality: np.ndarray  # (n,) float32: one over the mean distance to near ones in its cluster

    @property
    def count(self) -> int:
        """How many clusters there are."""
        return int(self.numbers.max()) + 1 if len(self.numbers) else 0


def find_regions(
    rows: np.ndarray,
    progress: Progress = _SILENT,
    stop: Callable[[], bool] = lambda: False,
    *,
    seed: int = 0,
) -> Regions:
    """Cluster a gallery by k-means; the same seed gives the same clusters.

    Args:
        rows: `(n, d)` float32 unit rows.
        progress: told of the photos whose typicality is known.
        stop: asked between clusters.
        seed: of the sample and of k-means.

    Raises:
        Interrupted: `stop` said so.
    """
    if not len(rows):
        return Regions(np.empty(0, np.int64), np.empty(0, np.float32))
    progress.start("getting to know the photos", total=len(rows), unit="photos")
    draws = np.random.default_rng(seed)
    sample = rows[np.sort(draws.permutation(len(rows))[:SAMPLE])]
    distinct = len(np.unique(sample, axis=0))  # k-means cannot tell copies apart
    count = max(1, min(MOST_REGIONS, len(rows) // PHOTOS_A_REGION, distinct))
    model = KMeans(count, n_init=1, max_iter=ROUNDS, random_state=seed).fit(sample)
    numbers = _nearest(rows, model.cluster_centers_.astype(np.float32))
    typicality = np.empty(len(rows), np.float32)
    for number in range(count):
        if stop():
            raise Interrupted("stopped while clustering", hint="it begins anew when asked again")
        members = np.flatnonzero(numbers == number)
        typicality[members] = _typicality(rows[members])
        progress.advance(len(members))
    return Regions(numbers, typicality)


def _nearest(rows: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """The nearest centre of every row: `(n,)` int64."""
    half_squares = np.sum(centres**2, axis=1) / 2  # (k,)
    parts = [
        np.argmax(rows[start : start + CHUNK] @ centres.T - half_squares, axis=1)
        for start in range(0, len(rows), CHUNK)
    ]
    return np.concatenate(parts)


def _typicality(rows: np.ndarray) -> np.ndarray:
    """Typicality of `(m, d)` rows of one cluster: `(m,)`; a photo alone has none."""
    some = rows[:: max(1, len(rows) // COMPARED)]
    cosines = rows @ some.T  # (m, s)
    count = min(NEIGHBOURS + 1, cosines.shape[1])
    if count < 2:
        return np.zeros(len(rows), np.float32)
    nearest = -np.partition(-cosines, count - 1, axis=1)[:, :count]  # itself among them, mostly
    distances = np.sqrt(np.maximum(2 - 2 * nearest, 0))  # of unit rows
    mean: np.ndarray = distances.sum(axis=1) / (count - 1)
    return np.asarray(1 / np.maximum(mean, 1e-6), dtype=np.float32)
