"""A gallery that is open for looking only: the stores refuse every write, whoever asks."""

import hashlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app.desk import Action, take
from app.library import Library
from app.link import Link
from app.query import answer
from indexer import schema
from indexer.build import build
from indexer.labels import Labels, NewLabel
from training.errors import GalleryError, StorageError
from training.progress import Silent

ROOT = Path(__file__).parents[2]

WRITES: dict[str, Callable[[Labels], object]] = {
    "put": lambda labels: labels.put([1], "shoe", source="search", who="bob"),
    "clear": lambda labels: labels.put([1], None, source="search", who="anna"),
    "put each": lambda labels: labels.put_each([NewLabel(1, "hat", "import")], who="bob"),
    "add": lambda labels: labels.add_class("shoe", who="bob"),
    "rename": lambda labels: labels.rename_class("hat", "cap", who="bob"),
    "remove": lambda labels: labels.remove_class("hat", who="bob"),
    "undo": lambda labels: labels.undo(who="anna"),
}

# What it needs is imported while it may still read everything; then it is nobody, for good.
BY_ANOTHER_USER = """
import os, sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from app.launch import cannot_change
from app.library import Library
from app.link import Link
from app.query import answer
from training.errors import GalleryError
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
folder = Path(sys.argv[1])
assert cannot_change(folder)
library = Library(folder, read_only=True)
found = answer(library.gallery(), library.uploads, Link(photo=1))
print(len(found.hits), library.labels.of([1])[1].name)
print(len(library.uploads.keep(next(folder.parent.glob("photos/*.png")).read_bytes())))
try:
    library.labels.put([1], "shoe", source="search", who="bob")
except GalleryError:
    print("refused")
library.close()
"""


@pytest.fixture
def folder(studio: Any, open_folder: Path) -> Path:
    """A gallery that nobody opened yet, for all to read: one labelled photo, enough for a map."""
    studio.paint_many(12)
    photos = studio.photos.rename(open_folder / "photos")
    made = open_folder / "gallery"
    build(replace(studio.request, photos=photos, gallery=made), progress=Silent())
    Labels(made / "catalogue.sqlite").put([1], "hat", source="search", who="anna")
    return made


@pytest.fixture
def library(folder: Path) -> Iterator[Library]:
    made = Library(folder, read_only=True)
    yield made
    made.close()


def content_of(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.rglob("*")
        if file.is_file()
    }


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_every_write_of_labels_is_refused_and_changes_nothing(
    folder: Path, write: Callable[[Labels], object]
) -> None:
    labels = Labels(folder / "catalogue.sqlite", read_only=True)
    before = (labels.revision(), labels.current(), labels.classes())
    with pytest.raises(GalleryError, match="open for looking only") as refused:
        write(labels)
    assert "--read-only" in refused.value.hint
    assert (labels.revision(), labels.current(), labels.classes()) == before


def test_what_is_tried_at_the_desk_is_answered_in_words(library: Library) -> None:
    said = take(library.labels, Action("label", (1,), name="shoe"), who="bob")
    assert said is not None
    assert said.refused
    assert "open for looking only" in said.text


def test_an_update_is_refused_before_it_begins(library: Library) -> None:
    with pytest.raises(GalleryError, match="open for looking only"):
        library.update(prune=True)
    assert library.updates.status() is None


def test_looking_leaves_every_file_of_the_gallery_as_it_was(folder: Path) -> None:
    before = content_of(folder)
    library = Library(folder, read_only=True)
    gallery = library.gallery()
    key = library.uploads.keep(next(folder.parent.glob("photos/*.png")).read_bytes())
    assert answer(gallery, library.uploads, Link(upload=key)).hits
    library.maps.layout(gallery)
    library.maps.wait()
    assert library.maps.layout(gallery).method == "neighbours"
    library.labelling.answers()
    library.duplicates(gallery, threshold=0.95, exact_only=False)
    library.thumbnails.jpeg(gallery, 1, content_hash=gallery.photo(1).content_hash, side=40)
    library.close()
    assert content_of(folder) == before


def test_an_index_that_has_to_be_made_anew_is_not_saved(folder: Path) -> None:
    for name in ("vectors*", "verified*"):
        for file in folder.glob(name):
            file.unlink()
    before = content_of(folder)
    library = Library(folder, read_only=True)
    assert len(library.gallery()) == 16
    library.close()
    assert content_of(folder) == before


def test_uploads_live_outside_the_gallery_and_end_with_the_app(library: Library) -> None:
    kept = library.uploads.folder
    key = library.uploads.keep(_png(kept))
    assert library.folder not in kept.parents
    assert kept.stat().st_mode & 0o077 == 0, "nobody else may look at them"
    assert library.uploads.read(key) is not None
    library.close()
    assert not kept.exists()


def test_a_gallery_of_another_user_is_searched_by_a_process_that_may_not_write(
    folder: Path,
) -> None:
    before = content_of(folder)
    ended = subprocess.run(
        [sys.executable, "-c", BY_ANOTHER_USER, str(folder), str(ROOT)],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )
    assert ended.stdout.splitlines() == ["15 hat", "64", "refused"], ended.stderr
    assert content_of(folder) == before


def test_what_the_owner_stores_is_seen_by_those_who_only_read(
    folder: Path, as_nobody: AbstractContextManager[None]
) -> None:
    mine = Labels(folder / "catalogue.sqlite")
    # Held open, so that the write-ahead log stays beside the catalogue.
    with schema.connected(mine.path) as connection:
        connection.execute("SELECT 1 FROM meta").fetchone()
        mine.put([2], "shoe", source="search", who="anna")
        assert mine.path.with_name("catalogue.sqlite-wal").stat().st_size
        with as_nobody:
            theirs = Labels(mine.path, read_only=True)
            assert {i: label.name for i, label in theirs.current().items()} == {1: "hat", 2: "shoe"}


def test_half_of_what_the_owner_writes_is_not_taken_for_damage(folder: Path) -> None:
    catalogue = folder / "catalogue.sqlite"
    with pytest.raises(GalleryError, match="at this very moment"):
        _read_while_it_is_written(catalogue)
    with pytest.raises(GalleryError, match="is damaged"):
        Labels(catalogue).current()


def _read_while_it_is_written(catalogue: Path) -> None:
    with schema.connected(catalogue, read_only=True) as connection:
        # As without locks: the pages that are read next are those of another state.
        catalogue.write_bytes(catalogue.read_bytes()[:4096].ljust(catalogue.stat().st_size, b"x"))
        connection.execute("SELECT count(*) FROM label_events").fetchone()


def test_a_write_that_was_cut_off_is_told_with_who_can_finish_it(
    folder: Path, as_nobody: AbstractContextManager[None]
) -> None:
    _write_and_be_killed(folder / "catalogue.sqlite")
    (folder / "catalogue.sqlite-shm").unlink()  # as in a copy, which leaves it out
    with as_nobody, pytest.raises(StorageError, match="cut off") as told:
        Library(folder, read_only=True)
    assert "ssl-index info" in told.value.hint
    assert Library(folder).labels.of([2])[2].name == "hat"


def _write_and_be_killed(catalogue: Path) -> None:
    script = (
        "import os, signal, sys; from pathlib import Path\n"
        "sys.path.insert(0, sys.argv[2])\n"
        "from indexer.labels import Labels\n"
        "from indexer import schema\n"
        "with schema.connected(Path(sys.argv[1])) as kept:\n"
        "    kept.execute('SELECT 1 FROM meta').fetchone()\n"
        "    Labels(Path(sys.argv[1])).put([2], 'hat', source='search', who='anna')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, str(catalogue), str(ROOT)], check=False, cwd="/"
    )
    assert ended.returncode == -9


def _png(folder: Path) -> bytes:
    path = folder / "query.png"
    Image.new("RGB", (40, 30), "teal").save(path)
    data = path.read_bytes()
    path.unlink()
    return data
