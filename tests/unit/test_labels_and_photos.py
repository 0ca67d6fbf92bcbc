"""What happens to the photos does not touch their labels."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from indexer import schema
from indexer.catalogue import Catalogue
from indexer.labels import NONE, Labels
from training.errors import StorageError


@pytest.fixture
def built(studio: Any) -> Any:
    """A gallery of four photos: a.png is 1, b.png 2, c.png 3 and sub/d.png 4."""
    studio.build()
    return studio


def labels_of(studio: Any) -> Labels:
    return Labels(studio.folder / "catalogue.sqlite")


def by_path(studio: Any) -> dict[bytes, str]:
    gallery = studio.gallery()
    return {gallery.photo(i).path: label.name for i, label in labels_of(studio).current().items()}


def test_labels_survive_a_build_a_rebuild_and_another_encoder(
    built: Any, make_encoder: Any
) -> None:
    labels_of(built).put([1, 4], "hat", source="search", who="anna")
    before = labels_of(built).current()
    built.paint("new.png", "white")
    built.build()
    built.build(rebuild=True)
    built.build(encoder=make_encoder(1), rebuild=True)
    assert labels_of(built).current() == before


def test_a_moved_photo_keeps_its_label_and_a_copy_shares_it(built: Any) -> None:
    labels_of(built).put([1], "hat", source="search", who="anna")
    (built.photos / "a.png").rename(built.photos / "sub" / "moved.png")
    built.build()
    assert by_path(built) == {b"sub/moved.png": "hat"}

    (built.photos / "0-copy.png").write_bytes((built.photos / "sub" / "moved.png").read_bytes())
    built.build()
    assert by_path(built) == {b"0-copy.png": "hat"}
    assert len(labels_of(built).current()) == 1


def test_a_photo_that_left_has_no_label_until_it_returns(built: Any) -> None:
    labels_of(built).put([1, 2], "hat", source="search", who="anna")
    stored = (built.photos / "a.png").read_bytes()
    (built.photos / "a.png").unlink()
    built.build()
    assert by_path(built) == {b"b.png": "hat"}
    assert [(c.name, c.count) for c in labels_of(built).classes()] == [("hat", 1), (NONE, 0)]

    (built.photos / "back.png").write_bytes(stored)
    built.build()
    assert by_path(built) == {b"b.png": "hat", b"back.png": "hat"}


def test_a_changed_photo_is_another_photo_without_a_label(built: Any) -> None:
    labels_of(built).put([1], "hat", source="search", who="anna")
    built.paint("a.png", "black")
    built.build()
    assert by_path(built) == {}


def test_labels_written_while_a_build_runs_are_kept_and_do_not_make_it_stale(built: Any) -> None:
    catalogue = Catalogue(built.folder / "catalogue.sqlite")
    generation = catalogue.state().generation
    labels_of(built).put([1], "hat", source="search", who="anna")
    assert catalogue.state().generation == generation


def test_a_catalogue_from_before_labels_gets_them_by_a_build(built: Any) -> None:
    with schema.connected(built.folder / "catalogue.sqlite") as connection:
        for table in ("label_events", "class_events", "label_actions"):
            connection.execute(f"DROP TABLE {table}")
        for table in ("meta", "contents", "embeddings", "staged", "photos", "skipped"):
            connection.execute(f"DROP TRIGGER {table}_changed")
            connection.execute(f"DROP INDEX {table}_unsealed")
            connection.execute(f"ALTER TABLE {table} DROP COLUMN checksum")
        connection.execute("PRAGMA user_version = 2")

    assert built.happened() == {"unchanged": 4}

    labels_of(built).put([1], "hat", source="search", who="anna")
    assert by_path(built) == {b"a.png": "hat"}


def test_a_read_only_gallery_shows_its_labels_and_takes_none(
    open_folder: Path, as_nobody: AbstractContextManager[None]
) -> None:
    labels = Labels(Catalogue.create(open_folder / "catalogue.sqlite").path)
    labels.add_class("hat", who="anna")
    with as_nobody:
        assert [c.name for c in labels.classes()] == ["hat", NONE]
        with pytest.raises(StorageError, match="for writing"):
            labels.add_class("shoe", who="anna")
