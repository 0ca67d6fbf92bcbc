"""Decode once: a memory-mapped uint8 pixel cache of a photo folder.

A cache is a folder with two files. `photos.jsonl` is the truth: a header line, then one line a
photo, with the row its pixels have or the reason why it has none. `pixels-N.u8` holds the rows,
each photo squashed to a square (its true aspect ratio is kept in the line, so that crops can be
drawn as if it had not been squashed). Both only grow: pixels are flushed before the line that
names them, so whatever stops the process, every line that can be read is true.
"""

import json
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import IO, TypeVar

import numpy as np
from filelock import FileLock, Timeout
from PIL import Image

from training.errors import Interrupted, PhotoError, RunError
from training.files import atomic_write, mark_folder
from training.inflight import InFlight
from training.photos import FoundFile, Photo, SkippedFile, read_photo, walk
from training.progress import Progress

# Part of the header: raise it when photos come to be decoded differently.
CACHE_VERSION = 1

INDEX_FILE = "photos.jsonl"
PHOTOS_PER_FLUSH = 64
_LOOK_AHEAD = 32

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class PhotoSet:
    """The usable photos of a folder, in the order of their paths, as rows of one array."""

    pixels: np.ndarray  # (rows, size, size, 3) uint8, memory-mapped, read-only
    rows: np.ndarray  # (n,) int64: the row of each usable photo
    aspects: np.ndarray  # (n,) float32: true width / height
    paths: tuple[bytes, ...]  # (n,) relative to the photo folder
    skipped: tuple[SkippedFile, ...]
    decoded: int  # how many were decoded now, not found in the cache

    def __len__(self) -> int:
        return len(self.paths)


@dataclass(frozen=True)
class _Entry:
    """One line of the index; row -1 means skipped."""

    path: str
    size_bytes: int
    mtime_ns: int
    row: int
    aspect: float
    reason: str = ""


def open_photos(
    photos: Path,
    cache: Path,
    size: int,
    *,
    progress: Progress,
    stop: Callable[[], bool] = lambda: False,
) -> PhotoSet:
    """Bring the cache of a photo folder up to date and open it.

    Args:
        photos: the folder; its files are only read.
        cache: the folder the cache lives in, created where missing.
        size: side of the squares in pixels.
        progress: is told of the decoding.
        stop: asked between photos; what was decoded until then is kept.

    Raises:
        CollectionError: `photos` is missing or unreadable.
        Interrupted: `stop` said so.
        RunError: another process is filling this cache.
        OSError: the cache cannot be written.
    """
    mark_folder(cache)
    lock = FileLock(cache / ".lock")
    try:
        with lock.acquire(timeout=0):
            return _Filling(photos, cache, size).run(progress, stop)
    except Timeout:
        raise RunError(
            f"another process is decoding photos into {cache}",
            hint="wait until it is done, or give this run a folder of its own with --cache",
        ) from None


def squash(photo: Photo, size: int) -> np.ndarray:
    """A photo as a cache holds it, `(size, size, 3)` uint8."""
    return np.asarray(photo.image.resize((size, size), Image.Resampling.BILINEAR))


class _Filling:
    """One pass over a folder that decodes what the cache lacks."""

    def __init__(self, photos: Path, cache: Path, size: int) -> None:
        self.photos = photos
        self.cache = cache
        self.size = size
        self.number, self.known, self.true_bytes = _read_index(cache / INDEX_FILE, size)
        self.row_bytes = size * size * 3

    @property
    def pixel_file(self) -> Path:
        return self.cache / f"pixels-{self.number}.u8"

    def run(self, progress: Progress, stop: Callable[[], bool]) -> PhotoSet:
        entries, unreadable, missing = self._compare(list(walk(self.photos)))
        if missing:
            self._prepare_files()
            progress.start("decoding", total=len(missing), unit="photos")
            for entry in self._decode_all(missing, progress, stop):
                entries[entry.path] = entry
            progress.finish()
        return self._photo_set(entries, unreadable, len(missing))

    def _compare(
        self, found: list[FoundFile | SkippedFile]
    ) -> tuple[dict[str, _Entry], list[SkippedFile], list[FoundFile]]:
        """What the cache has, what cannot be used, what must be decoded."""
        entries: dict[str, _Entry] = {}
        unreadable = [file for file in found if isinstance(file, SkippedFile)]
        missing: list[FoundFile] = []
        for file in found:
            if isinstance(file, SkippedFile):
                continue
            entry = self.known.get(os.fsdecode(file.path))
            if entry and (entry.size_bytes, entry.mtime_ns) == (file.size_bytes, file.mtime_ns):
                entries[entry.path] = entry
            else:
                missing.append(file)
        return entries, unreadable, missing

    def _prepare_files(self) -> None:
        """Begin a new cache, or cut off what a crash left behind the last true line."""
        index = self.cache / INDEX_FILE
        if not self.known:
            for old in self.cache.glob("pixels-*.u8"):
                old.unlink()
            self.pixel_file.touch()
            header = {"version": CACHE_VERSION, "size": self.size, "number": self.number}
            atomic_write(index, json.dumps(header).encode() + b"\n")
            return
        os.truncate(index, self.true_bytes)

    def _decode_all(
        self, missing: list[FoundFile], progress: Progress, stop: Callable[[], bool]
    ) -> Iterator[_Entry]:
        row = 1 + max((entry.row for entry in self.known.values()), default=-1)
        os.truncate(self.pixel_file, row * self.row_bytes)
        with (
            self.pixel_file.open("ab") as pixels,
            (self.cache / INDEX_FILE).open("ab") as index,
            InFlight.opened(self.cache / ".decoding") as in_flight,
        ):
            waiting: list[_Entry] = []
            for file, result in _in_threads(partial(self._squash, in_flight), missing):
                if isinstance(result, str):
                    entry = _entry(file, -1, 0.0, result)
                else:
                    pixels.write(result[0].tobytes())
                    entry = _entry(file, row, result[1])
                    row += 1
                waiting.append(entry)
                yield entry
                progress.advance(1)
                halted = stop()
                if halted or len(waiting) >= PHOTOS_PER_FLUSH:
                    _commit(pixels, index, waiting)
                    waiting = []
                if halted:
                    raise Interrupted(
                        "stopped while decoding; what was decoded is kept",
                        hint="run the same command again to go on",
                    )
            _commit(pixels, index, waiting)

    def _squash(self, in_flight: InFlight, file: FoundFile) -> tuple[np.ndarray, float] | str:
        """A photo as `(size, size, 3)` uint8 and its width / height, or why not."""
        path = self.photos / os.fsdecode(file.path)
        try:
            with in_flight.decoding(
                b"%d %d " % (file.size_bytes, file.mtime_ns) + file.path
            ) as alone:
                photo = read_photo(path, at_least=self.size, isolated=alone)
        except PhotoError as error:
            return error.message
        return squash(photo, self.size), photo.width / photo.height

    def _photo_set(
        self, entries: dict[str, _Entry], unreadable: list[SkippedFile], decoded: int
    ) -> PhotoSet:
        ordered = sorted(entries.values(), key=lambda entry: os.fsencode(entry.path))
        used = [entry for entry in ordered if entry.row >= 0]
        bad = [SkippedFile(os.fsencode(e.path), e.reason) for e in ordered if e.row < 0]
        shape = (-1, self.size, self.size, 3)
        return PhotoSet(
            pixels=np.memmap(self.pixel_file, np.uint8, "r").reshape(shape)
            if used
            else np.zeros((0, self.size, self.size, 3), np.uint8),
            rows=np.array([entry.row for entry in used], np.int64),
            aspects=np.array([entry.aspect for entry in used], np.float32),
            paths=tuple(os.fsencode(entry.path) for entry in used),
            skipped=tuple(sorted([*bad, *unreadable], key=lambda file: file.path)),
            decoded=decoded,
        )


def _read_index(index: Path, size: int) -> tuple[int, dict[str, _Entry], int]:
    """The number of the pixel file, the entries by path, and how many bytes of it are true.

    Nothing where it does not fit. What follows a damaged line is not believed. A cache whose
    dead rows (changed or vanished photos) outnumber the living starts anew.
    """
    try:
        header, *lines = index.read_bytes().splitlines(keepends=True)
        facts = json.loads(header)
        number = int(facts["number"])
        if (facts["version"], facts["size"]) != (CACHE_VERSION, size):
            return number + 1, {}, 0
    except (OSError, ValueError, KeyError, TypeError):
        return 0, {}, 0
    entries: dict[str, _Entry] = {}
    true_bytes, rows = len(header), 0
    for line in lines:
        entry = _read_line(line)
        if entry is None:
            break
        entries[entry.path] = entry
        true_bytes += len(line)
        rows += entry.row >= 0
    pixels = index.parent / f"pixels-{number}.u8"
    complete = pixels.is_file() and pixels.stat().st_size >= rows * size * size * 3
    living = sum(entry.row >= 0 for entry in entries.values())
    if complete and rows <= 2 * living:
        return number, entries, true_bytes
    return number + 1, {}, 0


def _read_line(line: bytes) -> _Entry | None:
    """One line of the index; None for one that a crash cut short or that is damaged."""
    try:
        return _Entry(**json.loads(line)) if line.endswith(b"\n") else None
    except (ValueError, TypeError):
        return None


def _in_threads(work: Callable[[Item], Result], items: list[Item]) -> Iterator[tuple[Item, Result]]:
    """`work` on every item, in order, a bounded number ahead; decoding frees the GIL."""
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        ahead: deque[tuple[Item, Future[Result]]] = deque()
        for item in items:
            ahead.append((item, pool.submit(work, item)))
            if len(ahead) >= _LOOK_AHEAD:
                first, future = ahead.popleft()
                yield first, future.result()
        while ahead:
            first, future = ahead.popleft()
            yield first, future.result()


def _entry(file: FoundFile, row: int, aspect: float, reason: str = "") -> _Entry:
    path = os.fsdecode(file.path)
    return _Entry(path, file.size_bytes, file.mtime_ns, row, aspect, reason)


def _commit(pixels: IO[bytes], index: IO[bytes], entries: list[_Entry]) -> None:
    """Pixels to disk first, then the lines that name them."""
    pixels.flush()
    os.fsync(pixels.fileno())
    index.write(b"".join(json.dumps(asdict(entry)).encode() + b"\n" for entry in entries))
    index.flush()
