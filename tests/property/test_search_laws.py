"""Search is exact: it gives what a few lines of numpy give."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from indexer.kinds import Choice
from indexer.records import Embeddings
from indexer.vectors import EXACT, VectorIndex

DIM = 5
HALF = Choice("half", "every photo is compared, first in half precision")


@st.composite
def collections(draw: st.DrawFn) -> Embeddings:
    """Unit rows under ids, many of them equal on purpose."""
    count = draw(st.integers(1, 40))
    # Few distinct numbers make rows that are equal and scores that tie.
    whole = arrays(np.int8, (count, DIM), elements=st.integers(-2, 2))
    rows = draw(whole).astype(np.float32)
    rows[~rows.any(axis=1)] = 1
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    # Close together as a catalogue numbers them, or far apart.
    last = draw(st.sampled_from([60, 2**40]))
    ids = draw(st.lists(st.integers(1, last), min_size=count, max_size=count, unique=True))
    return Embeddings(1, "e", np.array(sorted(ids), dtype=np.int64), rows)


def brute_force(stored: Embeddings, query: np.ndarray, k: int) -> list[tuple[int, float]]:
    """Every cosine, sorted: the best first, ties by id."""
    scores = (stored.rows * query).sum(axis=1)
    pairs = zip(stored.ids.tolist(), scores.tolist(), strict=True)
    return sorted(pairs, key=lambda pair: (-pair[1], pair[0]))[:k]


@pytest.mark.parametrize("kind", [EXACT, HALF])
@given(stored=collections(), data=st.data())
def test_search_equals_brute_force_ties_and_all(
    kind: Choice, stored: Embeddings, data: st.DataObject
) -> None:
    query = stored.rows[data.draw(st.integers(0, len(stored.rows) - 1))]
    k = data.draw(st.integers(1, 60))
    found = VectorIndex.build(stored, kind).search(query, k=k)
    assert [(n.id, n.score) for n in found] == brute_force(stored, query, k)


@given(collections(), st.data())
def test_a_photo_finds_itself_at_the_best_score(stored: Embeddings, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(stored.rows) - 1))
    index = VectorIndex.build(stored)
    best = index.search(stored.rows[position], k=1)[0]
    own = index.embedding(int(stored.ids[position]))
    assert own is not None
    assert best.score >= float((own * stored.rows[position]).sum())
    assert best.id <= stored.ids[position]


@given(collections(), st.integers(1, 60))
def test_fewer_results_are_the_beginning_of_more(stored: Embeddings, k: int) -> None:
    index = VectorIndex.build(stored)
    assert index.search(stored.rows[0], k=k) == index.search(stored.rows[0], k=60)[:k]


@given(collections())
def test_all_photos_are_found_once_when_more_are_wanted_than_there_are(stored: Embeddings) -> None:
    found = VectorIndex.build(stored).search(stored.rows[0], k=10_000)
    assert sorted(n.id for n in found) == stored.ids.tolist()


def test_a_large_collection_agrees_with_brute_force(rng: np.random.Generator) -> None:
    rows = rng.normal(size=(3_000, 64)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    stored = Embeddings(1, "e", np.sort(rng.permutation(10_000)[:3_000]).astype(np.int64), rows)
    index = VectorIndex.build(stored)
    for query in rows[:20]:
        found = [(n.id, n.score) for n in index.search(query, k=50)]
        assert found == brute_force(stored, query, 50)


@pytest.mark.parametrize("kind", [EXACT, HALF])
@given(stored=collections(), data=st.data())
def test_a_search_among_some_equals_brute_force_over_those(
    kind: Choice, stored: Embeddings, data: st.DataObject
) -> None:
    known = stored.ids.tolist()
    chosen = data.draw(st.lists(st.sampled_from([*known, -5, 2**50]), max_size=60))
    query = stored.rows[data.draw(st.integers(0, len(known) - 1))]
    k = data.draw(st.integers(1, 60))
    mask = np.isin(stored.ids, chosen)
    those = Embeddings(1, "e", stored.ids[mask], stored.rows[mask])
    index = VectorIndex.build(stored, kind)
    found = index.search(query, k=k, among=np.array(chosen, dtype=np.int64))
    assert [(n.id, n.score) for n in found] == brute_force(those, query, k)
