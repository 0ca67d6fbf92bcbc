"""THE way to read a photo: walk a folder, sniff, decode, turn upright, make RGB.

Training, the indexer and the app all come through here, so a photo looks the same to each.
A file ends as a photo or as a reason; originals are only ever opened for reading.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from training import isolation
from training.attended import Attended, Overdue
from training.decoding import FORMATS, Photo, decode_here, is_plain, shot_in_head
from training.errors import CollectionError, PhotoError
from training.exif import UNKNOWN_SHOT, Shot

__all__ = [
    "FORMATS", "MARKER", "MAX_FILE_BYTES", "FoundFile", "Photo", "SkippedFile",
    "decode", "photo_shot", "read_file", "read_photo", "walk",
]  # fmt: skip

# A folder that holds this file is ours (a run, a gallery, a cache): the walk does not enter it.
MARKER = ".lookalike"

# Decoding in this process: `is_plain` lets nothing in that keeps a decoder busy for long. Where two
# hang all the same, each of them on a core, the others had better go elsewhere too.
ATTENDED = Attended(seconds=isolation.SECONDS, most_given_up=2)

# A file above this is not read into memory.
MAX_FILE_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A regular file below the photo root, not yet opened."""

    path: bytes  # relative to the root, as os.fsencode gives it
    size_bytes: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A file that cannot be used, and why."""

    path: bytes
    reason: str


def walk(root: Path) -> Iterator[FoundFile | SkippedFile]:
    """Every file below `root` in a fixed order: folder by folder, names by their bytes.

    Hidden names (a leading dot) are not looked at; folders marked as ours are not entered.

    Raises:
        CollectionError: `root` is missing, not a folder, or cannot be read.
    """
    top = os.fsencode(root)
    # A stack of folders, not recursion: a thousand nested folders would exceed Python's limit.
    stack = [_paths_in(_list_root(root), b"")]
    while stack:
        path = next(stack[-1], None)
        if path is None:
            stack.pop()
            continue
        item = _visit(os.path.join(top, path), path)
        if isinstance(item, list):
            stack.append(_paths_in(item, path))
        else:
            yield item


def read_file(path: Path) -> bytes:
    """The bytes of one file.

    Raises:
        PhotoError: it vanished, is empty, too large, or may not be read.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_FILE_BYTES:
                raise PhotoError(f"the file has {size:,} bytes; at most {MAX_FILE_BYTES:,} is read")
            data = file.read()
    except FileNotFoundError:
        raise PhotoError("the file vanished") from None
    except PermissionError:
        raise PhotoError("permission denied") from None
    except OSError as error:
        raise PhotoError(f"cannot be read: {error.strerror or error}") from None
    if not data:
        raise PhotoError("the file is empty (0 bytes)")
    return data


def decode(data: bytes, *, at_least: int | None = None, isolated: bool = False) -> Photo:
    """Decode a photo's bytes to upright 8-bit RGB.

    Ordinary JPEG and PNG are decoded at once. Every other format, and what hangs there, goes
    through a process of its own, where a decoder that crashes, hangs or asks for too much memory
    costs this photo only.

    Args:
        data: the whole file.
        at_least: the shorter side, in pixels, that the caller will resize to. JPEGs are then
            decoded at a fraction of their size that keeps twice this. None: in full.
        isolated: send it to the other process whatever it is.

    Raises:
        PhotoError: not an image of a known format, damaged, too large, or its decoder failed.
    """
    if is_plain(data) and not isolated:
        with suppress(Overdue):
            return ATTENDED.run(lambda: decode_here(data, at_least=at_least))
    return isolation.shared().decode(data, at_least=at_least)


def read_photo(path: Path, *, at_least: int | None = None, isolated: bool = False) -> Photo:
    """Read and decode one file; see `read_file` and `decode`."""
    return decode(read_file(path), at_least=at_least, isolated=isolated)


def photo_shot(path: Path) -> Shot:
    """The date and camera of a file, of most formats read from its head; nothing where it fails."""
    try:
        found = shot_in_head(path)
        return read_photo(path).shot if found is None else found
    except PhotoError:
        return UNKNOWN_SHOT


def _list_root(root: Path) -> list[bytes]:
    hint = "give the folder that holds your photos"
    try:
        return os.listdir(os.fsencode(root))
    except FileNotFoundError:
        raise CollectionError(f"there is no folder {root}", hint=hint) from None
    except NotADirectoryError:
        raise CollectionError(f"{root} is a file, not a folder", hint=hint) from None
    except PermissionError:
        raise CollectionError(
            f"{root} cannot be read: permission denied", hint="change the folder's rights"
        ) from None
    except OSError as error:
        raise CollectionError(f"{root} cannot be read: {error.strerror}", hint=hint) from None


def _paths_in(names: list[bytes], folder: bytes) -> Iterator[bytes]:
    """The paths to visit in a folder of these names; none where it is one of ours."""
    if os.fsencode(MARKER) not in names:
        for name in sorted(names):
            if not name.startswith(b"."):
                yield os.path.join(folder, name)


def _visit(full: bytes, path: bytes) -> FoundFile | SkippedFile | list[bytes]:
    """What lies at a path: a file, a reason, or the names in a folder."""
    try:
        facts = os.lstat(full)
        if stat.S_ISDIR(facts.st_mode):
            return os.listdir(full)
        if stat.S_ISLNK(facts.st_mode):
            facts = os.stat(full)
        if stat.S_ISREG(facts.st_mode):
            return FoundFile(path, facts.st_size, facts.st_mtime_ns)
        # Following a link to a folder can loop, and shows the same photos twice.
        linked = stat.S_ISDIR(facts.st_mode)
        reason = "a link to a folder is not followed" if linked else "not a regular file"
    except FileNotFoundError:
        reason = "a broken link" if os.path.islink(full) else "vanished while it was read"
    except PermissionError:
        reason = "permission denied"
    except OSError as error:
        reason = f"cannot be read: {error.strerror or error}"
    return SkippedFile(path, reason)
