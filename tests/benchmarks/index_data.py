"""Embeddings to measure indexes on, made by a fixed seed: realistic ones and hard ones."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import faiss
import numpy as np

K = 10


@dataclass(frozen=True)
class Data:
    """Rows to index, queries drawn alike that are not among them, and what they should find."""

    rows: np.ndarray  # (n, d) float32 unit rows
    queries: np.ndarray  # (m, d) float32 unit rows
    best: np.ndarray  # (m, K) float32, the scores of the true nearest


def make(kind: str, *, count: int, dim: int, queries: int, seed: int = 0) -> Data:
    """`realistic`: groups within groups of uneven size; `hard`: no groups at all."""
    drawn = {"realistic": _realistic, "hard": _hard}[kind](count + queries, dim, seed)
    rows, asked = drawn[:count], drawn[count:]
    return Data(rows, asked, _nearest(rows, asked))


def likeness(data: Data) -> str:
    """How near neighbours are, and strangers."""
    strangers = np.einsum("md,md->m", data.queries, data.rows[: len(data.queries)])
    return (
        f"mean cosine of a query to its nearest {data.best[:, 0].mean():.3f}, its tenth "
        f"{data.best[:, -1].mean():.3f}, to a stranger {strangers.mean():.3f}"
    )


def recall(data: Data, positions: np.ndarray) -> float:
    """The share of the true ten nearest that were found; of equal scores any is right."""
    scores = np.einsum("md,mkd->mk", data.queries, data.rows[positions])
    return float((scores >= data.best[:, -1:] - 1e-5).mean())


def timed(search: Callable[[np.ndarray], object], queries: np.ndarray) -> np.ndarray:
    """Milliseconds of each query, after a few that warm up."""
    for query in queries[:5]:
        search(query)
    times = []
    for query in queries:
        started = time.perf_counter()
        search(query)
        times.append(1000 * (time.perf_counter() - started))
    return np.array(times)


def _realistic(count: int, dim: int, seed: int) -> np.ndarray:
    """Kinds, kinds of kinds and single photos, about as near to each other as 3,068 garments are.

    Those, embedded by a MobileNetV2 and centred: .638 to the nearest, .508 to the tenth.
    """
    draws = np.random.default_rng(seed)
    rows = np.empty((count, dim), np.float32)
    levels = [
        (0.6, draws.standard_normal((40, dim))),
        (0.55, draws.standard_normal((1_000, dim))),
        (0.5, draws.standard_normal((max(1_000, count // 80), dim))),
    ]
    # Sizes fall by a power law: a few kinds are most of a collection.
    members = [_uneven(draws, len(centres), count) for _, centres in levels]
    spread = np.arange(1, dim + 1) ** -0.35
    spread *= np.sqrt(dim) / np.linalg.norm(spread)
    for start in range(0, count, 65_536):
        part = slice(start, min(start + 65_536, count))
        noise = 0.55 * spread * draws.standard_normal((part.stop - part.start, dim))
        rows[part] = noise
        for (weight, centres), of in zip(levels, members, strict=True):
            rows[part] += weight * centres[of[part]]
    return _unit(rows)


def _hard(count: int, dim: int, seed: int) -> np.ndarray:
    """One cloud, nearly round: the neighbours of a query lie everywhere."""
    draws = np.random.default_rng(seed)
    spread = (np.arange(1, dim + 1) ** -0.3).astype(np.float32)
    rows = draws.standard_normal((count, dim), dtype=np.float32)
    rows *= spread
    return _unit(rows)


def _uneven(draws: np.random.Generator, kinds: int, count: int) -> np.ndarray:
    shares = np.arange(1, kinds + 1) ** -0.5
    return draws.choice(kinds, size=count, p=shares / shares.sum())


def _unit(rows: np.ndarray) -> np.ndarray:
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def _nearest(rows: np.ndarray, queries: np.ndarray) -> np.ndarray:
    index = faiss.IndexFlatIP(rows.shape[1])
    index.add(rows)
    return np.asarray(index.search(queries, K)[0])
