"""What changed since the last build: the files found, compared with the catalogue."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from indexer.records import KnownPhoto, KnownSkip
from indexer.wording import shown
from training.errors import CollectionError
from training.photos import FoundFile, walk


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that must be read, and what the catalogue knew at its path."""

    file: FoundFile
    known: KnownPhoto | None  # None: the path is new


@dataclass(frozen=True)
class Difference:
    """Every file seen, in one of three ways; and the paths that are there no more."""

    unchanged: int
    to_read: tuple[Candidate, ...]
    skipped: tuple[KnownSkip, ...]
    gone: Mapping[bytes, KnownPhoto]
    out_of_sight: int  # known paths below folders that cannot be read now: nobody knows of them

    @property
    def seen(self) -> int:
        """How many files the walk met."""
        return self.unchanged + len(self.to_read) + len(self.skipped)


def find_difference(
    root: Path,
    photos: Mapping[bytes, KnownPhoto],
    skips: Iterable[KnownSkip],
    *,
    reread: bool = False,
) -> Difference:
    """Walk the photos and compare; no file is opened.

    Args:
        root: the photo folder.
        photos: the paths in the catalogue.
        skips: files that could not be used and need not be tried again while they stay the same.
        reread: also read the files whose size and time are what they were.

    Raises:
        CollectionError: `root` is missing or holds no file.
    """
    files: list[FoundFile] = []
    skipped: list[KnownSkip] = []
    for item in walk(root):
        if isinstance(item, FoundFile):
            files.append(item)
        else:
            skipped.append(KnownSkip(item.path, item.reason))
    if not files:
        raise _nothing_found(root, known=len(photos), skipped=len(skipped))
    tried = {(s.path, s.size_bytes, s.mtime_ns): s for s in skips}
    candidates: list[Candidate] = []
    for file in files:
        skip = tried.get((file.path, file.size_bytes, file.mtime_ns))
        if skip is not None:
            skipped.append(skip)
        elif reread or not _settled(file, photos.get(file.path)):
            candidates.append(Candidate(file, photos.get(file.path)))
    seen = {file.path for file in files} | {skip.path for skip in skipped}
    hidden = _below({skip.path for skip in skipped}, photos)
    return Difference(
        unchanged=len(seen) - len(candidates) - len(skipped),
        to_read=tuple(candidates),
        skipped=tuple(skipped),
        gone={p: known for p, known in photos.items() if p not in seen and p not in hidden},
        out_of_sight=len(hidden),
    )


def _below(folders: set[bytes], paths: Iterable[bytes]) -> set[bytes]:
    """The paths below any of some entries; most of these are files, and nothing is below them."""
    if not folders:
        return set()
    return {path for path in paths if not folders.isdisjoint(_parents(path))}


def _parents(path: bytes) -> list[bytes]:
    parts = path.split(os.sep.encode())
    return [os.sep.encode().join(parts[:end]) for end in range(1, len(parts))]


def _settled(file: FoundFile, known: KnownPhoto | None) -> bool:
    """Whether a file is as it was and has its embedding."""
    return (
        known is not None
        and known.embedded
        and (file.size_bytes, file.mtime_ns) == (known.size_bytes, known.mtime_ns)
    )


def _nothing_found(root: Path, *, known: int, skipped: int) -> CollectionError:
    if known:
        return CollectionError(
            f"{shown(root)} holds no photo now, and the gallery knows {known:,} from it",
            hint="is the drive mounted? Nothing was changed; to start over, delete the gallery",
        )
    beside = f", only {skipped:,} entries that cannot be used" if skipped else ""
    return CollectionError(
        f"{shown(root)} holds no files{beside}", hint="give the folder that holds your photos"
    )
