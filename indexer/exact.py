"""Exact nearest neighbours among rows: FAISS's kernels, on memory that FAISS does not own.

The rows may be mapped from a file, and nothing has to be parsed or copied before a search.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import faiss
import numpy as np

# By default small batches take FAISS's slow path: 5.7 times slower at 100 queries.
faiss.cvar.distance_compute_blas_threshold = 4


def nearest(
    rows: np.ndarray,
    queries: np.ndarray,
    k: int,
    *,
    allowed: np.ndarray | None = None,
    threads: int = 1,
) -> tuple[np.ndarray, np.ndarray]:
    """The `k` rows with the greatest inner products with each query, best first.

    Args:
        rows: `(n, d)` float32, contiguous.
        queries: `(m, d)` float32.
        k: how many for each, at most as many as there are to choose from.
        allowed: `(n,)` bool, the rows to choose from; None is all.
        threads: more than one gain nothing on one query, and lose 8 ms when another process is
            busy; a batch uses as many as it gets.

    Returns:
        Scores `(m, k)` float32 and positions `(m, k)` int64.
    """
    scores = np.empty((len(queries), k), np.float32)
    positions = np.empty((len(queries), k), np.int64)
    if scores.size == 0:
        return scores, positions
    assert rows.flags.c_contiguous, rows.strides
    assert rows.dtype == np.float32, rows.dtype
    asked = np.ascontiguousarray(queries, np.float32)
    faiss.omp_set_num_threads(threads)
    with selector(allowed) as only:
        faiss.knn_inner_product(
            faiss.swig_ptr(asked),
            faiss.swig_ptr(rows),
            rows.shape[1],
            len(asked),
            len(rows),
            k,
            faiss.swig_ptr(scores),
            faiss.swig_ptr(positions),
            only,
        )
    return scores, positions


@contextmanager
def selector(allowed: np.ndarray | None) -> Iterator[faiss.IDSelector | None]:
    """What makes FAISS look only at the positions that are True in `(n,)` bool; None for all."""
    if allowed is None:
        yield None
        return
    # FAISS keeps pointers only: the bits live as long as this block.
    bits = np.packbits(allowed, bitorder="little")
    yield faiss.IDSelectorBitmap(len(bits), faiss.swig_ptr(bits))
