"""Neighbourhoods kept beside a gallery: found once, brought up to date, made again when lost."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer import neighbourhoods
from indexer.build import build
from indexer.gallery import Gallery
from indexer.neighbourhoods import NEIGHBOURS, NEIGHBOURS_FILE, Neighbourhoods, found_for
from indexer.records import Embeddings
from training.errors import Interrupted
from training.progress import Silent


def drawn(ids: np.ndarray, *, seed: int) -> Embeddings:
    rows = np.random.default_rng(seed).normal(size=(len(ids), 6))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return Embeddings(1, "e", np.asarray(ids, np.int64), rows.astype(np.float32))


def found(stored: Embeddings, before: Neighbourhoods | None = None) -> Neighbourhoods:
    return found_for(stored, before=before, progress=Silent(), stop=lambda: False)


def plainly(stored: Embeddings) -> np.ndarray:
    """Compare all with all, and sort."""
    return np.argsort(-(stored.rows @ stored.rows.T), axis=1)[:, :NEIGHBOURS]


def test_a_photo_and_its_two_nearest_are_its_neighbourhood() -> None:
    stored = drawn(np.arange(50) * 2 + 7, seed=1)
    made = found(stored)
    np.testing.assert_array_equal(made.near, plainly(stored))
    np.testing.assert_array_equal(made.near[:, 0], np.arange(50))
    rows, scores = made.of(stored.ids[[30, 4]], stored.rows)
    np.testing.assert_array_equal(rows, stored.rows[made.near[[30, 4]]])
    np.testing.assert_allclose(
        scores, np.einsum("md,mkd->mk", stored.rows[[30, 4]], rows), atol=1e-6
    )


@given(
    seed=st.integers(0, 1000),
    gone=st.sets(st.integers(0, 39)),
    came=st.sets(st.integers(40, 79)),
    changed=st.sets(st.integers(0, 39), max_size=5),
)
def test_brought_up_to_date_they_are_what_they_would_be_from_the_start(
    seed: int, gone: set[int], came: set[int], changed: set[int]
) -> None:
    every = drawn(np.arange(80), seed=seed)
    old = Embeddings(1, "e", every.ids[:40], every.rows[:40].copy())
    old.rows[list(changed)] = drawn(np.arange(len(changed)), seed=seed + 1).rows
    left = np.array(sorted((set(range(40)) - gone) | came), np.int64)
    new = Embeddings(2, "e", every.ids[left], every.rows[left])
    made = found(new, before=found(old))
    assert (made.generation, made.encoder) == (2, "e")
    np.testing.assert_array_equal(made.near, plainly(new))


def test_a_stop_ends_it() -> None:
    with pytest.raises(Interrupted):
        found_for(drawn(np.arange(9), seed=0), before=None, progress=Silent(), stop=lambda: True)


def ranked(folder: Path) -> list[list[int]]:
    """What a search by neighbourhoods finds for each photo, best first."""
    gallery = Gallery.open(folder)
    ids, rows = gallery.embeddings()
    return [[hit.id for hit in gallery.search(row, k=len(ids), expand=True)] for row in rows]


@pytest.mark.parametrize("damage", ["emptied", "cut", "gone"])
def test_a_build_keeps_them_and_a_search_finds_the_same_without(built: Any, damage: str) -> None:
    built.paint("more.png", "teal")
    built.build()
    kept = built.folder / NEIGHBOURS_FILE
    expected, data = ranked(built.folder), kept.read_bytes()
    if damage == "gone":
        kept.unlink()
    else:
        kept.write_bytes(data[: len(data) // 2] if damage == "cut" else b"")
    assert ranked(built.folder) == expected
    built.build()
    assert kept.read_bytes() == data


def test_a_gallery_that_is_open_while_a_build_finds_them_has_them_after(built: Any) -> None:
    kept = built.folder / NEIGHBOURS_FILE
    data = kept.read_bytes()
    kept.unlink()
    gallery = Gallery.open(built.folder)
    query = gallery.embedding(3)
    before = gallery.search(query, k=12, expand=True)
    kept.write_bytes(data)
    after = gallery.search(query, k=12, expand=True)
    kept.unlink()
    assert [hit.id for hit in after] == [hit.id for hit in before]
    assert gallery.search(query, k=12, expand=True) == after, "they are in memory"


def test_a_build_that_is_stopped_there_leaves_a_gallery_that_works(built: Any) -> None:
    (built.folder / NEIGHBOURS_FILE).unlink()
    with pytest.raises(Interrupted, match="the gallery is up to date"):
        build(built.request, progress=Silent(), stop=lambda: True)
    assert len(ranked(built.folder)) == 12
    assert not (built.folder / NEIGHBOURS_FILE).exists()


def test_too_large_a_gallery_goes_without(built: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = ranked(built.folder)
    monkeypatch.setattr(neighbourhoods, "MOST_PHOTOS", 11)
    built.build()
    assert not (built.folder / NEIGHBOURS_FILE).exists()
    assert ranked(built.folder) == expected
