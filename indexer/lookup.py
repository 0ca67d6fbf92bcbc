"""Which photo of a gallery lies at a path, or has some content."""

from pathlib import Path

from indexer import schema


def ids_by_path(catalogue: Path) -> dict[bytes, int]:
    """The photo at every path; paths are relative to the photo root."""
    with schema.connected(catalogue, read_only=True) as connection:
        return dict(connection.execute("SELECT path, content_id FROM photos").fetchall())


def ids_by_hash(catalogue: Path) -> dict[bytes, int]:
    """The photo with every content that has a path, by its SHA-256."""
    with schema.connected(catalogue, read_only=True) as connection:
        rows = connection.execute(
            "SELECT hash, id FROM contents WHERE id IN (SELECT content_id FROM photos)"
        )
        return dict(rows.fetchall())
