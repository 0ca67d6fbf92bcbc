"""Which photos a run learns from: remembered when it begins, compared when it goes on."""

import csv
import io
import os
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.cache import PhotoSet
from training.errors import RunError
from training.runs import PHOTOS_FILE, RunFolder

_COLUMNS = ("path", "size_bytes", "mtime_ns", "pixels_crc32")


@dataclass(frozen=True)
class _Photo:
    """What a run remembers of a photo; lists of an earlier version have its size only."""

    size_bytes: int
    mtime_ns: int | None = None
    pixels_crc32: int | None = None  # of what was decoded


def same_collection(run: RunFolder, root: Path, photos: PhotoSet) -> None:
    """Remember the photos of a run that begins; refuse to go on with others.

    Raises:
        RunError: photos came, went or changed since.
    """
    now = {os.fsdecode(p): row for p, row in zip(photos.paths, photos.rows, strict=True)}
    remembered = run.path / PHOTOS_FILE
    if not remembered.is_file():
        lines = (
            (name, *map(str, (*_size_and_time(root / name), zlib.crc32(photos.pixels[row].data))))
            for name, row in now.items()
        )
        run.write_csv(PHOTOS_FILE, _COLUMNS, lines)
        return
    before = _read(remembered)
    came, went = sorted(now.keys() - before.keys()), sorted(before.keys() - now.keys())
    changed = [
        name
        for name, row in now.items()
        if name in before and _differs(before[name], root / name, photos.pixels[row])
    ]
    found = {"came": came, "went": went, "changed": changed}
    if any(found.values()):
        counts = ", ".join(f"{len(names):,} {what}" for what, names in found.items() if names)
        first = next(names[0] for names in found.values() if names)
        raise RunError(
            f"the photo folder changed since this run began with {len(before):,} photos: "
            f"{counts}; the first: {first}",
            hint="bring the photos back, or start a new run with -o",
        )


def _differs(before: _Photo, file: Path, pixels: np.ndarray) -> bool:
    """Whether a file, decoded to `(size, size, 3)` uint8, is another photo than before.

    Times change when a folder is copied, so they only say where to look at the pixels: a photo
    that is turned or painted over may keep its size in bytes.
    """
    size_bytes, mtime_ns = _size_and_time(file)
    if size_bytes != before.size_bytes:
        return True
    if before.pixels_crc32 is None or mtime_ns == before.mtime_ns:
        return False
    return zlib.crc32(pixels.data) != before.pixels_crc32


def _read(file: Path) -> dict[str, _Photo]:
    text = file.read_bytes().decode("utf-8", "surrogateescape")
    try:
        # Not `splitlines`: it also ends a line at characters that a file's name may hold.
        rows = list(csv.reader(io.StringIO(text, newline="")))[1:]
        return {path: _Photo(*map(int, known)) for path, *known in rows}
    except (ValueError, TypeError, csv.Error):
        raise RunError(
            f"{file} is damaged", hint="start the run anew in another folder with -o"
        ) from None


def _size_and_time(file: Path) -> tuple[int, int]:
    """Bytes of a file and when it was changed, in nanoseconds; -1 where it has vanished."""
    try:
        found = file.stat()
    except OSError:
        return -1, -1
    return found.st_size, found.st_mtime_ns
