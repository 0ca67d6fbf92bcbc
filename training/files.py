"""Files that are never half written: written beside, flushed to disk, then renamed."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from training.errors import ConfigError
from training.photos import MARKER


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; renamed onto it at the end, removed on an error.

    Raises:
        OSError: the folder cannot be written or the disk is full; `path` is then untouched.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        _flush(temporary)
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
        _flush(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def atomic_write(path: Path, data: bytes) -> None:
    """Write a whole file so that a crash leaves the old content or the new."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def check_output(file: Path) -> None:
    """See whether `-o` names a place for a file, before the work whose result it is.

    Raises:
        ConfigError: it is a folder, or would be in none.
    """
    if file.is_dir():
        raise ConfigError(
            f"-o {file}: this is a folder, and a file is to be written",
            hint=f"name a file, as -o {file / 'NAME'}",
        )
    if not file.parent.is_dir():
        raise ConfigError(
            f"-o {file}: there is no folder {file.parent}",
            hint="create it first, or name a file in a folder that exists",
        )


def mark_folder(folder: Path) -> None:
    """Create a folder of ours, with the marker that keeps walks over photos out of it."""
    folder.mkdir(parents=True, exist_ok=True)
    marker = folder / MARKER
    if not marker.exists():
        atomic_write(marker, b"This folder belongs to Lookalike; photos in it are not indexed.\n")


def _flush(path: Path) -> None:
    if os.name == "nt" and path.is_dir():  # pragma: no cover - Windows cannot open folders
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    # There is no way to read the umask but to set it; mkstemp alone would leave 0600.
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
