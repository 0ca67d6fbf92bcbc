"""One writer at a time in a gallery's or a run's folder; a refused one is told who writes there.

The operating system's lock on `.lock` decides: it is free again the moment its holder dies.
`.writer` only says who that is, and is believed only while the lock is held.
"""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from training.errors import LookalikeError

LOCK_FILE = ".lock"
WRITER_FILE = ".writer"


@dataclass(frozen=True, slots=True)
class Writer:
    """Who is writing to a folder."""

    command: str
    pid: int
    host: str
    since: str  # ISO 8601, local time to the second

    def __str__(self) -> str:
        return f"`{self.command}` (process {self.pid} on {self.host}, since {self.since})"


@contextmanager
def only_writer(
    folder: Path, *, command: str, wait_seconds: float, error: type[LookalikeError]
) -> Iterator[None]:
    """Be the only writer of a folder, which exists.

    Args:
        folder: a gallery's or a run's.
        command: what a refused writer is told, as a person would type it.
        wait_seconds: how long to wait for another one to finish.
        error: what to raise where another one does not.

    Raises:
        LookalikeError: another process is writing; the message names it.
        OSError: the folder cannot be written.
    """
    lock = FileLock(folder / LOCK_FILE, timeout=wait_seconds)
    try:
        lock.acquire()
    except Timeout:
        holder = read_writer(folder)
        raise error(
            f"another command is writing to {folder}" + (f": {holder}" if holder else ""),
            hint="wait until it has finished and run the same command again",
        ) from None
    note = folder / WRITER_FILE
    try:
        note.write_text(json.dumps(asdict(_this_process(command))), encoding="utf-8")
        yield
    finally:
        note.unlink(missing_ok=True)
        lock.release()


def read_writer(folder: Path) -> Writer | None:
    """Who holds the lock, as that process wrote it down; None where it has not, or not yet."""
    try:
        writer = Writer(**json.loads((folder / WRITER_FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return writer


def _this_process(command: str) -> Writer:
    since = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
    return Writer(command, os.getpid(), socket.gethostname(), since)
