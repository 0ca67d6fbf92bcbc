"""The vector index: finds the stored embeddings nearest to a query, of all or of some photos."""

import logging
import threading
from dataclasses import dataclass

import faiss
import numpy as np

from indexer import coarse as coarsely
from indexer import exact, providers
from indexer.coarse import SPARE, Coarse
from indexer.kinds import Choice, Machine, this_machine, without_cells
from indexer.records import Embeddings

# Scores this close may be one score, summed in another order.
TIE = 1e-5

# A GPU selects at most this many neighbours.
GPU_MOST = 2048

EXACT = Choice("exact", "every photo is compared")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A stored embedding near a query."""

    id: int
    score: float  # cosine


class VectorIndex:
    """Embeddings by id. Safe to share between threads.

    The rows are at hand as they are, in memory or mapped from a file. A coarse index, where there
    is one, only proposes; whatever is asked of a part of the photos is compared with all of it.

    With a GPU exact searches run there, on a copy: filling it is but a copy.
    """

    def __init__(
        self, stored: Embeddings, *, choice: Choice = EXACT, coarse: Coarse | None = None
    ) -> None:
        self.generation = stored.generation  # of the catalogue it was built from
        self.encoder = stored.encoder  # fingerprint
        self.choice = choice
        self.coarse = coarse
        self._ids = stored.ids
        self._rows = stored.rows
        self._on_gpu = _gpu_copy(stored.rows) if coarse is None else None
        self._gpu_lock = threading.Lock()  # FAISS's GPU resources serve one thread at a time

    @classmethod
    def build(
        cls,
        stored: Embeddings,
        choice: Choice = EXACT,
        *,
        before: "VectorIndex | None" = None,
        machine: Machine | None = None,
    ) -> "VectorIndex":
        """An index of all of them, of the kind chosen.

        It stays exact where an approximate one would not find enough.

        Args:
            stored: the embeddings.
            choice: of `kinds.choose`.
            before: the index of an earlier generation, whose training is used again.
            machine: where it will be searched; None is this one.
        """
        coarse = None
        if choice.kind == "approximate":
            coarse = _in_cells(stored, before)
            if coarse is None:
                choice = without_cells(
                    *stored.rows.shape,
                    wanted=choice.wanted,
                    machine=machine or this_machine(),
                    why=_too_little(len(stored.ids)),
                )
        if choice.kind == "half":
            faiss.omp_set_num_threads(providers.cores())
            coarse = coarsely.half_precision(stored.rows)
        return cls(stored, choice=choice, coarse=coarse)

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def dim(self) -> int:
        """The length of an embedding."""
        return int(self._rows.shape[1])

    @property
    def device(self) -> str:
        """Where it searches: `GPU` or `CPU`."""
        return "CPU" if self._on_gpu is None else "GPU"

    @property
    def ids(self) -> np.ndarray:
        """The ids `(n,)` int64, ascending; read-only."""
        return _read_only(self._ids)

    @property
    def rows(self) -> np.ndarray:
        """All embeddings `(n, d)` float32, unit rows: the index's own memory, read-only."""
        return _read_only(self._rows)

    @property
    def stored(self) -> Embeddings:
        """What it was built from: the index's own memory, read-only."""
        return Embeddings(self.generation, self.encoder, self.ids, self.rows)

    def embedding(self, photo_id: int) -> np.ndarray | None:
        """The stored `(d,)` float32 unit row; None when the id is not in the index."""
        position = int(np.searchsorted(self._ids, photo_id))
        if position == len(self) or self._ids[position] != photo_id:
            return None
        return np.array(self._rows[position])

    def search(
        self, query: np.ndarray, *, k: int, among: np.ndarray | None = None
    ) -> list[Neighbour]:
        """The `k` best, fewer if there are no more: best score first, ties by id.

        Args:
            query: `(d,)` float32, of unit length.
            k: how many are wanted.
            among: ids `(m,)` int64 to choose from, in any order, unknown ones no matter; None
                is all. It narrows the search itself, so `k` are found when there are `k`.
        """
        allowed = None if among is None else self._positions_of(among)  # (n,) bool
        most = len(self) if allowed is None else int(np.count_nonzero(allowed))
        slack = TIE + (self.coarse.slack if self.coarse else 0.0)
        k = min(k, most)
        wanted = min(SPARE * k, most)
        while k > 0:
            found = self._rescored(query, self._candidates(query, wanted, allowed))
            # Unless the last one found is clearly worse than the k-th, its equals may follow.
            if wanted == most or found[-1].score < found[k - 1].score - slack:
                return found[:k]
            wanted = min(2 * wanted, most)
        return []

    def nearest(
        self, queries: np.ndarray, *, k: int, threads: int = 1
    ) -> tuple[np.ndarray, np.ndarray]:
        """For a batch: scores `(m, k)` float32 and positions in `rows`, `(m, k)` int64.

        Args:
            queries: `(m, d)` float32 unit rows.
            k: how many for each, at most as many as there are.
            threads: how many may work on it.
        """
        # Half precision is for single queries: batches go through BLAS, which is faster still.
        if self.coarse is not None and not self.coarse.compares_all:
            return coarsely.nearest(self.coarse, self._rows, queries, k, threads=threads)
        return exact.nearest(self._rows, queries, k, threads=threads)

    def neighbourhoods(self, ids: np.ndarray, *, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The `k` photos nearest to each of some, themselves among them.

        Args:
            ids: `(m,)` int64, all of them in the index.
            k: how many for each, at most as many as there are.

        Returns:
            Their rows `(m, k, d)` float32 and scores `(m, k)` float32.
        """
        # One thread: a few milliseconds of work, and a barrier would wait for a busy core.
        asked = self._rows[np.searchsorted(self._ids, ids)]  # (m, d)
        scores, positions = self.nearest(asked, k=k)
        return self._rows[positions], scores

    def _positions_of(self, ids: np.ndarray) -> np.ndarray:
        """Which positions hold one of `(m,)` ids: `(n,)` bool.

        Ids are numbered from 1 in the catalogue, so a table of all of them is small; it is three
        times as fast as `np.isin`, and fifteen times as fast as a binary search for each.
        """
        count, last = len(self), int(self._ids[-1]) if len(self) else 0
        if last > 16 * count + 1024:
            return np.asarray(np.isin(self._ids, ids))
        wanted = np.zeros(last + 1, dtype=bool)
        wanted[ids[(ids >= 0) & (ids <= last)]] = True
        return np.asarray(wanted[self._ids])

    def _candidates(self, query: np.ndarray, k: int, allowed: np.ndarray | None) -> np.ndarray:
        """Positions `(k,)` int64 of the `k` nearest allowed rows, as far as FAISS can tell."""
        asked = query[np.newaxis].astype(np.float32)  # (1, d)
        if self._on_gpu is not None and k <= GPU_MOST and allowed is None:
            with self._gpu_lock:
                return np.asarray(self._on_gpu.search(asked, k)[1][0])
        if self.coarse is not None and (allowed is None or self.coarse.compares_all):
            proposed: np.ndarray = self.coarse.propose(asked, k, allowed=allowed)[0]
            if proposed[-1] >= 0:
                return proposed
        _, positions = exact.nearest(self._rows, asked, k, allowed=allowed)
        found: np.ndarray = positions[0]
        return found

    def _rescored(self, query: np.ndarray, positions: np.ndarray) -> list[Neighbour]:
        """Score each in the same order of operations, so that equal embeddings score equal."""
        scores = cosines(self._rows[positions], query)  # (k,)
        ids = self._ids[positions]
        order = np.lexsort((ids, -scores))
        return [
            Neighbour(photo_id, score)
            for photo_id, score in zip(ids[order].tolist(), scores[order].tolist(), strict=True)
        ]


def cosines(rows: np.ndarray, query: np.ndarray) -> np.ndarray:
    """Scores `(n,)` float32 of `(n, d)` unit rows; a row's score does not depend on the others."""
    return np.asarray((rows * query).sum(axis=1), dtype=np.float32)


def _read_only(array: np.ndarray) -> np.ndarray:
    view = array.view()
    view.flags.writeable = False
    return view


def _in_cells(stored: Embeddings, before: VectorIndex | None) -> Coarse | None:
    """An approximate index, from the one before where that has one; None where it finds too few."""
    threads = providers.cores()
    if before is not None and before.choice.kind == "approximate" and before.coarse is not None:
        found = coarsely.brought_up_to_date(before.coarse, before.stored, stored, threads=threads)
        if found is not None:
            return found
    return coarsely.in_cells(stored.rows, threads=threads)


def _too_little(count: int) -> str:
    if count < coarsely.FEWEST_PHOTOS:
        return f"cells are for {coarsely.FEWEST_PHOTOS:,} photos and more"
    least = f"{coarsely.LEAST_RECALL:.0%}"
    return f"a quarter of the cells does not surely hold {least} of the ten nearest"


def _gpu_copy(rows: np.ndarray) -> faiss.Index | None:
    """An exact index of the rows on all GPUs; None without one.

    Asked first because without a GPU FAISS's own copy is an empty index that finds nothing.
    """
    if faiss.get_num_gpus() == 0:
        return None
    index = faiss.IndexFlatIP(rows.shape[1])
    index.add(rows)
    try:
        copy = faiss.index_cpu_to_all_gpus(index)
    except RuntimeError as error:  # its memory is full
        _log.warning("searches run on the CPU, the GPU did not take the index: %s", error)
        return None
    assert copy.ntotal == index.ntotal, (copy.ntotal, index.ntotal)
    return copy
