"""The vector index: the nearest come first, of all photos or of some, whatever kind it is of."""

import faiss
import numpy as np
import pytest

from indexer.kinds import Choice
from indexer.records import Embeddings
from indexer.vectors import VectorIndex

ENCODER = "e" * 64


def embeddings(rows: np.ndarray, ids: np.ndarray | None = None, generation: int = 3) -> Embeddings:
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    given = np.arange(len(rows), dtype=np.int64) if ids is None else ids
    return Embeddings(generation, ENCODER, given, unit.astype(np.float32))


@pytest.fixture
def stored(rng: np.random.Generator) -> Embeddings:
    return embeddings(rng.normal(size=(50, 8)), ids=np.arange(50, dtype=np.int64) * 7 + 1)


def test_the_nearest_come_first_under_their_own_ids(stored: Embeddings) -> None:
    found = VectorIndex.build(stored).search(stored.rows[20], k=3)
    assert found[0].id == stored.ids[20]
    assert found[0].score == pytest.approx(1)
    assert [n.score for n in found] == sorted((n.score for n in found), reverse=True)


def test_equal_embeddings_come_in_the_order_of_their_ids() -> None:
    ids = np.array([2, 4, 9, 11, 30], dtype=np.int64)
    index = VectorIndex.build(embeddings(np.ones((5, 8)), ids))
    assert [n.id for n in index.search(np.full(8, 8**-0.5, np.float32), k=3)] == [2, 4, 9]


def test_an_empty_index_finds_nothing() -> None:
    index = VectorIndex.build(embeddings(np.ones((1, 8))))
    empty = VectorIndex.build(Embeddings(1, ENCODER, np.empty(0, np.int64), np.empty((0, 8), "f4")))
    assert len(index.search(np.ones(8, np.float32), k=5)) == 1
    assert empty.search(np.ones(8, np.float32), k=5) == []


def test_an_embedding_comes_back_by_id_and_an_unknown_id_is_none(stored: Embeddings) -> None:
    index = VectorIndex.build(stored)
    np.testing.assert_array_equal(index.embedding(int(stored.ids[5])), stored.rows[5])
    assert index.embedding(5_000) is None


def test_the_search_device_never_loses_the_vectors(stored: Embeddings) -> None:
    """FAISS's copy to no GPU at all is an empty index that finds nothing, without an error."""
    index = VectorIndex.build(stored)
    assert index.device == ("GPU" if faiss.get_num_gpus() else "CPU")
    assert len(index.search(stored.rows[0], k=50)) == 50
    if not faiss.get_num_gpus():
        trap = faiss.index_cpu_to_all_gpus(faiss.index_factory(8, "Flat"))
        assert trap.ntotal == 0, "the trap is gone: the guard in _gpu_copy may go too"


@pytest.mark.skipif(faiss.get_num_gpus() > 0, reason="there is a GPU here")
def test_without_a_gpu_nothing_is_copied_to_an_index_that_would_be_empty(
    stored: Embeddings,
) -> None:
    flat = faiss.IndexFlatIP(8)
    flat.add(stored.rows)
    assert faiss.index_cpu_to_all_gpus(flat).ntotal == 0, "the trap is still there"
    index = VectorIndex.build(stored)
    assert index.device == "CPU"
    assert len(index.search(stored.rows[0], k=5)) == 5


def test_ids_that_lie_far_apart_narrow_a_search_too(stored: Embeddings) -> None:
    far = Embeddings(3, ENCODER, stored.ids * 10**12, stored.rows)
    index = VectorIndex.build(far)
    among = np.array([10**12, 8 * 10**12, -1, 5], dtype=np.int64)
    assert {n.id for n in index.search(stored.rows[9], k=9, among=among)} == {10**12, 8 * 10**12}


def test_half_precision_finds_and_scores_what_an_exact_search_does(
    stored: Embeddings, rng: np.random.Generator
) -> None:
    """Also where half precision cannot tell rows apart: many are almost the same."""
    rows = np.repeat(stored.rows, 20, axis=0) + rng.normal(0, 1e-4, (1000, 8))
    close = embeddings(rows, np.arange(1000, dtype=np.int64))
    half = VectorIndex.build(close, Choice("half", ""))
    assert half.coarse is not None
    for query in close.rows[::97]:
        assert half.search(query, k=10) == VectorIndex.build(close).search(query, k=10)


def test_neighbourhoods_are_those_of_a_search(stored: Embeddings) -> None:
    for kind in ("exact", "half"):
        index = VectorIndex.build(stored, Choice(kind, ""))
        rows, scores = index.neighbourhoods(stored.ids[[30, 4]], k=5)
        for place, position in enumerate((30, 4)):
            expected = index.search(stored.rows[position], k=5)
            assert scores[place] == pytest.approx([n.score for n in expected], abs=1e-6)
            found = [index.embedding(n.id) for n in expected]
            np.testing.assert_array_equal(rows[place], np.array(found))
