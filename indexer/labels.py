"""Labels: who said what of which photo, as events that are only ever added to the catalogue.

A label hangs off a photo's content, so a moved or renamed photo keeps it, and so does every build.
An action is what one person did at once: labelled some photos, or made, renamed or removed a
class. Taking an action back is an action too. What holds of a photo, or of a class, is its latest
event that was not taken back; only that one can be taken back, so nobody undoes another's work.

Every method opens its own short-lived connection and writes in one transaction: one value serves
all threads, and two people who label at once wait for each other for a moment and lose nothing.
Labels that are open for looking only refuse every write themselves, whoever asks for it.
"""

import json
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from sqlite3 import Connection

from indexer import label_events as events
from indexer import schema
from indexer.folder import looking_only
from indexer.wording import shown
from training.errors import LabelError

# The class of photos that belong to no other: always there, never renamed.
NONE = "none of these"

# How a photo came to be labelled. `random` are draws for an honest measure of accuracy.
SOURCES = ("search", "random", "suggested", "lasso", "cluster", "import", "review", "cell")

# Longer ones are pasted text, not names.
LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class Label:
    """What a photo is said to be."""

    photo_id: int
    name: str  # of the class
    source: str  # one of SOURCES
    who: str
    at: str  # ISO 8601, UTC
    event: int  # the action that gave it, as `Labels.put` returned it


@dataclass(frozen=True, slots=True)
class NewLabel:
    """What a photo is about to be said to be."""

    photo_id: int
    name: str | None  # None: it has no label any more
    source: str  # one of SOURCES


@dataclass(frozen=True, slots=True)
class ClassCount:
    """A class, and how many photos of the gallery are labelled with it."""

    name: str
    count: int


@dataclass(frozen=True, slots=True)
class Undone:
    """An action that was taken back, as far as nobody had changed its photos since."""

    event: int  # the action's number
    kind: str  # label, add, rename or remove
    photos: tuple[int, ...]  # have again the label, or the lack of one, that they had before
    left: tuple[int, ...]  # were labelled again since, and stay as they are
    classes: tuple[str, ...]  # whose adding, renaming or removal was taken back, as it was called


@dataclass(frozen=True, slots=True)
class Conflict:
    """A photo on which people disagree: the latest label of each, oldest first."""

    photo_id: int
    labels: tuple[Label, ...]


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels in one gallery's catalogue."""

    path: Path  # of catalogue.sqlite
    read_only: bool = False  # every write is refused

    # Reading

    def revision(self) -> int:
        """A number that grows with every action."""
        with schema.reading(self.path) as connection:
            return int(connection.execute("SELECT max(id) FROM label_actions").fetchone()[0])

    def classes(self) -> tuple[ClassCount, ...]:
        """The classes in the order they were made, `NONE` last."""
        with schema.reading(self.path) as connection:
            rows = connection.execute(
                f"SELECT classes.name, count(content_id) FROM {events.CLASSES} AS classes"
                f" LEFT JOIN ({events.current()}) AS current ON current.name = classes.name"
                " WHERE classes.name IS NOT NULL GROUP BY class_id"
                f" ORDER BY class_id = {events.NONE_ID}, class_id"
            )
            return tuple(ClassCount(*row) for row in rows)

    def current(self) -> dict[int, Label]:
        """The label of every labelled photo that has a path, by photo id, ascending."""
        with schema.reading(self.path) as connection:
            rows = connection.execute(events.current())
            return {row[0]: Label(*row) for row in rows}

    def of(self, ids: Iterable[int]) -> dict[int, Label]:
        """The labels of those of `ids` that have one."""
        with schema.reading(self.path) as connection:
            chosen = json.dumps([int(photo_id) for photo_id in ids])
            among = "SELECT DISTINCT value AS content_id FROM json_each(?)"
            rows = connection.execute(events.current(among), (chosen,))
            return {row[0]: Label(*row) for row in rows}

    def conflicts(self) -> list[Conflict]:
        """Photos to which people gave different classes, by id.

        Each person's latest label counts, unless it was taken back or cleared. A label given in
        `review` settles what was said before it.
        """
        with schema.reading(self.path) as connection:
            rows = connection.execute(events.SAID).fetchall()
        said: dict[int, dict[str, Label | None]] = {}
        for photo_id, name, source, who, at, action in rows:
            voices = said.setdefault(photo_id, {})
            if source == "review":
                voices.clear()
            voices.pop(who, None)
            voices[who] = Label(photo_id, name, source, who, at, action) if name else None
        return _disagreements(said)

    # Writing: each call is one action in one transaction, and a GalleryError where it is read-only

    def put(self, ids: Sequence[int], name: str | None, *, source: str, who: str) -> int:
        """Label photos; a class that is not there yet is made.

        Args:
            ids: the photos.
            name: the class; None clears their labels.
            source: how they came to be labelled, one of `SOURCES`.
            who: whose action it is; undo goes by it.

        Returns:
            The action's number, once it is stored for good; 0 where `ids` is empty.

        Raises:
            LabelError: the name cannot be one of a class.
            GalleryError: the gallery has no such photo, or cannot be written.
        """
        return self.put_each([NewLabel(int(i), name, source) for i in ids], who=who)

    def put_each(self, labels: Iterable[NewLabel], *, who: str) -> int:
        """Label photos, each with a class of its own, in one action; otherwise like `put`.

        Where a photo comes twice, the last one counts.
        """
        cleaned = {new.photo_id: _cleaned(new) for new in labels}
        if not cleaned:
            return 0
        with self._writing() as connection:
            events.check_photos(connection, list(cleaned))
            action = events.add_action(connection, "label", who)
            names = dict.fromkeys(new.name for new in cleaned.values() if new.name is not None)
            ids = {name: _found_or_made(connection, action, name) for name in names}
            events.add_labels(
                connection,
                action,
                [
                    (n.photo_id, None if n.name is None else ids[n.name], n.source)
                    for n in cleaned.values()
                ],
            )
        return action

    def add_class(self, name: str, *, who: str) -> int:
        """Make a class without photos; one that is there already stays as it is (and 0 returns).

        Raises:
            LabelError: the name cannot be one of a class.
        """
        cleaned = class_name(name)
        with self._writing() as connection:
            if events.find_class(connection, cleaned) is not None:
                return 0
            action = events.add_action(connection, "add", who)
            events.add_class(connection, action, cleaned)
        return action

    def rename_class(self, old: str, new: str, *, who: str) -> int:
        """Give a class another name; its labels follow.

        Raises:
            LabelError: there is no class `old`, or there is one `new`, or it is `NONE`.
        """
        cleaned = class_name(new)
        with self._writing() as connection:
            class_id = events.find_own_class(connection, old, to_be="renamed")
            if events.find_class(connection, cleaned) is not None:
                raise LabelError(
                    f"there is a class {shown(cleaned)} already",
                    hint="choose another name, or label the photos of the one as the other",
                )
            action = events.add_action(connection, "rename", who)
            events.name_class(connection, action, class_id, cleaned)
        return action

    def remove_class(self, name: str, *, who: str) -> int:
        """Remove a class; its photos have no label any more. Undo brings both back.

        Raises:
            LabelError: there is no such class, or it is `NONE`.
        """
        with self._writing() as connection:
            class_id = events.find_own_class(connection, name, to_be="removed")
            action = events.add_action(connection, "remove", who)
            events.name_class(connection, action, class_id, None)
        return action

    def undo(self, *, who: str) -> Undone | None:
        """Take back the latest action of `who` that still stands; None when there is none.

        What somebody has changed since then stays as it is.
        """
        with self._writing() as connection:
            found = connection.execute(
                "SELECT id, kind FROM label_actions AS action WHERE who = ? AND kind <> 'undo'"
                " AND NOT EXISTS (SELECT 1 FROM label_actions WHERE undoes = action.id)"
                " ORDER BY id DESC LIMIT 1",
                (who,),
            ).fetchone()
            if found is None:
                return None
            event, kind = found
            action = events.add_action(connection, "undo", who, undoes=event)
            photos, left = events.take_back_labels(connection, action, event)
            classes = events.take_back_classes(connection, action, event)
        return Undone(event, kind, photos, left, classes)

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        if self.read_only:
            raise looking_only(self.path.parent)
        with schema.writing(self.path) as connection:
            yield connection


def class_name(text: str) -> str:
    """A class's name as it is stored: composed, without space around it.

    Raises:
        LabelError: it is empty, too long, or has line breaks or other invisible characters.
    """
    name = unicodedata.normalize("NFC", text).strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise LabelError(
            f"{shown(name[:LONGEST_NAME])!r} cannot be the name of a class",
            hint=f"a name has 1 to {LONGEST_NAME} visible characters on one line",
        )
    return name


def _disagreements(said: dict[int, dict[str, Label | None]]) -> list[Conflict]:
    conflicts = []
    for photo_id in sorted(said):
        labels = tuple(label for label in said[photo_id].values() if label is not None)
        if len({label.name for label in labels}) > 1:
            conflicts.append(Conflict(photo_id, labels))
    return conflicts


def _cleaned(new: NewLabel) -> NewLabel:
    assert new.source in SOURCES, new.source
    return new if new.name is None else replace(new, name=class_name(new.name))


def _found_or_made(connection: Connection, action: int, name: str) -> int:
    class_id = events.find_class(connection, name)
    return events.add_class(connection, action, name) if class_id is None else class_id
