"""Search by neighbourhoods: queries and photos are both moved towards what lies near them.

Alpha query expansion adds to a query its best hits, each by its score to the power alpha (Chum et
al., Total Recall, ICCV 2007; Radenovic et al., arXiv 1711.02512, section 4). Database-side
augmentation does the same to every photo (Arandjelovic and Zisserman, CVPR 2012; Turcot and Lowe,
2009): a photo becomes the mean of its neighbours. Both sharpen a ranking by category, and blur
what is special about a photo, so classifiers keep to the embeddings as they are.
"""

import numpy as np

from indexer.neighbourhoods import MOST_PHOTOS, NEIGHBOURS, Neighbourhoods
from indexer.vectors import Neighbour, VectorIndex

ALPHA = 3

# Where it is on by default: smaller galleries have few neighbours, and in larger ones, whose
# neighbourhoods are not kept, a query would take seconds.
FEWEST_PHOTOS = 1_000

# Photos that are augmented for one query, at least: those behind cannot come to the front.
CANDIDATES = 200


def pays(photos: int) -> bool:
    """Whether a gallery of so many photos is searched by neighbourhoods unless told otherwise."""
    return FEWEST_PHOTOS <= photos <= MOST_PHOTOS


def expanded_search(
    index: VectorIndex,
    query: np.ndarray,
    *,
    k: int,
    among: np.ndarray | None = None,
    exclude: frozenset[int] = frozenset(),
    known: Neighbourhoods | None = None,
) -> list[Neighbour]:
    """The `k` best by neighbourhoods; scores are cosines of expanded query and augmented photos.

    Only those photos are augmented that can come to the front.

    Args:
        index: all photos.
        query: `(d,)` float32, of unit length.
        k: how many are wanted.
        among: ids `(m,)` int64 to choose from; None is all. Neighbours come from everywhere.
        exclude: ids that the query is made of: they would only pull it back to itself.
        known: the neighbourhoods of all photos; None finds those that are needed, which takes
            most of the time.
    """
    if len(index) == 0:
        return []
    few = min(NEIGHBOURS, len(index))
    near = [n for n in index.search(query, k=few + len(exclude)) if n.id not in exclude][:few]
    expanded = expanded_query(query, *_rows_of(index, near))
    found = index.search(expanded, k=max(CANDIDATES, 4 * k), among=among)
    if not found:
        return []
    ids = np.array([n.id for n in found], dtype=np.int64)
    around = known.of(ids, index.rows) if known else index.neighbourhoods(ids, k=few)
    scores = augmented(*around) @ expanded  # (m,)
    order = np.lexsort((ids, -scores))[:k]
    return [Neighbour(int(ids[i]), float(scores[i])) for i in order]


def _rows_of(index: VectorIndex, near: list[Neighbour]) -> tuple[np.ndarray, np.ndarray]:
    """Rows `(m, d)` and scores `(m,)` of neighbours."""
    rows = [index.embedding(n.id) for n in near]
    stacked = np.array(rows, dtype=np.float32).reshape(len(near), index.dim)
    return stacked, np.array([n.score for n in near], dtype=np.float32)


def augmented(rows: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The mean of neighbours, each weighted by its score to the power `ALPHA`, of unit length.

    Args:
        rows: `(..., m, d)` float32 unit rows, the neighbours of each of `...` photos.
        scores: `(..., m)` float32, their cosines; negative ones weigh nothing.

    Returns:
        `(..., d)` float32.
    """
    weights = np.maximum(scores, 0.0) ** ALPHA  # (..., m)
    means = np.einsum("...m,...md->...d", weights, rows)  # (..., d)
    lengths = np.linalg.norm(means, axis=-1, keepdims=True)
    return np.asarray(means / np.maximum(lengths, 1e-12), dtype=np.float32)


def expanded_query(query: np.ndarray, rows: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """A query and its best hits in one: `(d,)` float32, of unit length.

    Args:
        query: `(d,)` float32, of unit length.
        rows: `(m, d)` float32 unit rows, the best hits.
        scores: `(m,)` float32, their cosines with the query.
    """
    together = np.concatenate([query[np.newaxis], rows])  # (1 + m, d)
    return augmented(together, np.concatenate([np.ones(1, np.float32), scores]))
