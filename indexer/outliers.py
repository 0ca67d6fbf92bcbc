"""Outliers: photos that look like nothing else in their gallery."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from indexer.gallery import Gallery
from training.errors import Interrupted
from training.progress import Progress, Silent

# A photo's neighbours: more than a pair or a burst that lies far from everything together.
NEIGHBOURS = 10

# Scores are compared in blocks of at most this many: 64 MB.
_SCORES_AT_A_TIME = 1 << 24

_SILENT = Silent()


@dataclass(frozen=True, slots=True)
class Outlier:
    """A photo, and how alone it is."""

    id: int
    path: bytes  # relative to the photo root
    score: float  # mean cosine to its nearest neighbours: the lower, the more alone


def find_outliers(
    gallery: Gallery,
    *,
    count: int = 20,
    neighbours: int = NEIGHBOURS,
    progress: Progress = _SILENT,
    stop: Callable[[], bool] = lambda: False,
) -> list[Outlier]:
    """The photos that are most alone, these first; ties by id.

    Args:
        gallery: an open gallery.
        count: how many at most.
        neighbours: how many of a photo's nearest count.
        progress: told of the photos that were compared with all others.
        stop: asked now and then.

    Raises:
        Interrupted: `stop` said so.
    """
    ids, rows = gallery.embeddings()
    scores = neighbour_scores(rows, neighbours=neighbours, progress=progress, stop=stop)
    order = np.lexsort((ids, scores))
    facts = gallery.photos(ids[order[: 2 * count]].tolist())
    # A photo may have left the catalogue since the index was read.
    found = [
        Outlier(photo_id, facts[photo_id].path, float(scores[position]))
        for position, photo_id in zip(order.tolist(), ids[order].tolist(), strict=True)
        if photo_id in facts
    ]
    return found[:count]


def neighbour_scores(
    rows: np.ndarray,
    *,
    neighbours: int = NEIGHBOURS,
    progress: Progress = _SILENT,
    stop: Callable[[], bool] = lambda: False,
) -> np.ndarray:
    """The mean cosine of each row to its nearest others.

    Args:
        rows: `(n, d)` float32 unit rows.
        neighbours: how many; fewer where there are no more.
        progress: told of the rows that were compared with all others.
        stop: asked now and then.

    Returns:
        `(n,)` float32; a row without any other scores 1.

    Raises:
        Interrupted: `stop` said so.
    """
    count = len(rows)
    wanted = min(neighbours, count - 1)
    if wanted < 1:
        return np.ones(count, dtype=np.float32)
    means = np.empty(count, dtype=np.float32)
    step = max(1, _SCORES_AT_A_TIME // count)
    progress.start("comparing", total=count, unit="photos")
    for start in range(0, count, step):
        if stop():
            raise Interrupted("stopped while comparing", hint="comparing begins anew")
        scores = rows[start : start + step] @ rows.T  # (b, n)
        own = np.arange(len(scores))
        scores[own, start + own] = -np.inf
        best = np.partition(scores, count - wanted, axis=1)[:, count - wanted :]  # (b, wanted)
        means[start : start + step] = best.mean(axis=1)
        progress.advance(len(scores))
    progress.finish()
    return means
