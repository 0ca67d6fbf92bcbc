"""The catalogue: what a gallery knows about its photos, in SQLite. It is the truth.

A content is a photo's bytes, known by their SHA-256; a path is where a content lies now.
Embeddings hang off contents, so a moved photo keeps its own and a copy needs none.

`embeddings` holds the vectors of the published encoder. `staged` holds those of an encoder whose
first pass over the photos is not finished: they become `embeddings` in one transaction.

Every method opens its own short-lived connection, so one value serves all threads.
"""

import json
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from sqlite3 import Connection, DatabaseError

import numpy as np

from indexer import checksums, schema
from indexer.kinds import WANTED, Wanted
from indexer.records import (
    Content,
    Counts,
    Embeddings,
    KnownPhoto,
    KnownSkip,
    Pending,
    Published,
    Sighting,
    StagedSample,
    State,
)

# Rows transformed at a time when an encoder is published: bounded memory at any size.
ROWS_AT_A_TIME = 4096

_HAS_PATH = "content_id IN (SELECT content_id FROM photos)"


@dataclass(frozen=True, slots=True)
class Catalogue:
    """One gallery's catalogue.sqlite."""

    path: Path

    @classmethod
    def create(cls, path: Path) -> "Catalogue":
        """Open the catalogue for writing; it is created or brought up to date first."""
        schema.migrate(path)
        return cls(path)

    @classmethod
    def open(cls, path: Path) -> "Catalogue":
        """Open an existing catalogue for reading.

        Raises:
            GalleryError: it is damaged, incomplete or of another version.
        """
        schema.check_version(path)
        return cls(path)

    # Reading

    def state(self) -> State:
        """What the gallery is now."""
        with schema.reading(self.path) as connection:
            return _state(connection)

    def counts(self) -> Counts:
        """How many paths, distinct photos and skipped files there are."""
        with schema.reading(self.path) as connection:
            row = connection.execute(
                "SELECT (SELECT count(*) FROM photos),"
                " (SELECT count(DISTINCT content_id) FROM photos),"
                " (SELECT count(*) FROM skipped)"
            ).fetchone()
        return Counts(*row)

    def photos(self, *, staged: bool) -> dict[bytes, KnownPhoto]:
        """Every path, with whether its content has a (staged) embedding."""
        with schema.reading(self.path) as connection:
            rows = connection.execute(
                "SELECT path, photos.size_bytes, mtime_ns, hash, vectors.content_id IS NOT NULL"
                " FROM photos JOIN contents ON contents.id = content_id"
                f" LEFT JOIN {_table(staged=staged)} AS vectors USING (content_id)"
            )
            return {path: KnownPhoto(*facts) for path, *facts in rows}

    def embedded_hashes(self, *, staged: bool) -> set[bytes]:
        """The contents that have a (staged) embedding, with or without a path."""
        with schema.reading(self.path) as connection:
            vectors = _table(staged=staged)
            rows = connection.execute(
                f"SELECT hash FROM contents JOIN {vectors} ON contents.id = content_id"
            )
            return {row[0] for row in rows}

    def skipped(self) -> list[KnownSkip]:
        """Every file that could not be used, in the order of the paths."""
        with schema.reading(self.path) as connection:
            rows = connection.execute(
                "SELECT path, reason, size_bytes, mtime_ns FROM skipped ORDER BY path"
            )
            return [KnownSkip(*row) for row in rows]

    def embeddings(self) -> Embeddings:
        """The published embeddings of all photos that have a path."""
        with schema.reading(self.path) as connection:
            return _live_embeddings(connection)

    def staged_sample(self, *, most: int, seed: int) -> StagedSample:
        """Embeddings of at most `most` photos that have a path, drawn by `seed`."""
        with schema.reading(self.path) as connection:
            ids = connection.execute(f"SELECT content_id FROM staged WHERE {_HAS_PATH}").fetchall()
            drawn = random.Random(seed).sample(ids, min(most, len(ids)))
            find = "SELECT vector FROM staged WHERE content_id = ?"
            rows = [connection.execute(find, row).fetchone()[0] for row in sorted(drawn)]
        return StagedSample(len(ids), _stacked(rows))

    def first_paths(self, ids: list[int]) -> dict[int, bytes]:
        """The first path, in byte order, of each of `ids` that has one."""
        with schema.reading(self.path) as connection:
            rows = connection.execute(
                "SELECT content_id, min(path) FROM photos"
                " WHERE content_id IN (SELECT value FROM json_each(?)) GROUP BY content_id",
                (json.dumps(ids),),
            )
            return dict(rows.fetchall())

    # Writing: each call is one transaction

    def start_pending(self, pending: Pending) -> None:
        """Begin an encoder's first pass; what an earlier one had staged is dropped."""
        with self._writing() as connection:
            connection.execute("DELETE FROM staged")
            _set_meta(connection, pending=json.dumps(asdict(pending)))

    def want_index(self, kind: Wanted) -> None:
        """Remember the kind of index that was asked for."""
        with self._writing() as connection:
            _set_meta(connection, index=kind)

    def record(self, sightings: list[Sighting], skipped: list[KnownSkip], *, staged: bool) -> None:
        """Store a group of finished photos and of files that turned out to be none."""
        with self._writing() as connection:
            for sighting in sightings:
                _store(connection, sighting, staged=staged)
            _store_skips(connection, skipped)
            if sightings:
                _next_generation(connection)

    def settle(self, *, photo_root: bytes, gone: list[bytes], skipped: list[KnownSkip]) -> None:
        """End a pass over the photos: paths that are gone leave, the list of skips is complete."""
        with self._writing() as connection:
            _set_meta(connection, photo_root=photo_root)
            connection.execute("DELETE FROM skipped")
            _store_skips(connection, skipped)
            left = [*gone, *(skip.path for skip in skipped)]
            cursor = connection.executemany("DELETE FROM photos WHERE path = ?", zip(left))
            if cursor.rowcount > 0:
                _next_generation(connection)

    def publish(self, encoder: Published, *, centre: Callable[[np.ndarray], np.ndarray]) -> None:
        """Make the staged embeddings, put through `centre`, those of the gallery.

        Args:
            encoder: what they are the embeddings of from now on.
            centre: `(n, d)` float32 staged rows to `(n, encoder.dim)` float32 unit rows.
        """
        with self._writing() as connection:
            connection.execute("DELETE FROM embeddings")
            for ids, rows in _staged_in_parts(connection):
                vectors = [row.tobytes() for row in centre(rows)]
                connection.executemany(
                    "INSERT INTO embeddings (content_id, vector) VALUES (?, ?)",
                    zip(ids, vectors, strict=True),
                )
            connection.execute("DELETE FROM staged")
            connection.execute("DELETE FROM meta WHERE key = 'pending'")
            _set_meta(connection, published=json.dumps(asdict(encoder)))
            _next_generation(connection)

    def forget_damaged(self) -> None:
        """Drop rows whose checksum does not fit, for a rebuild to make them anew."""
        with self._writing() as connection:
            checksums.forget_damaged(connection)

    def compact(self) -> None:
        """Give the space of dropped rows back to the disk."""
        with schema.connected(self.path) as connection:
            connection.execute("VACUUM")

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """One transaction; an error inside leaves the catalogue as it was."""
        with schema.writing(self.path) as connection:
            yield connection
            checksums.seal(connection)


def _table(*, staged: bool) -> str:
    return "staged" if staged else "embeddings"


def _state(connection: Connection) -> State:
    meta = dict(connection.execute("SELECT key, value FROM meta").fetchall())
    try:
        published = Published(**json.loads(meta["published"])) if "published" in meta else None
        pending = Pending(**json.loads(meta["pending"])) if "pending" in meta else None
        index = meta.get("index", "auto")
        if index not in WANTED:
            raise ValueError(index)
        return State(meta.get("photo_root"), int(meta["generation"]), published, pending, index)
    except (ValueError, TypeError, KeyError) as error:
        raise DatabaseError(f"what it says of itself cannot be read: {error!r}") from None


def _set_meta(connection: Connection, **values: str | bytes) -> None:
    connection.executemany("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", values.items())


def _next_generation(connection: Connection) -> None:
    connection.execute("UPDATE meta SET value = value + 1 WHERE key = 'generation'")


def _live_embeddings(connection: Connection) -> Embeddings:
    """Filled row by row into one array: a list of blobs would double the memory."""
    state = _state(connection)
    assert state.published is not None, "a gallery has embeddings once an encoder is published"
    live = f"FROM embeddings WHERE {_HAS_PATH}"
    (count,) = connection.execute(f"SELECT count(*) {live}").fetchone()
    ids = np.empty(count, dtype=np.int64)
    rows = np.empty((count, state.published.dim), dtype=np.float32)
    found = connection.execute(f"SELECT content_id, vector {live} ORDER BY content_id")
    for position, (content_id, vector) in enumerate(found):
        ids[position] = content_id
        rows[position] = np.frombuffer(vector, dtype=np.float32)
    return Embeddings(state.generation, state.published.fingerprint, ids, rows)


def _staged_in_parts(connection: Connection) -> Iterator[tuple[list[int], np.ndarray]]:
    """All staged embeddings, some thousand at a time."""
    last = -1
    while found := connection.execute(
        "SELECT content_id, vector FROM staged WHERE content_id > ? ORDER BY content_id LIMIT ?",
        (last, ROWS_AT_A_TIME),
    ).fetchall():
        last = found[-1][0]
        yield [content_id for content_id, _ in found], _stacked([vector for _, vector in found])


def _stacked(vectors: list[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(vectors), dtype=np.float32).reshape(len(vectors), -1)


def _store(connection: Connection, sighting: Sighting, *, staged: bool) -> None:
    file, content = sighting.file, sighting.content
    if content is not None:
        connection.execute(
            "INSERT INTO contents"
            " (hash, width, height, format, size_bytes, taken, camera, exif_read)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, TRUE) ON CONFLICT (hash) DO UPDATE SET"
            " width = excluded.width, height = excluded.height, format = excluded.format,"
            " size_bytes = excluded.size_bytes, taken = excluded.taken, camera = excluded.camera",
            (*_columns(content), content.shot.taken, content.shot.camera),
        )
    found = connection.execute("SELECT id FROM contents WHERE hash = ?", (sighting.hash,))
    (content_id,) = found.fetchone()
    if sighting.vector is not None:
        connection.execute(
            f"INSERT OR REPLACE INTO {_table(staged=staged)} (content_id, vector) VALUES (?, ?)",
            (content_id, sighting.vector.astype(np.float32).tobytes()),
        )
    if sighting.moved_from is not None:
        connection.execute("DELETE FROM photos WHERE path = ?", (sighting.moved_from,))
    connection.execute("DELETE FROM skipped WHERE path = ?", (file.path,))
    connection.execute(
        "INSERT OR REPLACE INTO photos (path, content_id, size_bytes, mtime_ns)"
        " VALUES (?, ?, ?, ?)",
        (file.path, content_id, file.size_bytes, file.mtime_ns),
    )


def _columns(content: Content) -> tuple[bytes, int, int, str, int]:
    return content.hash, content.width, content.height, content.format, content.size_bytes


def _store_skips(connection: Connection, skips: list[KnownSkip]) -> None:
    connection.executemany(
        "INSERT OR REPLACE INTO skipped (path, size_bytes, mtime_ns, reason) VALUES (?, ?, ?, ?)",
        [
            # A reason may quote bytes of the file that are not text.
            (s.path, s.size_bytes, s.mtime_ns, s.reason.encode(errors="replace").decode())
            for s in skips
        ],
    )
