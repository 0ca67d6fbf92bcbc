"""A gallery as a table for other programs: Parquet, NumPy's npz, or CSV. A row for each file."""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from os import fsdecode
from pathlib import Path
from typing import Any

import numpy as np

from indexer.gallery import Gallery
from indexer.labels import Labels
from indexer.records import PhotoFacts
from training.errors import ConfigError
from training.files import replacing

# A cell that begins so is a formula to spreadsheets.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Photos and what is known of them; the columns have a row for each path."""

    photos: tuple[PhotoFacts, ...]  # the content at each path
    paths: tuple[bytes, ...]  # relative to the photo root
    labels: tuple[str | None, ...]
    rows: np.ndarray  # (n, d) float32 unit rows

    def columns(self) -> dict[str, list[object]]:
        """Everything but the embeddings, by name. Paths are text, as `os.fsdecode` makes it."""
        return {
            "id": [photo.id for photo in self.photos],
            "path": [fsdecode(path) for path in self.paths],
            "sha256": [photo.content_hash for photo in self.photos],
            "width": [photo.width for photo in self.photos],
            "height": [photo.height for photo in self.photos],
            "format": [photo.format for photo in self.photos],
            "size_bytes": [photo.size_bytes for photo in self.photos],
            "taken": [photo.taken for photo in self.photos],
            "camera": [photo.camera for photo in self.photos],
            "label": list(self.labels),
        }


def read_table(gallery: Gallery, *, among: np.ndarray | None = None) -> Table:
    """The table of a gallery, in the order of the paths.

    Args:
        gallery: an open gallery.
        among: ids `(m,)` int64 of the photos that are wanted; None is all.
    """
    ids, rows = gallery.embeddings()
    chosen = ids if among is None else ids[np.isin(ids, among)]
    facts = gallery.photos(chosen.tolist())
    labels = Labels(gallery.catalogue_path).of(list(facts))
    listed = sorted(
        (path, photo) for photo in facts.values() for path in (photo.path, *photo.other_paths)
    )
    positions = np.searchsorted(ids, [photo.id for _, photo in listed])
    names = [labels.get(photo.id) for _, photo in listed]
    return Table(
        photos=tuple(photo for _, photo in listed),
        paths=tuple(path for path, _ in listed),
        labels=tuple(None if label is None else label.name for label in names),
        rows=rows[positions.astype(np.int64)],
    )


def write_table(table: Table, file: Path) -> None:
    """Write a table in the format that the file's name ends in; it appears whole or not at all.

    Raises:
        ConfigError: the name ends in none of the formats.
        OSError: the disk is full or the folder cannot be written.
    """
    write = _WRITERS.get(file.suffix.lower())
    if write is None:
        raise ConfigError(
            f"{file.name} ends in none of {', '.join(_WRITERS)}",
            hint="the end of the name chooses the format: `-o embeddings.parquet`",
        )
    with replacing(file) as temporary:
        write(table, temporary)


def _write_parquet(table: Table, file: Path) -> None:
    # Reading and searching work without it, and it takes a moment to load.
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    columns = {name: pa.array(_storable(values)) for name, values in table.columns().items()}
    for name in ("taken", "camera", "label"):
        columns[name] = columns[name].cast(pa.string())  # a column of nothing has no type
    flat = pa.array(np.ascontiguousarray(table.rows).reshape(-1))
    columns["embedding"] = pa.FixedSizeListArray.from_arrays(flat, table.rows.shape[1])
    pq.write_table(pa.table(columns), file)


def _storable(values: list[object]) -> list[object]:
    """Text that is Unicode: bytes of a file name that are none become escapes."""
    return [
        value.encode(errors="surrogateescape").decode(errors="backslashreplace")
        if isinstance(value, str)
        else value
        for value in values
    ]


def _write_npz(table: Table, file: Path) -> None:
    """Without pickle: texts are arrays of fixed width, and nothing known is an empty text."""
    arrays: dict[str, Any] = {
        name: np.array(["" if value is None else value for value in values])
        for name, values in table.columns().items()
    }
    with file.open("wb") as opened:
        np.savez(opened, allow_pickle=False, embedding=table.rows, **arrays)


def _write_csv(table: Table, file: Path) -> None:
    width = table.rows.shape[1]
    columns = table.columns()
    # The bytes of a file name stay what they are.
    with file.open("w", newline="", encoding="utf-8", errors="surrogateescape") as opened:
        writer = csv.writer(opened)
        writer.writerow([*columns, *(f"e{number}" for number in range(width))])
        for cells, row in zip(_records(columns), table.rows, strict=True):
            writer.writerow([*cells, *(f"{number:.7g}" for number in row.tolist())])


def _records(columns: dict[str, list[object]]) -> Iterator[list[object]]:
    for cells in zip(*columns.values(), strict=True):
        record = dict(zip(columns, cells, strict=True))
        path = str(record["path"])
        # The same path, and no formula.
        record["path"] = f"./{path}" if path.startswith(_FORMULA) else path
        for name in ("camera", "label"):
            text = str(record[name] or "")
            record[name] = f"'{text}" if text.startswith(_FORMULA) else text
        yield list(record.values())


_WRITERS: dict[str, Callable[[Table, Path], None]] = {
    ".parquet": _write_parquet,
    ".npz": _write_npz,
    ".csv": _write_csv,
}
