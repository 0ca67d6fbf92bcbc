"""How good are embeddings at search? Leave-one-out figures, NumPy only.

Every row in turn is the query and all the others are the gallery. Similarity is cosine.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

# Weighted k-NN as in Wu et al., arXiv 1805.01978: k neighbours vote with exp(cosine / temperature).
KNN_NEIGHBOURS = 20
KNN_TEMPERATURE = 0.07

_QUERIES_AT_ONCE = 512


@dataclass(frozen=True)
class SearchQuality:
    """Leave-one-out figures in [0, 1]; higher is better."""

    knn: float
    precision_at_10: float
    mean_average_precision: float

    def to_json(self) -> dict[str, float]:
        """Rounded, for reports."""
        return {
            "knn": round(self.knn, 4),
            "precision_at_10": round(self.precision_at_10, 4),
            "mean_average_precision": round(self.mean_average_precision, 4),
        }


@dataclass(frozen=True, eq=False)
class QueryFigures:
    """The same figures query by query, for intervals and paired comparisons: `(n,)` float64."""

    knn: np.ndarray  # 1 where the vote is right, else 0
    precision_at_10: np.ndarray  # in [0, 1]
    average_precision: np.ndarray  # in [0, 1]; NaN for a query that is alone in its class

    def of(self, queries: slice | np.ndarray) -> "QueryFigures":
        """Those of some queries."""
        return QueryFigures(
            self.knn[queries], self.precision_at_10[queries], self.average_precision[queries]
        )

    def means(self) -> SearchQuality:
        """The figures over all queries."""
        known = self.average_precision[~np.isnan(self.average_precision)]
        return SearchQuality(
            knn=float(self.knn.mean()),
            precision_at_10=float(self.precision_at_10.mean()),
            mean_average_precision=float(known.mean()) if len(known) else 0.0,
        )


def query_figures(embeddings: np.ndarray, labels: np.ndarray) -> QueryFigures:
    """All figures of `(n, d)` embeddings under `(n,)` integer labels, every row as the query."""
    return QueryFigures(
        knn=knn_right(embeddings, labels).astype(np.float64),
        precision_at_10=precisions_at(embeddings, labels, k=10),
        average_precision=average_precisions(embeddings, labels),
    )


def unit(embeddings: np.ndarray) -> np.ndarray:
    """`(n, d)` rows scaled to length one; rows of zeros stay zero."""
    lengths = np.linalg.norm(embeddings.astype(np.float64), axis=1, keepdims=True)
    # In double precision, for a network that diverges gives rows whose squares overflow.
    scaled: np.ndarray = embeddings / np.maximum(lengths, 1e-12).astype(embeddings.dtype)
    return scaled


def centred(embeddings: np.ndarray) -> np.ndarray:
    """Unit rows `(n, d)` without what all photos of the collection have in common."""
    rows = unit(embeddings)
    return unit(rows - rows.mean(axis=0, keepdims=True))


def knn_accuracy(
    embeddings: np.ndarray,
    labels: np.ndarray,
    *,
    k: int = KNN_NEIGHBOURS,
    temperature: float = KNN_TEMPERATURE,
) -> float:
    """Share of rows whose class wins the weighted vote of their k nearest other rows.

    `embeddings` is `(n, d)`, `labels` is `(n,)` integers; k is cut to n - 1. Ties go to the
    lower class.
    """
    return float(knn_right(embeddings, labels, k=k, temperature=temperature).mean())


def knn_right(
    embeddings: np.ndarray,
    labels: np.ndarray,
    *,
    k: int = KNN_NEIGHBOURS,
    temperature: float = KNN_TEMPERATURE,
) -> np.ndarray:
    """For which rows the vote of `knn_accuracy` is right: `(n,)` bool."""
    classes, codes = np.unique(labels, return_inverse=True)
    k = min(k, len(codes) - 1)
    right = np.zeros(len(codes), bool)
    for start, scores in _similarities(embeddings):
        nearest = np.argpartition(-scores, k - 1, axis=1)[:, :k]
        weights = np.exp(np.take_along_axis(scores, nearest, axis=1) / temperature)
        votes = np.zeros((len(scores), len(classes)))
        for column in range(k):
            np.add.at(
                votes, (np.arange(len(scores)), codes[nearest[:, column]]), weights[:, column]
            )
        rows = slice(start, start + len(scores))
        right[rows] = votes.argmax(axis=1) == codes[rows]
    return right


def precision_at(embeddings: np.ndarray, labels: np.ndarray, *, k: int = 10) -> float:
    """Mean share of the k nearest other rows that are of the query's class; k is cut to n - 1."""
    return float(precisions_at(embeddings, labels, k=k).mean())


def precisions_at(embeddings: np.ndarray, labels: np.ndarray, *, k: int = 10) -> np.ndarray:
    """Every row's own share, `(n,)` float64; see `precision_at`."""
    k = min(k, len(labels) - 1)
    shares = np.zeros(len(labels))
    for start, scores in _similarities(embeddings):
        nearest = np.argpartition(-scores, k - 1, axis=1)[:, :k]
        rows = slice(start, start + len(scores))
        shares[rows] = (labels[nearest] == labels[rows, None]).mean(axis=1)
    return shares


def mean_average_precision(embeddings: np.ndarray, labels: np.ndarray) -> float:
    """Mean over queries of the average precision of the whole ranking.

    Queries that are alone in their class have no right answer and are left out.
    """
    found = average_precisions(embeddings, labels)
    known = found[~np.isnan(found)]
    return float(known.mean()) if len(known) else 0.0


def average_precisions(embeddings: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Every row's average precision, `(n,)` float64; NaN where it is alone in its class."""
    found = np.full(len(labels), np.nan)
    for start, scores in _similarities(embeddings):
        order = np.argsort(-scores, axis=1, kind="stable")[:, :-1]  # the query itself is last
        right = labels[order] == labels[start : start + len(scores), None]
        ranks = np.arange(1, right.shape[1] + 1)
        precision = right.cumsum(axis=1) / ranks
        count = right.sum(axis=1)
        average = (precision * right).sum(axis=1) / np.maximum(count, 1)
        found[start : start + len(scores)] = np.where(count > 0, average, np.nan)
    return found


def effective_rank(embeddings: np.ndarray) -> float:
    """RankMe (Garrido et al., arXiv 2210.02885, eq. 1): exp of the singular values' entropy.

    Between 1 (all rows along one line) and min(n, d).
    """
    return _entropy_rank(np.linalg.svd(np.asarray(embeddings, np.float64), compute_uv=False))


def rank_of_gram(products: np.ndarray) -> float:
    """The effective rank of rows, from their inner products `(n, n)` alone."""
    values = np.linalg.eigvalsh(np.asarray(products, np.float64))
    return _entropy_rank(np.sqrt(np.maximum(values, 0.0)))


def _entropy_rank(values: np.ndarray) -> float:
    total = values.sum()
    if total <= 0:
        return 1.0
    shares = values[values > 0] / total
    return float(np.exp(-(shares * np.log(shares)).sum()))


def spread(embeddings: np.ndarray) -> float:
    """How far unit rows are spread out: the mean of their coordinates' deviations, times sqrt(d).

    About 1 is healthy; 0 means that all photos have the same embedding.
    """
    rows = unit(embeddings)
    return float(rows.std(axis=0).mean() * np.sqrt(rows.shape[1]))


def retrieval_at_1(first: np.ndarray, second: np.ndarray) -> float:
    """Share of photos whose second view finds their own first view nearest among all first views.

    Both are `(n, d)` embeddings, row i of each from photo i.
    """
    return float(retrieved_first(first, second).mean())


def retrieved_first(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """For which photos that is so: `(n,)` bool; see `retrieval_at_1`."""
    nearest = (unit(second) @ unit(first).T).argmax(axis=1)
    found: np.ndarray = nearest == np.arange(len(first))
    return found


def folder_labels(paths: tuple[bytes, ...]) -> np.ndarray | None:
    """Classes by folder, `(n,)` int64; None where the folders do not look like classes.

    They do when there are at least two, every photo lies in one, and they hold on average at
    least four photos.
    """
    folders = [path.rsplit(b"/", 1)[0] if b"/" in path else b"" for path in paths]
    names, codes = np.unique(np.array(folders, dtype=object).astype("S"), return_inverse=True)
    if len(names) < 2 or b"" in folders or len(paths) < 4 * len(names):
        return None
    return codes.astype(np.int64)


def _similarities(embeddings: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Cosines of some queries with all rows, the query itself at minus infinity."""
    rows = unit(np.asarray(embeddings, np.float32))
    for start in range(0, len(rows), _QUERIES_AT_ONCE):
        scores = rows[start : start + _QUERIES_AT_ONCE] @ rows.T
        scores[np.arange(len(scores)), np.arange(start, start + len(scores))] = -np.inf
        yield start, scores
