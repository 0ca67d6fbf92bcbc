"""The catalogue's tables, their numbered migrations, and how a connection to it is opened."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from indexer import checksums
from indexer.migrations import MIGRATIONS
from indexer.wording import shown
from training.errors import GalleryError, LookalikeError, StorageError
from training.wording import quoted

# How long a connection waits for another one's write before it gives up.
BUSY_SECONDS = 30.0


def migrate(path: Path) -> None:
    """Create the catalogue, or bring its tables up to this version.

    Raises:
        GalleryError: it is damaged or was made by a newer version.
        StorageError: it cannot be written.
    """
    with connected(path) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN IMMEDIATE")
        for number in range(_version(connection, path), len(MIGRATIONS)):
            for statement in _statements(MIGRATIONS[number]):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number + 1}")
        checksums.seal(connection)
        connection.execute("COMMIT")


def check_version(path: Path) -> None:
    """Refuse a catalogue that is missing, damaged, or of another version.

    Raises:
        GalleryError: with the command that helps.
    """
    with connected(path, read_only=True) as connection:
        version = _version(connection, path)
        if version == 0:
            raise GalleryError(
                f"{shown(path)} is not complete",
                hint=f"`ssl-index build PHOTOS -o {quoted(path.parent)}` goes on with it",
            )
        if version < len(MIGRATIONS):
            raise GalleryError(
                f"{shown(path)} was made by an older version of Lookalike",
                hint=f"`ssl-index update {quoted(path.parent)}` brings it up to date",
            )


@contextmanager
def connected(path: Path, *, read_only: bool = False) -> Iterator[sqlite3.Connection]:
    """A short-lived connection in autocommit mode; SQLite's errors come out as ours.

    Raises:
        GalleryError: the catalogue is damaged or another process keeps it locked.
        StorageError: the disk is full, or the folder cannot be written.
    """
    before = _stamp(path)
    try:
        with closing(_open_for_reading(path) if read_only else _open(path)) as connection:
            checksums.register(connection)
            yield connection
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
        raise  # a mistake of ours, not the user's
    except sqlite3.DatabaseError as error:
        if read_only and _primary_code(error) == sqlite3.SQLITE_CORRUPT and _stamp(path) != before:
            raise _written_meanwhile(path) from error
        raise _friendly(error, path) from error
    except UnicodeDecodeError as error:  # a damaged text, which Python reads
        raise _friendly(sqlite3.DatabaseError(str(error)), path) from error


def _statements(script: str) -> Iterator[str]:
    """The statements of a migration; those inside a trigger belong to it."""
    statement = ""
    for piece in script.split(";"):
        statement += piece + ";"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """One consistent view: what is read inside belongs to one moment; raises as `connected`."""
    with connected(path, read_only=True) as connection:
        connection.execute("BEGIN")
        yield connection


@contextmanager
def writing(path: Path) -> Iterator[sqlite3.Connection]:
    """One transaction; an error inside leaves all as it was. Raises as `connected`."""
    with connected(path) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield connection
        connection.execute("COMMIT")


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    connection.execute("PRAGMA foreign_keys = ON")
    # In WAL mode the default may lose the last commits when the power fails, and the encoder
    # file is renamed right after the commit that names it.
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def _open_for_reading(path: Path) -> sqlite3.Connection:
    """A reader. In a folder that cannot be written SQLite must be told that nobody else writes."""
    uri = "file:" + quote(os.fsencode(path.absolute()))
    connection = sqlite3.connect(
        f"{uri}?mode=rw", uri=True, timeout=BUSY_SECONDS, isolation_level=None
    )
    try:
        connection.execute("PRAGMA user_version").fetchone()
        connection.execute("PRAGMA query_only = ON")
    except sqlite3.OperationalError as error:
        connection.close()
        if _primary_code(error) not in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
            raise
        if _unfinished(path):
            raise _cut_off(path) from error
        return sqlite3.connect(f"{uri}?mode=ro&immutable=1", uri=True, isolation_level=None)
    return connection


def _unfinished(path: Path) -> bool:
    """Whether a write-ahead log lies beside the catalogue, which `immutable` would not read."""
    log = path.with_name(path.name + "-wal")
    return log.exists() and log.stat().st_size > 0


def _stamp(path: Path) -> tuple[int, int]:
    """What tells that a file was written: its time and size."""
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return (found.st_mtime_ns, found.st_size)


def _written_meanwhile(path: Path) -> GalleryError:
    # Who may not write there has no locks either, and may see half of what its owner writes.
    return GalleryError(
        f"{shown(path)} was written to at this very moment", hint="look again: it takes no time"
    )


def _cut_off(path: Path) -> StorageError:
    return StorageError(
        f"what was written last to {shown(path)} was cut off, and only who may write there can "
        "finish it",
        hint=f"`ssl-index info {quoted(path.parent)}` does so, as the user whose gallery it is",
    )


def _version(connection: sqlite3.Connection, path: Path) -> int:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > len(MIGRATIONS):
        raise GalleryError(
            f"{shown(path)} was made by a newer version of Lookalike "
            f"(its tables are version {version}, this program knows {len(MIGRATIONS)})",
            hint="install the newer version, or build into another folder with -o",
        )
    return version


def _primary_code(error: sqlite3.Error) -> int:
    """SQLite's primary result code: the extended codes add bits above the first eight."""
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF


def _friendly(error: sqlite3.DatabaseError, path: Path) -> LookalikeError:
    code = _primary_code(error)
    if code == sqlite3.SQLITE_FULL:
        return StorageError(
            f"cannot write {shown(path)}: the disk is full",
            hint="free some space and run the same command again",
        )
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return StorageError(
            f"cannot open {shown(path)} for writing: {error}",
            hint="choose a folder you may write to with -o, or change its rights",
        )
    if code == sqlite3.SQLITE_IOERR:
        return StorageError(
            f"cannot read or write {shown(path)}: {error}",
            hint="check the disk and run the same command again",
        )
    if code == sqlite3.SQLITE_BUSY:
        return GalleryError(
            f"{shown(path)} is locked by another process",
            hint="wait until it has finished and run the same command again",
        )
    return GalleryError(
        f"{shown(path)} is damaged: {error}",
        hint=f"move the gallery away and `ssl-index build PHOTOS -o {quoted(path.parent)}`",
    )
