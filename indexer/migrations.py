"""The catalogue's tables, as numbered migrations."""

# Tables whose rows carry a checksum, and the columns that it covers: as of the migration that
# uses this, so that it is never edited.
_CHECKED = (
    ("meta", "key, value"),
    ("contents", "id, hash, width, height, format, size_bytes, taken, camera, exif_read"),
    ("embeddings", "content_id, vector"),
    ("staged", "content_id, vector"),
    ("photos", "path, content_id, size_bytes, mtime_ns"),
    ("skipped", "path, size_bytes, mtime_ns, reason"),
    ("label_actions", "id, kind, who, at, undoes"),
    ("class_events", "id, action_id, class_id, name, undoes"),
    ("label_events", "id, action_id, content_id, class_id, source, undoes"),
)

# A new row has no checksum, and one that is changed loses its own: it gets it before the commit
# of a build, see `checksums.seal`. The index holds only those that wait for it.
_WITH_CHECKSUM = """
    ALTER TABLE {table} ADD COLUMN checksum INTEGER;

    CREATE INDEX {table}_unsealed ON {table} ({key}) WHERE checksum IS NULL;

    CREATE TRIGGER {table}_changed AFTER UPDATE OF {columns} ON {table} BEGIN
        UPDATE {table} SET checksum = NULL WHERE {key} = NEW.{key};
    END;
"""

# `user_version` counts the migrations applied. A shipped migration is never edited.
#
# Paths are BLOBs: file names are bytes, and a STRICT TEXT column refuses those that are not UTF-8.
# Rows of `contents` are never deleted, so an id means the same photo for ever.
MIGRATIONS = (
    """
    CREATE TABLE meta (
        key TEXT PRIMARY KEY,
        value ANY NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE contents (
        id INTEGER PRIMARY KEY,
        hash BLOB NOT NULL UNIQUE,
        width INTEGER NOT NULL,
        height INTEGER NOT NULL,
        format TEXT NOT NULL,
        size_bytes INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE embeddings (
        content_id INTEGER PRIMARY KEY REFERENCES contents (id),
        vector BLOB NOT NULL
    ) STRICT;

    CREATE TABLE staged (
        content_id INTEGER PRIMARY KEY REFERENCES contents (id),
        vector BLOB NOT NULL
    ) STRICT;

    CREATE TABLE photos (
        path BLOB PRIMARY KEY,
        content_id INTEGER NOT NULL REFERENCES contents (id),
        size_bytes INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE INDEX photos_by_content ON photos (content_id);

    CREATE TABLE skipped (
        path BLOB PRIMARY KEY,
        size_bytes INTEGER,
        mtime_ns INTEGER,
        reason TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;

    INSERT INTO meta VALUES ('generation', 0);
    """,
    # When and with what a photo was taken; `exif_read` is 0 where nobody has looked yet.
    """
    ALTER TABLE contents ADD COLUMN taken TEXT;

    ALTER TABLE contents ADD COLUMN camera TEXT;

    ALTER TABLE contents ADD COLUMN exif_read INTEGER NOT NULL DEFAULT 0;
    """,
    # Labels: rows are only ever added. `undoes` names the row of the same table that is taken back.
    """
    CREATE TABLE label_actions (
        id INTEGER PRIMARY KEY,
        kind TEXT NOT NULL,
        who TEXT NOT NULL,
        at TEXT NOT NULL,
        undoes INTEGER UNIQUE REFERENCES label_actions (id)
    ) STRICT;

    CREATE TABLE class_events (
        id INTEGER PRIMARY KEY,
        action_id INTEGER NOT NULL REFERENCES label_actions (id),
        class_id INTEGER NOT NULL REFERENCES class_events (id),
        name TEXT,
        undoes INTEGER UNIQUE REFERENCES class_events (id)
    ) STRICT;

    CREATE TABLE label_events (
        id INTEGER PRIMARY KEY,
        action_id INTEGER NOT NULL REFERENCES label_actions (id),
        content_id INTEGER NOT NULL REFERENCES contents (id),
        class_id INTEGER REFERENCES class_events (id),
        source TEXT,
        undoes INTEGER REFERENCES label_events (id)
    ) STRICT;

    CREATE INDEX label_actions_by_person ON label_actions (who);

    CREATE INDEX class_events_by_action ON class_events (action_id);

    CREATE INDEX label_events_by_action ON label_events (action_id);

    CREATE INDEX label_events_by_content ON label_events (content_id, id) WHERE undoes IS NULL;

    CREATE UNIQUE INDEX label_events_undone ON label_events (undoes) WHERE undoes IS NOT NULL;

    INSERT INTO label_actions (id, kind, who, at)
        VALUES (0, 'add', '', '1970-01-01T00:00:00.000Z');

    INSERT INTO class_events (id, action_id, class_id, name) VALUES (0, 0, 0, 'none of these');
    """,
    # Checksums of rows, which find damage that SQLite itself does not notice.
    "".join(
        _WITH_CHECKSUM.format(table=table, key=columns.split(",")[0], columns=columns)
        for table, columns in _CHECKED
    ),
)
