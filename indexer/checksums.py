"""Checksums of the catalogue's rows: they find damaged bytes that SQLite takes for data.

A row is sealed when it carries the checksum of its other columns. Rows are sealed before a build's
transaction is committed; labels, which people write at any time, by the next build.
"""

import zlib
from pathlib import Path
from sqlite3 import Connection

# The columns that a row's checksum covers, the primary key first.
COVERED = {
    "meta": ("key", "value"),
    "contents": (
        "id", "hash", "width", "height", "format", "size_bytes", "taken", "camera", "exif_read",
    ),
    "embeddings": ("content_id", "vector"),
    "staged": ("content_id", "vector"),
    "photos": ("path", "content_id", "size_bytes", "mtime_ns"),
    "skipped": ("path", "size_bytes", "mtime_ns", "reason"),
    "label_actions": ("id", "kind", "who", "at", "undoes"),
    "class_events": ("id", "action_id", "class_id", "name", "undoes"),
    "label_events": ("id", "action_id", "content_id", "class_id", "source", "undoes"),
}  # fmt: skip

Value = int | float | str | bytes | None


def row_checksum(*values: Value) -> int:
    """CRC-32 of a row's values: their types and lengths count too."""
    checksum = 0
    for value in values:
        data = (
            value if isinstance(value, bytes) else repr(value).encode("utf-8", "backslashreplace")
        )
        kind = b"%c%d" % (type(value).__name__[0].encode(), len(data))
        checksum = zlib.crc32(data, zlib.crc32(kind, checksum))
    return checksum


def register(connection: Connection) -> None:
    """Let SQL on this connection call `row_checksum`."""
    connection.create_function("row_checksum", -1, row_checksum, deterministic=True)


def seal(connection: Connection) -> None:
    """Give every row that has none its checksum; takes as long as there are such rows."""
    for table in COVERED:
        connection.execute(f"UPDATE {table} SET checksum = {_sum(table)} WHERE checksum IS NULL")


def damaged_rows(connection: Connection) -> dict[str, int]:
    """How many rows of each table do not have their checksum; tables without any are left out."""
    counts = {
        table: connection.execute(
            f"SELECT count(*) FROM {table} WHERE checksum != {_sum(table)}"
        ).fetchone()[0]
        for table in COVERED
    }
    return {table: count for table, count in counts.items() if count}


def forget_damaged(connection: Connection) -> None:
    """Drop damaged rows that the next pass over the photos makes anew.

    Contents stay, for their labels: sealed as they are, and without a path where they are damaged.
    A photo that still has its hash is found again under its old id. Labels are never dropped.
    """
    bad = f"checksum != {_sum('contents')}"
    connection.execute(
        f"DELETE FROM photos WHERE content_id IN (SELECT id FROM contents WHERE {bad})"
    )
    connection.execute(f"UPDATE contents SET checksum = NULL WHERE {bad}")
    for table in ("photos", "skipped", "embeddings", "staged"):
        connection.execute(f"DELETE FROM {table} WHERE checksum != {_sum(table)}")
    for table in ("meta", "label_actions", "class_events", "label_events"):
        connection.execute(f"UPDATE {table} SET checksum = NULL WHERE checksum != {_sum(table)}")
    seal(connection)


def check_structure(connection: Connection) -> list[str]:
    """What SQLite finds wrong with its own file; nothing where it is whole."""
    found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(10)")]
    dangling = connection.execute("PRAGMA foreign_key_check").fetchall()
    problems = [line for line in found if line != "ok"]
    (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    path = connection.execute("PRAGMA database_list").fetchone()[2]
    if Path(path).stat().st_size % page_bytes:
        problems.append("the file is cut off in the middle of a page")
    return [*problems, *(f"a row of {row[0]} refers to nothing" for row in dangling[:10])]


def _sum(table: str) -> str:
    return f"row_checksum({', '.join(COVERED[table])})"
