"""The SQL of labels: what stands among their events, and how events are added.

Nothing is ever changed or deleted. An event with `undoes` takes back the event that it names, and
says nothing else; each function here runs inside its caller's transaction.
"""

import json
from sqlite3 import Connection

from indexer.wording import shown
from training.errors import GalleryError, LabelError

# The class that the migration makes.
NONE_ID = 0

# The latest event of every class that was not taken back: its name now; NULL once it is removed.
# In a query with one max(), SQLite takes the other columns from the row that holds the maximum.
CLASSES = """(
    SELECT class_id, name, max(id) AS event FROM class_events AS event
    WHERE undoes IS NULL AND NOT EXISTS (SELECT 1 FROM class_events WHERE undoes = event.id)
    GROUP BY class_id
)"""

# The photos that were ever labelled.
_LABELLED = "SELECT DISTINCT content_id FROM label_events WHERE undoes IS NULL"

# The photos that two people or more have labelled.
_SHARED = """
    SELECT content_id FROM label_events JOIN label_actions ON label_actions.id = action_id
    WHERE label_events.undoes IS NULL GROUP BY content_id HAVING count(DISTINCT who) > 1
"""

# Every label and clearing of those photos that was not taken back, oldest first, as the fields of
# a Label.
SAID = f"""
    SELECT content_id, name, source, who, at, action_id FROM label_events AS event
    JOIN label_actions ON label_actions.id = action_id LEFT JOIN {CLASSES} USING (class_id)
    WHERE event.undoes IS NULL
    AND NOT EXISTS (SELECT 1 FROM label_events WHERE undoes = event.id)
    AND content_id IN (SELECT content_id FROM photos) AND content_id IN ({_SHARED})
    ORDER BY event.id
"""


def standing(among: str = _LABELLED) -> str:
    """SQL for a photo's latest event that was not taken back; a cleared label has no class.

    Looked up photo by photo, newest first: ten times as fast as grouping a million events.

    Args:
        among: SQL that gives `content_id`s.
    """
    return f"""(
        SELECT label_events.* FROM ({among}) AS among JOIN label_events ON label_events.id = (
            SELECT id FROM label_events AS event
            WHERE content_id = among.content_id AND undoes IS NULL
            AND NOT EXISTS (SELECT 1 FROM label_events WHERE undoes = event.id)
            ORDER BY id DESC LIMIT 1
        )
    )"""


def current(among: str = _LABELLED) -> str:
    """SQL for the labels of photos that have a path: the fields of a Label, by photo."""
    return f"""
        SELECT content_id, name, source, who, at, action_id FROM {standing(among)}
        JOIN {CLASSES} USING (class_id) JOIN label_actions ON label_actions.id = action_id
        WHERE name IS NOT NULL AND content_id IN (SELECT content_id FROM photos)
        ORDER BY content_id
    """


def check_photos(connection: Connection, ids: list[int]) -> None:
    """Refuse ids that no photo has ever had.

    Raises:
        GalleryError: naming the first.
    """
    unknown = connection.execute(
        "SELECT min(value) FROM json_each(?) WHERE value NOT IN (SELECT id FROM contents)",
        (json.dumps(ids),),
    ).fetchone()[0]
    if unknown is not None:
        raise GalleryError(
            f"the gallery has no photo with id {unknown}",
            hint="search again: the page may be of another gallery",
        )


def add_action(connection: Connection, kind: str, who: str, undoes: int | None = None) -> int:
    """Begin an action, now; gives its number."""
    assert who, "an action has somebody who did it"
    cursor = connection.execute(
        "INSERT INTO label_actions (kind, who, at, undoes)"
        " VALUES (?, ?, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), ?)",
        (kind, who, undoes),
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def add_labels(
    connection: Connection, action: int, labels: list[tuple[int, int | None, str]]
) -> None:
    """Label photos: each with its id, its class (None clears its label) and the source."""
    connection.executemany(
        "INSERT INTO label_events (action_id, content_id, class_id, source) VALUES (?, ?, ?, ?)",
        [(action, *label) for label in labels],
    )


def find_class(connection: Connection, name: str) -> int | None:
    """The id of the class that has this name now; None when there is none."""
    row = connection.execute(f"SELECT class_id FROM {CLASSES} WHERE name = ?", (name,)).fetchone()
    return None if row is None else int(row[0])


def find_own_class(connection: Connection, name: str, *, to_be: str) -> int:
    """The id of a class that may change.

    Raises:
        LabelError: there is none of this name, or it is the one that every gallery has.
    """
    class_id = find_class(connection, name)
    if class_id is None:
        raise LabelError(
            f"there is no class {shown(name)}", hint="somebody may have renamed or removed it"
        )
    if class_id == NONE_ID:
        raise LabelError(
            f"the class {shown(name)} cannot be {to_be}",
            hint="every gallery has it; leave it empty",
        )
    return class_id


def add_class(connection: Connection, action: int, name: str) -> int:
    """Make a class; its id is that of the event that makes it."""
    (class_id,) = connection.execute("SELECT max(id) + 1 FROM class_events").fetchone()
    name_class(connection, action, int(class_id), name)
    return int(class_id)


def name_class(connection: Connection, action: int, class_id: int, name: str | None) -> None:
    """Give a class a name; None removes it."""
    connection.execute(
        "INSERT INTO class_events (action_id, class_id, name) VALUES (?, ?, ?)",
        (action, class_id, name),
    )


def take_back_labels(
    connection: Connection, action: int, undone: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Take back what an action said of photos, where nobody has said anything since.

    Returns:
        The photos that are again as they were, and those that are not.
    """
    mine = connection.execute(
        "SELECT id, content_id, NOT EXISTS ("
        " SELECT 1 FROM label_events AS later WHERE content_id = mine.content_id"
        " AND id > mine.id AND undoes IS NULL"
        " AND NOT EXISTS (SELECT 1 FROM label_events WHERE undoes = later.id))"
        " FROM label_events AS mine WHERE action_id = ? ORDER BY id",
        (undone,),
    ).fetchall()
    connection.executemany(
        "INSERT INTO label_events (action_id, content_id, undoes) VALUES (?, ?, ?)",
        [(action, photo_id, event) for event, photo_id, latest in mine if latest],
    )
    back = tuple(photo_id for _, photo_id, latest in mine if latest)
    return back, tuple(photo_id for _, photo_id, latest in mine if not latest)


def take_back_classes(connection: Connection, action: int, undone: int) -> tuple[str, ...]:
    """Take back what an action did to classes, where that leaves nobody's labels without one.

    Returns:
        The names that these classes had or have again.
    """
    mine = connection.execute(
        f"SELECT id, class_id, class_events.name FROM class_events JOIN {CLASSES} AS class"
        " USING (class_id) WHERE action_id = ? AND id = class.event",
        (undone,),
    ).fetchall()
    names = []
    for event, class_id, name in mine:
        before = _name_before(connection, class_id, event)
        if not _stays(connection, class_id, before):
            connection.execute(
                "INSERT INTO class_events (action_id, class_id, undoes) VALUES (?, ?, ?)",
                (action, class_id, event),
            )
            names.append(before or name)
    return tuple(names)


def _name_before(connection: Connection, class_id: int, event: int) -> str | None:
    """The name that a class had before an event; None when the event made it."""
    row = connection.execute(
        "SELECT name FROM class_events AS earlier WHERE class_id = ? AND id < ?"
        " AND undoes IS NULL"
        " AND NOT EXISTS (SELECT 1 FROM class_events WHERE undoes = earlier.id)"
        " ORDER BY id DESC LIMIT 1",
        (class_id, event),
    ).fetchone()
    return None if row is None else row[0]


def _stays(connection: Connection, class_id: int, before: str | None) -> bool:
    """Whether a change must stay: the new class is in use, or the old name is another's now."""
    if before is None:
        in_use = f"SELECT EXISTS (SELECT 1 FROM {standing()} WHERE class_id = ?)"
        return bool(connection.execute(in_use, (class_id,)).fetchone()[0])
    return find_class(connection, before) not in (None, class_id)
