"""Indexes that propose candidates without reading every row in full.

What they propose is always scored again from the rows themselves, so that scores, their order and
their ties are those of an exact search.
"""

from dataclasses import dataclass

import faiss
import numpy as np

from indexer import exact
from indexer.reading import reading
from indexer.records import Embeddings

# So many times the neighbours that are wanted are proposed: what 8 or 16 bits a number cannot
# tell apart, the rows decide.
SPARE = 2

# Half precision rounds a number by at most 2^-11 of it, so a score of unit rows by at most 2^-11,
# up or down.
HALF_SLACK = 2 * 2.0**-11

# The share of the true ten nearest that an approximate index must find, for other queries than
# those it is measured with too: the lower bound of the measured mean has to reach it. Going by the
# mean itself, .980 once turned out to be .979.
RECALL_AT = 10
LEAST_RECALL = 0.98

# Stored photos that are searched for to measure it: a standard error of 0.2 % or less.
QUERIES = 1_000

# Standard errors from a mean to its one-sided 95 % bound, by the normal distribution.
_Z95_ONE_SIDED = 1.644854

# Where more of the cells must be looked at, comparing everything in half precision is as fast.
MOST_CELLS = 1 / 4

# Below this a search takes no time in any way.
FEWEST_PHOTOS = 1_000

# k-means over so many photos a cell: four times as many take four times as long, and the cells
# are no better.
TRAINED_ON = 64


@dataclass(frozen=True, slots=True, eq=False)
class Coarse:
    """An index over positions of rows."""

    index: faiss.Index
    slack: float = 0.0  # a row not proposed scores at most this much above the worst proposed one
    cells: int = 0  # that a search looks at; 0 where there are none
    recall: float | None = None  # measured; None: it finds all

    @property
    def compares_all(self) -> bool:
        """Whether a row that was not proposed is surely none of the best."""
        return self.cells == 0

    def propose(
        self,
        queries: np.ndarray,
        k: int,
        *,
        allowed: np.ndarray | None = None,
        threads: int = 1,
    ) -> np.ndarray:
        """Positions `(m, k)` int64 of rows near `(m, d)` float32 queries; -1 where it has none.

        Args:
            queries: what to look for.
            k: how many for each.
            allowed: `(n,)` bool, the rows to choose from; None is all.
            threads: how many may work on it.
        """
        faiss.omp_set_num_threads(threads)
        with exact.selector(allowed) as only:
            asked = self._parameters()
            asked.sel = only
            return np.asarray(self.index.search(queries, k, params=asked)[1])

    def _parameters(self) -> faiss.SearchParameters:
        if self.compares_all:
            return faiss.SearchParameters()
        probing = faiss.SearchParametersIVF()
        probing.nprobe = self.cells
        return probing


def nearest(
    coarse: Coarse, rows: np.ndarray, queries: np.ndarray, k: int, *, threads: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """As `exact.nearest`, among what is proposed; where that is too little, among all."""
    proposed = coarse.propose(queries, min(SPARE * k, len(rows)), threads=threads)  # (m, s)
    scores = np.einsum("md,msd->ms", queries, rows[proposed])
    scores[proposed < 0] = -np.inf
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    scores = np.take_along_axis(scores, order, axis=1)
    positions = np.take_along_axis(proposed, order, axis=1)
    short = np.isneginf(scores).any(axis=1)
    if short.any():
        found = exact.nearest(rows, queries[short], k, threads=threads)
        scores[short], positions[short] = found
    return scores, positions


def half_precision(rows: np.ndarray) -> Coarse:
    """All rows in half precision: half the memory to read, and nothing is lost."""
    dim = rows.shape[1]
    kind = faiss.ScalarQuantizer.QT_fp16
    index = faiss.IndexScalarQuantizer(dim, kind, faiss.METRIC_INNER_PRODUCT)
    index.add(rows)
    return Coarse(index, slack=HALF_SLACK)


def in_cells(rows: np.ndarray, *, threads: int, seed: int = 0) -> Coarse | None:
    """Rows of eight bits a number, in cells around centres of which a search looks at a few.

    Args:
        rows: `(n, d)` float32 unit rows.
        threads: for training.
        seed: of the training, and of the photos that the recall is measured with.

    Returns:
        The index, looking at as few cells as surely find `LEAST_RECALL` of the neighbours; None
        where a quarter of the cells does not, or there are too few photos.
    """
    if len(rows) < FEWEST_PHOTOS:
        return None
    faiss.omp_set_num_threads(threads)
    return calibrated(_trained(rows, seed=seed), rows, threads=threads, seed=seed)


def brought_up_to_date(
    before: Coarse, old: Embeddings, new: Embeddings, *, threads: int, seed: int = 0
) -> Coarse | None:
    """The same cells, without the photos that left and with those that came; calibrated anew.

    Training is most of the work, and cells stay good while a collection changes a little.

    Returns:
        None where the collection has outgrown its cells, or they do not find enough any more.
    """
    assert isinstance(before.index, faiss.IndexIVF)
    if before.index.nlist != _cells_for(len(new.rows)):
        return None
    places = np.searchsorted(new.ids, old.ids)  # (n,), of the old rows among the new ones
    places[places == len(new.ids)] = 0
    stays = new.ids[places] == old.ids
    stays[stays] = (new.rows[places[stays]] == old.rows[stays]).all(axis=1)
    came = np.ones(len(new.ids), dtype=bool)
    came[places[stays]] = False
    faiss.omp_set_num_threads(threads)
    # A copy in memory: the old one may be mapped, and others search it.
    data = faiss.serialize_index(before.index)
    with reading(len(data)):
        index = faiss.deserialize_index(data)
    assert isinstance(index, faiss.IndexIVF)
    with exact.selector(~stays) as gone:
        assert gone is not None
        index.remove_ids(gone)
    lists = index.invlists
    assert lists is not None
    for cell in range(index.nlist):
        if count := lists.list_size(cell):
            positions = faiss.rev_swig_ptr(lists.get_ids(cell), count)
            positions[:] = places[positions]
    index.add_with_ids(new.rows[came], np.flatnonzero(came))
    return calibrated(index, new.rows, threads=threads, seed=seed)


def calibrated(
    index: faiss.IndexIVF, rows: np.ndarray, *, threads: int, seed: int = 0
) -> Coarse | None:
    """The index, looking at as few of its cells as surely find enough; None where a quarter fails.

    Stored photos are looked for, and must find the others: themselves they find always.
    """
    drawn = np.random.default_rng(seed).permutation(len(rows))[:QUERIES]
    queries = rows[np.sort(drawn)]
    own = np.sort(drawn)[:, np.newaxis]
    best = _others(*exact.nearest(rows, queries, RECALL_AT + 1, threads=threads), own)
    for cells in _counts(int(MOST_CELLS * index.nlist)):
        coarse = Coarse(index, cells=cells)
        found = _others(*nearest(coarse, rows, queries, RECALL_AT + 1, threads=threads), own)
        # By score: of photos that score the same, any is right.
        shares = (found >= best[:, -1:] - 1e-6).mean(axis=1)  # (m,)
        if lower_bound(shares) >= LEAST_RECALL:
            return Coarse(index, cells=cells, recall=float(shares.mean()))
    return None


def lower_bound(shares: np.ndarray) -> float:
    """The least that the mean of all queries is, with 95 % confidence, from `(m,)` of them.

    One-sided, by the normal approximation: mean - 1.645 s / sqrt(m), s the standard deviation.
    """
    return float(shares.mean() - _Z95_ONE_SIDED * shares.std(ddof=1) / np.sqrt(len(shares)))


def _trained(rows: np.ndarray, *, seed: int) -> faiss.IndexIVF:
    """The cells, with all rows in them."""
    factory = f"IVF{_cells_for(len(rows))},SQ8"
    index = faiss.index_factory(rows.shape[1], factory, faiss.METRIC_INNER_PRODUCT)
    assert isinstance(index, faiss.IndexIVF)
    index.cp.seed = seed + 1  # FAISS takes 0 for none
    index.cp.max_points_per_centroid = TRAINED_ON
    index.cp.min_points_per_centroid = 1  # it would warn of cells with few
    index.train(rows)
    index.add(rows)
    return index


def _cells_for(count: int) -> int:
    """A power of two near four times the root, as FAISS's guidelines have it below a million."""
    return int(2 ** round(np.log2(4 * np.sqrt(max(count, 1)))))


def _others(scores: np.ndarray, positions: np.ndarray, own: np.ndarray) -> np.ndarray:
    """The best `RECALL_AT` scores `(m, RECALL_AT)` without each query's own, falling."""
    scores = np.where(positions == own, -np.inf, scores)
    return -np.sort(-scores, axis=1)[:, :RECALL_AT]


def _counts(most: int) -> list[int]:
    """1, 2, 3, 4, 6, 8, 12, 16 and so on, up to `most`."""
    doubled = [step << power for power in range(most.bit_length()) for step in (2, 3)]
    return [1, *sorted(count for count in doubled if count <= most)]
