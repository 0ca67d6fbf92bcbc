"""The catalogue: what goes in comes out, in transactions, and its errors are friendly."""

import sqlite3
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest

from indexer import schema
from indexer.catalogue import ROWS_AT_A_TIME, Catalogue
from indexer.records import (
    Content,
    Counts,
    KnownPhoto,
    KnownSkip,
    Pending,
    PhotoFacts,
    Published,
    Sighting,
    State,
)
from indexer.selection import facts_of
from training.errors import GalleryError, StorageError
from training.photos import FoundFile

ENCODER = Published("f" * 64, "5" * 64, "{}", dim=3, photos=2)


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    return Catalogue.create(tmp_path / "catalogue.sqlite")


def sighting(path: bytes, number: int) -> Sighting:
    """A file of a made-up new content, with an embedding of length 3."""
    digest = bytes([number]) * 32
    return Sighting(
        FoundFile(path, 100 + number, 7),
        digest,
        Content(digest, 40, 30, "PNG", 100 + number),
        np.full(3, number, dtype=np.float32),
    )


def known_sighting(path: bytes, number: int, moved_from: bytes | None = None) -> Sighting:
    """A file whose content the catalogue has, with its embedding."""
    return Sighting(FoundFile(path, 100 + number, 7), bytes([number]) * 32, moved_from=moved_from)


def published(catalogue: Catalogue, *sightings: Sighting) -> Catalogue:
    catalogue.start_pending(Pending("b" * 64, ENCODER.source))
    catalogue.record(list(sightings), [], staged=True)
    catalogue.publish(ENCODER, centre=lambda rows: rows)
    return catalogue


def test_a_new_catalogue_is_empty(catalogue: Catalogue) -> None:
    assert catalogue.state() == State(None, 0, None, None)
    assert catalogue.counts() == Counts(0, 0, 0)


def test_a_photo_comes_back_as_it_was_recorded(catalogue: Catalogue) -> None:
    path = b"odd \xff\n name.png"
    catalogue.record([sighting(path, 1)], [], staged=True)

    known = KnownPhoto(101, 7, b"\x01" * 32, embedded=True)
    assert catalogue.photos(staged=True) == {path: known}
    assert facts_of(catalogue.path, [1]).get(1) == PhotoFacts(
        1, path, (), 40, 30, "PNG", 101, 7, "01" * 32
    )


def test_copies_share_one_id_and_one_embedding(catalogue: Catalogue) -> None:
    published(catalogue, sighting(b"a", 1), known_sighting(b"b", 1))

    facts = facts_of(catalogue.path, [1]).get(1)
    assert facts is not None
    assert (facts.path, facts.other_paths) == (b"a", (b"b",))
    assert catalogue.counts() == Counts(photos=2, distinct=1, skipped=0)
    assert catalogue.embeddings().ids.tolist() == [1]


def test_staged_embeddings_stay_apart_until_they_are_published(catalogue: Catalogue) -> None:
    catalogue.start_pending(Pending("b" * 64, "5" * 64))
    catalogue.record([sighting(b"a", 1)], [], staged=True)
    assert not catalogue.photos(staged=False)[b"a"].embedded

    catalogue.publish(ENCODER, centre=lambda rows: rows * 10)

    assert catalogue.photos(staged=False)[b"a"].embedded
    assert not catalogue.photos(staged=True)[b"a"].embedded
    assert catalogue.embeddings().rows.tolist() == [[10, 10, 10]]
    assert catalogue.state().published == ENCODER
    assert catalogue.state().pending is None


def test_a_failed_publication_changes_nothing(catalogue: Catalogue) -> None:
    published(catalogue, sighting(b"a", 1))
    catalogue.start_pending(Pending("c" * 64, "6" * 64))
    catalogue.record([sighting(b"a", 9)], [], staged=True)
    before = catalogue.state()

    def fail(rows: np.ndarray) -> np.ndarray:
        raise MemoryError

    with pytest.raises(MemoryError):
        catalogue.publish(Published("d" * 64, "6" * 64, "{}", 3, 1), centre=fail)

    assert catalogue.state() == before
    assert catalogue.embedded_hashes(staged=False) == {b"\x01" * 32}


def test_publishing_goes_through_all_rows_in_parts(catalogue: Catalogue) -> None:
    total = ROWS_AT_A_TIME + 100
    digests = [number.to_bytes(32) for number in range(total)]
    catalogue.start_pending(Pending("b" * 64, "5" * 64))
    catalogue.record(
        [
            Sighting(
                FoundFile(digest, 1, 1),
                digest,
                Content(digest, 1, 1, "PNG", 1),
                np.full(3, number, np.float32),
            )
            for number, digest in enumerate(digests)
        ],
        [],
        staged=True,
    )
    parts: list[int] = []

    def centre(rows: np.ndarray) -> np.ndarray:
        parts.append(len(rows))
        return rows

    catalogue.publish(ENCODER, centre=centre)

    assert parts == [ROWS_AT_A_TIME, 100]
    assert catalogue.embeddings().rows[:, 0].tolist() == list(range(total))


def test_a_photo_that_left_keeps_its_embedding_for_its_return(catalogue: Catalogue) -> None:
    published(catalogue, sighting(b"a", 1), sighting(b"b", 2))

    catalogue.settle(photo_root=b"/photos", gone=[b"a"], skipped=[])

    assert catalogue.embeddings().ids.tolist() == [2]
    assert facts_of(catalogue.path, [1]).get(1) is None
    assert catalogue.embedded_hashes(staged=False) == {b"\x01" * 32, b"\x02" * 32}


def test_a_moved_photo_leaves_its_old_path_in_the_same_transaction(catalogue: Catalogue) -> None:
    published(catalogue, sighting(b"old", 1))

    catalogue.record([known_sighting(b"new", 1, moved_from=b"old")], [], staged=False)

    assert catalogue.first_paths([1]) == {1: b"new"}


def test_a_file_that_became_unusable_is_no_photo_any_more(catalogue: Catalogue) -> None:
    published(catalogue, sighting(b"a", 1))
    skip = KnownSkip(b"a", "damaged", 5, 6)

    catalogue.settle(photo_root=b"/photos", gone=[], skipped=[skip])

    assert catalogue.skipped() == [skip]
    assert catalogue.counts() == Counts(photos=0, distinct=0, skipped=1)


def test_a_reason_may_quote_bytes_that_are_not_text(catalogue: Catalogue) -> None:
    catalogue.record([], [KnownSkip(b"a", "odd \udcff tag")], staged=False)
    assert catalogue.skipped() == [KnownSkip(b"a", "odd ? tag")]


def test_the_generation_grows_when_what_can_be_found_changes(catalogue: Catalogue) -> None:
    published(catalogue, sighting(b"a", 1))
    first = catalogue.state().generation

    catalogue.settle(photo_root=b"/photos", gone=[], skipped=[])
    assert catalogue.state().generation == first
    catalogue.record([sighting(b"b", 2)], [], staged=False)
    assert catalogue.state().generation > first


def test_a_sample_is_drawn_by_its_seed_from_photos_that_are_there(catalogue: Catalogue) -> None:
    catalogue.record([sighting(b"%d" % n, n) for n in range(9)], [], staged=True)
    catalogue.settle(photo_root=b"/photos", gone=[b"0"], skipped=[])

    samples = [catalogue.staged_sample(most=4, seed=seed).rows[:, 0] for seed in (0, 0, 1)]

    assert catalogue.staged_sample(most=4, seed=0).photos == 8
    assert samples[0].tolist() == samples[1].tolist() != samples[2].tolist()
    assert 0 not in catalogue.staged_sample(most=20, seed=0).rows


def test_a_reader_sees_one_moment_while_another_connection_writes(catalogue: Catalogue) -> None:
    published(catalogue, sighting(b"a", 1))
    with schema.connected(catalogue.path) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM photos")
        assert catalogue.counts().photos == 1
        writer.execute("COMMIT")
    assert catalogue.counts().photos == 0


def test_opening_twice_migrates_once(catalogue: Catalogue) -> None:
    published(catalogue, sighting(b"a", 1))
    assert Catalogue.create(catalogue.path).counts().photos == 1
    assert Catalogue.open(catalogue.path).counts().photos == 1


def test_a_catalogue_of_a_newer_version_is_refused(catalogue: Catalogue) -> None:
    with schema.connected(catalogue.path) as connection:
        connection.execute("PRAGMA user_version = 99")
    for open_catalogue in (Catalogue.open, Catalogue.create):
        with pytest.raises(GalleryError, match="newer version"):
            open_catalogue(catalogue.path)


def test_a_catalogue_that_was_never_completed_is_refused_for_reading(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.sqlite"
    sqlite3.connect(path).close()
    path.touch()
    with pytest.raises(GalleryError, match="not complete") as raised:
        Catalogue.open(path)
    assert "ssl-index build" in raised.value.hint


def test_a_damaged_catalogue_is_told_with_what_to_do(catalogue: Catalogue) -> None:
    catalogue.path.write_bytes(b"this is no database at all" * 500)
    with pytest.raises(GalleryError, match="damaged") as raised:
        Catalogue.open(catalogue.path)
    assert "ssl-index build" in raised.value.hint


def test_a_full_disk_is_told_as_such(catalogue: Catalogue) -> None:
    with pytest.raises(StorageError, match="the disk is full") as raised:
        fill_the_disk(catalogue.path)
    assert "free some space" in raised.value.hint


def fill_the_disk(path: Path) -> None:
    with schema.connected(path) as connection:
        connection.execute("PRAGMA max_page_count = 1")
        connection.execute("INSERT INTO meta (key, value) VALUES ('big', zeroblob(1000000))")


def test_a_read_only_folder_can_be_read_and_not_written(
    open_folder: Path, as_nobody: AbstractContextManager[None]
) -> None:
    published(Catalogue.create(open_folder / "catalogue.sqlite"), sighting(b"a", 1))
    with as_nobody:
        catalogue = Catalogue.open(open_folder / "catalogue.sqlite")
        assert catalogue.counts().photos == 1
        assert catalogue.embeddings().ids.tolist() == [1]
        with pytest.raises(StorageError, match="for writing"):
            catalogue.record([sighting(b"b", 2)], [], staged=False)


def test_a_busy_catalogue_is_told_as_such(catalogue: Catalogue) -> None:
    with schema.connected(catalogue.path) as writer:
        writer.execute("BEGIN IMMEDIATE")
        with pytest.raises(GalleryError, match="locked by another process"):
            write_without_waiting(catalogue.path)


def write_without_waiting(path: Path) -> None:
    with schema.connected(path) as connection:
        connection.execute("PRAGMA busy_timeout = 0")
        connection.execute("BEGIN IMMEDIATE")
