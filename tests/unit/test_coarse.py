"""Approximate indexes: calibrated on the gallery's own photos, or not used."""

import faiss
import numpy as np
import pytest

from indexer import coarse, exact
from indexer.coarse import calibrated, in_cells
from indexer.kinds import Choice
from indexer.reading import reading
from indexer.records import Embeddings
from indexer.vectors import VectorIndex


def unit(rows: np.ndarray) -> np.ndarray:
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return rows.astype(np.float32)


@pytest.fixture(scope="module")
def grouped() -> np.ndarray:
    """Photos in some hundred groups: what learned embeddings are like."""
    rng = np.random.default_rng(1)
    centres = rng.normal(size=(100, 24))
    return unit(centres[rng.integers(0, 100, 4_000)] + rng.normal(0, 0.3, (4_000, 24)))


@pytest.fixture(scope="module")
def scattered() -> np.ndarray:
    """Photos without any group: the neighbours of one lie in every cell."""
    return unit(np.random.default_rng(2).normal(size=(4_000, 96)))


def test_the_recall_that_is_told_is_that_of_photos_it_was_not_tuned_on(
    grouped: np.ndarray,
) -> None:
    rng = np.random.default_rng(3)
    found = in_cells(grouped, threads=2)
    assert found is not None
    assert found.recall is not None
    queries = unit(grouped[rng.integers(0, 4_000, 500)] + rng.normal(0, 0.02, (500, 24)))
    best, _ = exact.nearest(grouped, queries, 10)
    scores, positions = coarse.nearest(found, grouped, queries, 10)
    np.testing.assert_allclose(scores, np.einsum("md,mkd->mk", queries, grouped[positions]), 1e-5)
    assert (scores >= best[:, -1:] - 1e-6).mean() == pytest.approx(found.recall, abs=0.02)


def test_as_few_cells_are_looked_at_as_find_enough(grouped: np.ndarray) -> None:
    found = in_cells(grouped, threads=1)
    assert found is not None
    assert 1 <= found.cells < found.index.nlist / 4
    assert found.recall is not None
    assert found.recall >= 0.98
    asked = np.sort(np.random.default_rng(0).permutation(4_000)[:1_000])
    counts = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64]
    fewer = counts[counts.index(found.cells) - 1]
    for cells, enough in ((found.cells, True), (fewer, False)):
        shares = recalls(coarse.Coarse(found.index, cells=cells), grouped, asked)
        assert (shares.mean() - 1.645 * shares.std() / np.sqrt(1_000) >= 0.98) == enough


def recalls(index: coarse.Coarse, rows: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """For each of some stored photos, which share of its ten nearest others it finds."""
    shares = []
    for own in asked:
        best = np.sort(np.delete(rows @ rows[own], own))[-10]
        found = coarse.nearest(index, rows, rows[own][np.newaxis], 11)[1][0]
        scores = np.sort(rows[found[found != own]] @ rows[own])[-10:]
        shares.append(np.mean(scores >= best - 1e-6))
    return np.array(shares)


@pytest.mark.parametrize(
    ("shares", "bound"),
    [
        ([1.0] * 10, 1.0),
        ([0.9, 1.0] * 50, 0.95 - 1.644854 * 0.05 / np.sqrt(99)),
        ([1.0] * 99 + [0.0], 0.99 - 1.644854 * 0.1 / 10),
    ],
)
def test_a_mean_is_believed_as_far_as_its_queries_tell(shares: list[float], bound: float) -> None:
    assert coarse.lower_bound(np.array(shares)) == pytest.approx(bound)


def test_a_mean_that_may_be_chance_is_not_enough() -> None:
    """Where exactly 98 % are found, one calibration in twenty says that it is more."""
    rng = np.random.default_rng(8)
    drawn = rng.binomial(10, 0.98, size=(4_000, 1_000)) / 10
    above = np.mean([coarse.lower_bound(shares) > 0.98 for shares in drawn])
    assert above == pytest.approx(0.05, abs=0.01)


def test_it_is_not_used_where_it_would_not_find_enough(scattered: np.ndarray) -> None:
    stored = Embeddings(1, "e", np.arange(4_000, dtype=np.int64), scattered)
    index = VectorIndex.build(stored, Choice("approximate", "", "approximate"))
    assert (index.choice.kind, index.choice.wanted) == ("exact", "approximate")
    assert "a quarter of the cells does not surely hold 98% of the ten nearest" in index.choice.why
    few = Embeddings(1, "e", np.arange(999, dtype=np.int64), scattered[:999])
    small = VectorIndex.build(few, Choice("approximate", "", "approximate"))
    assert "1,000 photos and more" in small.choice.why


def test_two_trainings_make_the_same_index(grouped: np.ndarray) -> None:
    first, second = (in_cells(grouped, threads=2) for _ in range(2))
    assert first is not None
    assert second is not None
    np.testing.assert_array_equal(
        faiss.serialize_index(first.index), faiss.serialize_index(second.index)
    )
    assert (first.cells, first.recall) == (second.cells, second.recall)


def test_reading_a_small_index_leaves_the_way_free_for_a_larger_one(grouped: np.ndarray) -> None:
    before = faiss.get_deserialization_vector_byte_limit()
    index = in_cells(grouped, threads=2)
    assert index is not None
    data = faiss.serialize_index(index.index)
    with pytest.raises(RuntimeError, match="byte_limit"), reading(100):
        faiss.deserialize_index(data)
    assert faiss.get_deserialization_vector_byte_limit() == before
    with reading(len(data)):
        assert faiss.deserialize_index(data).ntotal == len(grouped)


def test_cells_are_kept_while_photos_come_and_go(grouped: np.ndarray) -> None:
    first = Embeddings(1, "e", np.arange(3_500, dtype=np.int64), grouped[:3_500])
    before = VectorIndex.build(first, Choice("approximate", "", "approximate"))
    ids = np.concatenate([np.arange(0, 1_000), np.arange(1_300, 4_000)])
    rows = grouped[ids].copy()
    rows[5] = grouped[3_999]  # a photo that was embedded anew
    second = Embeddings(2, "e", ids, rows)

    index = VectorIndex.build(second, Choice("approximate", "", "approximate"), before=before)

    assert before.coarse is not None
    assert index.coarse is not None
    assert index.coarse.index.ntotal == len(ids)
    centres = [one.coarse.index.quantizer.reconstruct_n() for one in (before, index)]
    np.testing.assert_array_equal(*centres)
    everything = np.sort(index.coarse.propose(rows[:1], len(ids))[0])
    assert set(everything.tolist()) <= {-1, *range(len(ids))}
    for position in (0, 5, 999, 1_000, 2_500, len(ids) - 1):
        assert index.search(rows[position], k=1)[0].score == pytest.approx(1)
    plain = VectorIndex.build(second)
    same = [
        {n.id for n in index.search(row, k=10)} & {n.id for n in plain.search(row, k=10)}
        for row in rows[::50]
    ]
    assert np.mean([len(found) for found in same]) >= 9.6
    assert before.search(grouped[0], k=5) == VectorIndex.build(first).search(grouped[0], k=5)


def test_a_collection_that_outgrew_its_cells_is_trained_anew(grouped: np.ndarray) -> None:
    few = Embeddings(1, "e", np.arange(1_000, dtype=np.int64), grouped[:1_000])
    before = VectorIndex.build(few, Choice("approximate", "", "approximate"))
    every = Embeddings(2, "e", np.arange(4_000, dtype=np.int64), grouped)
    index = VectorIndex.build(every, Choice("approximate", "", "approximate"), before=before)
    assert before.coarse is not None
    assert index.coarse is not None
    assert index.coarse.index.nlist > before.coarse.index.nlist


def test_exact_copies_do_not_hide_a_poor_recall(scattered: np.ndarray) -> None:
    """A photo and its copies find each other in any cell; they count no more than others."""
    index = faiss.index_factory(96, "IVF64,SQ8", faiss.METRIC_INNER_PRODUCT)
    assert isinstance(index, faiss.IndexIVF)
    rows = np.concatenate([scattered[:1_000], scattered[:1_000]])
    index.train(rows)
    index.add(rows)
    assert calibrated(index, rows, threads=1) is None


def approximate(rows: np.ndarray) -> VectorIndex:
    stored = Embeddings(1, "e", np.arange(len(rows), dtype=np.int64) + 1, rows)
    index = VectorIndex.build(stored, Choice("approximate", "", "approximate"))
    assert index.choice.kind == "approximate"
    return index


def test_scores_are_exact_and_best_first(grouped: np.ndarray) -> None:
    index = approximate(grouped)
    for position in (0, 77, 3_999):
        found = index.search(grouped[position], k=10)
        assert found[0].id == position + 1
        for hit in found:
            assert hit.score == float((grouped[hit.id - 1] * grouped[position]).sum())
        assert [n.score for n in found] == sorted((n.score for n in found), reverse=True)


def test_a_search_among_some_is_exact(grouped: np.ndarray) -> None:
    index = approximate(grouped)
    plain = VectorIndex.build(Embeddings(1, "e", index.ids, grouped))
    among = np.random.default_rng(4).choice(4_000, 700, replace=False).astype(np.int64)
    for position in (5, 500):
        query = grouped[position]
        assert index.search(query, k=20, among=among) == plain.search(query, k=20, among=among)


def test_as_many_are_found_as_are_wanted(grouped: np.ndarray) -> None:
    """More than the cells hold that are looked at: then all are compared."""
    index = approximate(grouped)
    assert len(index.search(grouped[0], k=3_000)) == 3_000
    assert len(index.search(grouped[0], k=9_000)) == 4_000
    _, positions = index.nearest(grouped[:3], k=3_000)
    assert all(len(set(row)) == 3_000 for row in positions.tolist())


def test_all_copies_of_a_photo_are_found_in_the_order_of_their_ids(grouped: np.ndarray) -> None:
    rows = grouped.copy()
    rows[100:160] = rows[100]
    found = approximate(rows).search(rows[100], k=10)
    assert [n.id for n in found] == list(range(101, 111))
