"""Searching by neighbourhoods, against a slow literal transcription."""

import numpy as np
import pytest

from indexer.expansion import ALPHA, NEIGHBOURS, augmented, expanded_search
from indexer.neighbourhoods import Neighbourhoods, found_for
from indexer.records import Embeddings
from indexer.vectors import VectorIndex
from training.progress import Silent


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


@pytest.fixture
def stored(rng: np.random.Generator) -> Embeddings:
    rows = unit(rng.normal(size=(60, 8)) + 1)
    return Embeddings(1, "e", np.arange(60, dtype=np.int64) * 3 + 2, rows)


def neighbourhoods(stored: Embeddings) -> Neighbourhoods:
    return found_for(stored, before=None, progress=Silent(), stop=lambda: False)


def plainly(stored: Embeddings, query: np.ndarray, own: set[int]) -> list[tuple[int, float]]:
    """Expand the query, augment every photo, score, sort; a photo at a time."""

    def nearest(row: np.ndarray, leave_out: set[int]) -> list[tuple[float, int]]:
        scores = [
            (-float(other @ row), position)
            for position, other in enumerate(stored.rows)
            if int(stored.ids[position]) not in leave_out
        ]
        return [(-score, position) for score, position in sorted(scores)[:NEIGHBOURS]]

    def mean(parts: list[tuple[float, np.ndarray]]) -> np.ndarray:
        total = sum(max(score, 0) ** ALPHA * row for score, row in parts)
        return total / np.linalg.norm(total)

    expanded = mean([(1.0, query), *((s, stored.rows[p]) for s, p in nearest(query, own))])
    scores = []
    for photo_id, row in zip(stored.ids.tolist(), stored.rows, strict=True):
        moved = mean([(s, stored.rows[p]) for s, p in nearest(row, set())])
        scores.append((photo_id, float(moved @ expanded)))
    return sorted(scores, key=lambda pair: -pair[1])


@pytest.mark.parametrize("kept", [True, False], ids=["kept", "found for the query"])
@pytest.mark.parametrize("own", [set(), {2, 14}])
def test_the_ranking_is_that_of_the_definition(
    stored: Embeddings, rng: np.random.Generator, own: set[int], kept: bool
) -> None:
    query = unit(rng.normal(size=8) + 1)
    index = VectorIndex.build(stored)
    known = neighbourhoods(stored) if kept else None
    found = expanded_search(index, query, k=60, exclude=frozenset(own), known=known)
    expected = plainly(stored, query, own)
    assert [n.id for n in found] == [photo_id for photo_id, _ in expected]
    assert [n.score for n in found] == pytest.approx([s for _, s in expected], abs=1e-5)


def test_only_chosen_photos_are_found_while_neighbours_come_from_everywhere(
    stored: Embeddings, rng: np.random.Generator
) -> None:
    query = unit(rng.normal(size=8) + 1)
    index = VectorIndex.build(stored)
    chosen = stored.ids[::5]
    found = expanded_search(index, query, k=4, among=chosen)
    expected = [pair for pair in plainly(stored, query, set()) if pair[0] in chosen][:4]
    assert [n.id for n in found] == [photo_id for photo_id, _ in expected]


def test_a_gallery_of_one_and_an_empty_one_are_no_trouble() -> None:
    one = Embeddings(1, "e", np.array([5]), unit(np.ones((1, 4))))
    none = Embeddings(1, "e", np.empty(0, np.int64), np.empty((0, 4), np.float32))
    query = unit(np.ones(4))
    assert [n.id for n in expanded_search(VectorIndex.build(one), query, k=3)] == [5]
    assert expanded_search(VectorIndex.build(none), query, k=3) == []
    assert expanded_search(VectorIndex.build(one), query, k=3, exclude=frozenset({5}))
    found = expanded_search(VectorIndex.build(one), query, k=3, known=neighbourhoods(one))
    assert [n.id for n in found] == [5]


def test_neighbours_that_point_away_weigh_nothing() -> None:
    rows = unit(np.array([[1.0, 0.0], [-1.0, 0.1]]))
    assert augmented(rows, np.array([1.0, -0.9], np.float32)) == pytest.approx(rows[0])
