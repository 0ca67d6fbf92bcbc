"""Labels from outside: a CSV file with paths, or folders named like classes.

Every row and every file ends as a label, as one that was there already, or as a problem with its
reason.
"""

import csv
import hashlib
import os
import posixpath
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from indexer.labels import SOURCES, Labels, NewLabel, class_name
from indexer.lookup import ids_by_hash, ids_by_path
from indexer.wording import shown
from training.cells import plain_text, read_table
from training.errors import Interrupted, LabelError, PhotoError
from training.labels import LABEL_COLUMN, PATH_COLUMN
from training.photos import FoundFile, read_file, walk
from training.progress import Progress

SOURCE_COLUMN = "source"

# Hashing is waiting for the disk.
_THREADS = 8
_AT_A_TIME = 256

_HINT = "write one `path,label` a line, paths relative to the photo root"


@dataclass(frozen=True, slots=True)
class Problem:
    """A row or a file that gave no label, and why."""

    where: str  # `line 3`, or the file
    reason: str

    def __str__(self) -> str:
        """For people, on one line."""
        return f"{self.where}: {self.reason}"


@dataclass(frozen=True, slots=True)
class FoundLabels:
    """Labels that were read and match photos of the gallery."""

    labels: tuple[NewLabel, ...]  # one a photo
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did."""

    labelled: int  # photos
    unchanged: int  # photos that had just this label already
    action: int  # its number, for undo; 0 where nothing was stored
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class _Row:
    where: str
    photo_id: int
    name: str
    source: str


def read_csv(file: Path, catalogue: Path, *, photo_root: Path) -> FoundLabels:
    """Labels from a CSV with the columns path and label, and perhaps source.

    Without a first line that names them, a line is a path and a label. Paths are relative to the
    photo root, or absolute below it.

    Raises:
        LabelError: the file cannot be read, or is no CSV.
    """
    problems: list[Problem] = []
    found: list[_Row] = []
    ids = ids_by_path(catalogue)
    root = os.fsencode(photo_root.resolve())
    for where, path, label, source in _csv_rows(file, problems):
        photo_id = next((ids[p] for p in _candidates(path, root) if p in ids), None)
        if photo_id is None:
            problems.append(Problem(where, f"the gallery has no photo {shown(plain_text(path))}"))
        else:
            given = source if source in SOURCES else "import"
            found.append(_Row(where, photo_id, plain_text(label.strip()), given))
    return _checked(found, problems)


def read_class_folders(
    folder: Path,
    catalogue: Path,
    *,
    progress: Progress,
    stop: Callable[[], bool] = lambda: False,
) -> FoundLabels:
    """Labels from folders named like classes, whose files are copies of the gallery's photos.

    Files are matched by content, so it does not matter what they are called or where they lie.

    Raises:
        CollectionError: the folder is missing.
        Interrupted: `stop` said so; nothing was stored.
    """
    problems: list[Problem] = []
    found: list[_Row] = []
    ids = ids_by_hash(catalogue)
    files = []
    for item in walk(folder):
        if not isinstance(item, FoundFile):
            problems.append(Problem(shown(os.fsdecode(item.path)), item.reason))
        elif b"/" not in item.path:
            problems.append(Problem(shown(os.fsdecode(item.path)), "it lies in no class folder"))
        else:
            files.append(item.path)
    for path, digest in _hashed(folder, files, progress=progress, stop=stop):
        where = shown(os.fsdecode(path))
        if isinstance(digest, str):
            problems.append(Problem(where, digest))
        elif digest not in ids:
            problems.append(Problem(where, "the gallery has no photo with this content"))
        else:
            name = os.fsdecode(posixpath.dirname(path))
            found.append(_Row(where, ids[digest], name, "import"))
    return _checked(found, problems)


def store(found: FoundLabels, labels: Labels, *, who: str) -> ImportReport:
    """Store labels in one action that one undo takes back; those that are there stay untouched."""
    current = labels.of([new.photo_id for new in found.labels])
    news = [
        new
        for new in found.labels
        if new.photo_id not in current or current[new.photo_id].name != new.name
    ]
    action = labels.put_each(news, who=who)
    return ImportReport(len(news), len(found.labels) - len(news), action, found.problems)


def _csv_rows(file: Path, problems: list[Problem]) -> Iterator[tuple[str, str, str, str]]:
    """Where it stands, path, label and source of every row that has them."""
    try:
        rows = read_table(file.read_bytes())
    except OSError as error:
        raise LabelError(f"cannot read {shown(file)}: {error.strerror}", hint=_HINT) from None
    except csv.Error as error:
        raise LabelError(f"{shown(file)} is no CSV file: {error}", hint=_HINT) from None
    columns = {name.strip().lower(): place for place, name in enumerate(rows[0][1] if rows else [])}
    if PATH_COLUMN in columns and LABEL_COLUMN in columns:
        del rows[0]
    else:
        columns = {PATH_COLUMN: 0, LABEL_COLUMN: 1}
    for line, row in rows:
        cells = {name: row[place] for name, place in columns.items() if place < len(row)}
        if PATH_COLUMN in cells and LABEL_COLUMN in cells:
            source = plain_text(cells.get(SOURCE_COLUMN, "").strip())
            yield f"line {line}", cells[PATH_COLUMN], cells[LABEL_COLUMN], source
        elif row:
            reason = f"{len(row)} columns, a path and a label are needed"
            problems.append(Problem(f"line {line}", reason))


def _candidates(cell: str, root: bytes) -> Iterator[bytes]:
    """The paths that a cell may mean: as an export wrote it, else as people do."""
    for text in dict.fromkeys((plain_text(cell), cell, cell.strip())):
        path = posixpath.normpath(os.fsencode(text))
        yield path.removeprefix(root + b"/")


def _checked(rows: Iterable[_Row], problems: list[Problem]) -> FoundLabels:
    """One label a photo: of two that differ, the first stays and the other is a problem."""
    found: dict[int, NewLabel] = {}
    for row in rows:
        if not row.name:
            problems.append(Problem(row.where, "it has no label"))
            continue
        try:
            name = class_name(row.name)
        except LabelError as error:
            problems.append(Problem(row.where, error.message))
            continue
        before = found.setdefault(row.photo_id, NewLabel(row.photo_id, name, row.source))
        if before.name != name:
            reason = f"the photo is {shown(before.name or '')} already, {shown(name)} is left out"
            problems.append(Problem(row.where, reason))
    return FoundLabels(tuple(found.values()), tuple(problems))


def _hashed(
    folder: Path, files: list[bytes], *, progress: Progress, stop: Callable[[], bool]
) -> Iterator[tuple[bytes, bytes | str]]:
    """Every file with its SHA-256, or with the reason why it has none."""
    progress.start("reading", total=len(files), unit="photos")
    with ThreadPoolExecutor(_THREADS) as pool:
        for start in range(0, len(files), _AT_A_TIME):
            if stop():
                raise Interrupted("stopped; no label was stored", hint="run the same command again")
            part = files[start : start + _AT_A_TIME]
            yield from zip(part, pool.map(lambda path: _hash(folder, path), part), strict=True)
            progress.advance(len(part))
    progress.finish()


def _hash(folder: Path, path: bytes) -> bytes | str:
    try:
        return hashlib.sha256(read_file(folder / os.fsdecode(path))).digest()
    except PhotoError as error:
        return error.message
