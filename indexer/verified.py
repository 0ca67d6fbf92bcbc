"""Which files were hashed already, so that opening a gallery does not read all of it every time.

A file is known by its inode, size, time of its content and time of its last change of any kind. The
last one no program can set: whatever is written, copied or unpacked gets another, also when a
gallery comes from elsewhere together with this list. What changes under the file system's eyes,
such as a bit on the disk, `ssl-index verify` finds: it hashes every time.
"""

import json
import logging
from pathlib import Path

from indexer.folder import file_hash
from training.files import atomic_write

VERIFIED_FILE = "verified.json"

_log = logging.getLogger(__name__)


def matches(path: Path, sha256: str, *, again: bool = False, remember: bool = True) -> bool:
    """Whether a file has this SHA-256; it is hashed once, as long as it stays the same file.

    Args:
        path: the file, missing ones match nothing.
        sha256: as it should be, hex.
        again: hash it whatever is remembered.
        remember: note in its folder what came of it.
    """
    try:
        before = _identity(path)
    except OSError:
        return False
    known = _remembered(path.parent)
    if not again and known.get(path.name) == [*before, sha256]:
        return True
    whole = file_hash(path) == sha256 and _identity(path) == before
    # Files that are gone leave the list; so does one that turns out to be damaged, for the next
    # build to make it anew.
    kept = {
        name: facts
        for name, facts in known.items()
        if name != path.name and (path.parent / name).exists()
    }
    if whole:
        kept[path.name] = [*before, sha256]
    if remember and kept != known:
        _remember(path.parent, kept)
    return whole


def _identity(path: Path) -> list[int]:
    found = path.stat()
    return [found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns]


def _remembered(folder: Path) -> dict[str, object]:
    try:
        known = json.loads((folder / VERIFIED_FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    return {str(name): facts for name, facts in known.items()} if isinstance(known, dict) else {}


def _remember(folder: Path, known: dict[str, object]) -> None:
    try:
        atomic_write(folder / VERIFIED_FILE, json.dumps(known).encode())
    except OSError as error:  # a folder that is only read: it is hashed at every opening
        _log.info("it is not remembered that the files of %s were checked: %s", folder, error)
