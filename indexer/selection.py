"""What the catalogue knows of photos: which ones a filter means, and the facts of each."""

import json
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import numpy as np

from indexer import schema
from indexer.filters import Filter
from indexer.labels import Labels
from indexer.records import PhotoFacts
from indexer.wording import shown
from training.errors import ConfigError
from training.exif import Shot
from training.photos import photo_shot
from training.progress import Progress

# Files whose heads are read between two commits.
_AT_A_TIME = 512

# Reading the head of a file is waiting for the disk.
_THREADS = 8


def select(catalogue: Path, wanted: Filter) -> np.ndarray:
    """The photos that a filter means: ids `(n,)` int64, ascending.

    Args:
        catalogue: a catalogue.sqlite.
        wanted: what they must be; a photo whose date or camera is unknown has none.

    Raises:
        ConfigError: there is no class of that name.
    """
    conditions, values = _conditions(wanted)
    with schema.connected(catalogue, read_only=True) as connection:
        rows = connection.execute(
            "SELECT DISTINCT contents.id FROM contents JOIN photos ON content_id = contents.id"
            f" WHERE {' AND '.join(['TRUE', *conditions])} ORDER BY contents.id",
            values,
        ).fetchall()
    ids = np.array([row[0] for row in rows], dtype=np.int64)
    if wanted.label is None and not wanted.unlabelled:
        return ids
    chosen: np.ndarray = ids[_by_label(Labels(catalogue), wanted, ids)]
    return chosen


def facts_of(catalogue: Path, ids: Iterable[int]) -> dict[int, PhotoFacts]:
    """What is known of each of `ids` that has a path, in one query."""
    wanted = json.dumps(sorted({int(photo_id) for photo_id in ids}))
    with schema.connected(catalogue, read_only=True) as connection:
        rows = connection.execute(
            "SELECT contents.id, photos.path, width, height, format, contents.size_bytes,"
            " mtime_ns, lower(hex(hash)), taken, camera FROM json_each(?) AS wanted"
            " JOIN contents ON contents.id = wanted.value"
            " JOIN photos ON content_id = contents.id ORDER BY contents.id, photos.path",
            (wanted,),
        ).fetchall()
    found = {}
    for photo_id, same in groupby(rows, key=itemgetter(0)):
        (_, path, *facts), *copies = same
        found[photo_id] = PhotoFacts(photo_id, path, tuple(row[1] for row in copies), *facts)
    return found


def every_path(catalogue: Path) -> Iterator[bytes]:
    """All paths in any order, one by one: those of a large gallery need not lie in memory."""
    with schema.reading(catalogue) as connection:
        for (path,) in connection.execute("SELECT path FROM photos"):
            yield path


def fill_in_shots(
    catalogue: Path, root: Path, *, progress: Progress, stop: Callable[[], bool] = lambda: False
) -> int:
    """Read date and camera of photos that were indexed before these were kept.

    Only the heads of the files are read, and what is done is kept when `stop` ends it early.

    Returns:
        How many photos were looked at.
    """
    with schema.connected(catalogue, read_only=True) as connection:
        missing = connection.execute(
            "SELECT contents.id, min(path) FROM contents JOIN photos ON content_id = contents.id"
            " WHERE exif_read = 0 GROUP BY contents.id"
        ).fetchall()
    if not missing:
        return 0
    done = 0
    progress.start("reading dates", total=len(missing), unit="photos")
    with ThreadPoolExecutor(min(_THREADS, len(missing))) as pool:
        while done < len(missing) and not stop():
            part = missing[done : done + _AT_A_TIME]
            shots = list(pool.map(partial(_shot, root), (path for _, path in part)))
            ids = (content_id for content_id, _ in part)
            _record(catalogue, list(zip(shots, ids, strict=True)))
            done += len(part)
            progress.advance(len(part))
    progress.finish()
    return done


def _by_label(labels: Labels, wanted: Filter, ids: np.ndarray) -> np.ndarray:
    """Which of `(n,)` ids have the label that is wanted, or none: `(n,)` bool."""
    classes = [known.name for known in labels.classes()]
    if wanted.label is not None and wanted.label not in classes:
        raise ConfigError(
            f"there is no class {shown(wanted.label)}",
            hint=f"the classes are {', '.join(map(shown, classes))}",
        )
    said = labels.current()
    fits = np.ones(len(ids), dtype=bool)
    if wanted.unlabelled:
        fits &= ~np.isin(ids, list(said))
    if wanted.label is not None:
        named = [photo_id for photo_id, label in said.items() if label.name == wanted.label]
        fits &= np.isin(ids, np.array(named, dtype=np.int64))
    return fits


def _shot(root: Path, path: bytes) -> Shot:
    return photo_shot(root / os.fsdecode(path))


def _record(catalogue: Path, shots: list[tuple[Shot, int]]) -> None:
    with schema.connected(catalogue) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            "UPDATE contents SET taken = ?, camera = ?, exif_read = TRUE WHERE id = ?",
            [(shot.taken, shot.camera, content_id) for shot, content_id in shots],
        )
        connection.execute("COMMIT")


def _conditions(wanted: Filter) -> tuple[list[str], list[str | bytes | int]]:
    """SQL conditions and the values bound to them, without the labels."""
    asked: list[tuple[str, str | bytes | int | None]] = [
        # In the order of bytes, what begins with `folder/` ends before `folder0`.
        ("path >= ?", None if wanted.folder is None else wanted.folder + b"/"),
        ("path < ?", None if wanted.folder is None else wanted.folder + b"0"),
        ("taken >= ?", wanted.taken_from),
        ("taken < ?", wanted.taken_to),
        ("min(width, height) >= ?", wanted.min_side),
        ("min(width, height) <= ?", wanted.max_side),
        ("contents.size_bytes >= ?", wanted.min_bytes),
        ("contents.size_bytes <= ?", wanted.max_bytes),
        ("instr(lower(camera), lower(?)) > 0", wanted.camera),
    ]
    given = [(condition, value) for condition, value in asked if value is not None]
    return [condition for condition, _ in given], [value for _, value in given]
