"""Labels against stacks in memory: whatever two people do, the catalogue says what they said."""

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from indexer.catalogue import Catalogue
from indexer.labels import NONE, SOURCES, Labels
from indexer.records import Content, Pending, Published, Sighting
from training.errors import LabelError
from training.photos import FoundFile

PHOTOS = range(1, 6)
PEOPLE = st.sampled_from(["anna", "ben"])
NAMES = st.sampled_from(["shirt", "shoe", "hat", NONE])


@dataclass
class Said:
    """What one action says of a photo or of a class."""

    action: int
    value: int | str | None  # of a photo: the class's key; of a class: its name
    source: str = ""
    who: str = ""


@dataclass
class Model:
    """Every photo and every class is a stack of what was said and not taken back."""

    photos: dict[int, list[Said]] = field(default_factory=lambda: {n: [] for n in PHOTOS})
    classes: dict[int, list[Said]] = field(default_factory=lambda: {0: [Said(0, NONE)]})
    open: list[tuple[int, str]] = field(default_factory=list)  # actions that may be taken back
    absent: set[int] = field(default_factory=set)

    def key(self, name: str) -> int | None:
        found = [k for k, stack in self.classes.items() if stack and stack[-1].value == name]
        assert len(found) <= 1
        return found[0] if found else None

    def make(self, action: int, name: str) -> int:
        key = len(self.classes)
        self.classes[key] = [Said(action, name)]
        return key

    def name(self, said: Said) -> str | None:
        if said.value is None or not self.classes[int(said.value)]:
            return None
        value = self.classes[int(said.value)][-1].value
        return None if value is None else str(value)

    def current(self) -> dict[int, tuple[str, str, str, int]]:
        shown = {}
        for photo, stack in self.photos.items():
            name = self.name(stack[-1]) if stack and photo not in self.absent else None
            if name is not None:
                shown[photo] = (name, stack[-1].source, stack[-1].who, stack[-1].action)
        return shown

    def take_back(self, action: int) -> tuple[list[int], list[int]]:
        mine = [n for n in PHOTOS if any(said.action == action for said in self.photos[n])]
        back = [n for n in mine if self.photos[n][-1].action == action]
        for photo in back:
            self.photos[photo].pop()
        for key, stack in self.classes.items():
            if stack and stack[-1].action == action and not self.stays(key, stack):
                stack.pop()
        return back, [n for n in mine if n not in back]

    def stays(self, key: int, stack: list[Said]) -> bool:
        if len(stack) == 1:
            return any(said and said[-1].value == key for said in self.photos.values())
        return self.key(str(stack[-2].value)) not in (None, key)

    def conflicts(self) -> dict[int, set[str]]:
        found = {}
        for photo, stack in self.photos.items():
            reviews = [i for i, said in enumerate(stack) if said.source == "review"]
            latest = {said.who: self.name(said) for said in stack[reviews[-1] if reviews else 0 :]}
            names = {name for name in latest.values() if name is not None}
            if len(names) > 1 and photo not in self.absent:
                found[photo] = names
        return found


class LabelsMachine(RuleBasedStateMachine):
    """Two people, five photos, four names."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.catalogue = Catalogue.create(self.root / "catalogue.sqlite")
        self.catalogue.start_pending(Pending("b", "5"))
        self.catalogue.record([sighting(n) for n in PHOTOS], [], staged=True)
        self.catalogue.publish(Published("f", "5", "{}", 3, 5), centre=lambda rows: rows)
        self.labels = Labels(self.catalogue.path)
        self.model = Model()
        self.revision = self.labels.revision()

    def teardown(self) -> None:
        shutil.rmtree(self.root)

    def done(self, action: int, who: str) -> int:
        """An action of its own number, that may be taken back."""
        assert action > self.revision
        assert self.labels.revision() == action
        self.revision = action
        self.model.open.append((action, who))
        return action

    @rule(
        ids=st.lists(st.sampled_from(PHOTOS), min_size=1, max_size=3),
        name=NAMES | st.none(),
        source=st.sampled_from(SOURCES),
        who=PEOPLE,
    )
    def put(self, ids: list[int], name: str | None, source: str, who: str) -> None:
        action = self.done(self.labels.put(ids, name, source=source, who=who), who)
        key = None if name is None else self.model.key(name)
        if name is not None and key is None:
            key = self.model.make(action, name)
        for photo in set(ids):
            self.model.photos[photo].append(Said(action, key, source, who))

    @rule(name=NAMES, who=PEOPLE)
    def add(self, name: str, who: str) -> None:
        if self.model.key(name) is not None:
            assert self.labels.add_class(name, who=who) == 0
        else:
            action = self.done(self.labels.add_class(name, who=who), who)
            self.model.make(action, name)

    @rule(old=NAMES, new=NAMES, who=PEOPLE)
    def rename(self, old: str, new: str, who: str) -> None:
        key = self.model.key(old)
        if key in (None, 0) or self.model.key(new) is not None:
            refused(lambda: self.labels.rename_class(old, new, who=who))
        else:
            assert key is not None
            action = self.done(self.labels.rename_class(old, new, who=who), who)
            self.model.classes[key].append(Said(action, new))

    @rule(name=NAMES, who=PEOPLE)
    def remove(self, name: str, who: str) -> None:
        key = self.model.key(name)
        if key in (None, 0):
            refused(lambda: self.labels.remove_class(name, who=who))
        else:
            assert key is not None
            action = self.done(self.labels.remove_class(name, who=who), who)
            self.model.classes[key].append(Said(action, None))

    @rule(who=PEOPLE)
    def undo(self, who: str) -> None:
        mine = [action for action, person in self.model.open if person == who]
        undone = self.labels.undo(who=who)
        if not mine:
            assert undone is None
            return
        assert undone is not None
        self.model.open.remove((mine[-1], who))
        back, left = self.model.take_back(mine[-1])
        assert undone.event == mine[-1]
        assert (sorted(undone.photos), sorted(undone.left)) == (back, left)
        assert self.labels.revision() > self.revision
        self.revision = self.labels.revision()

    @rule(photo=st.sampled_from(PHOTOS))
    def leave(self, photo: int) -> None:
        self.catalogue.settle(photo_root=b"/photos", gone=[b"%d" % photo], skipped=[])
        self.model.absent.add(photo)

    @rule(photo=st.sampled_from(PHOTOS))
    def come_back(self, photo: int) -> None:
        self.catalogue.record([sighting(photo)], [], staged=False)
        self.model.absent.discard(photo)

    @invariant()
    def labels_are_what_was_said_last(self) -> None:
        expected = self.model.current()
        current = self.labels.current()
        assert list(current) == sorted(expected)
        assert {
            n: (label.name, label.source, label.who, label.event) for n, label in current.items()
        } == expected
        assert self.labels.of([2, 3, 99]) == {n: current[n] for n in (2, 3) if n in current}

    @invariant()
    def classes_count_their_photos(self) -> None:
        names = [stack[-1].value for stack in self.model.classes.values() if stack]
        names = [name for name in names[1:] if name is not None] + [NONE]
        counted = [name for name, *_ in self.model.current().values()]
        assert [(c.name, c.count) for c in self.labels.classes()] == [
            (name, counted.count(str(name))) for name in names
        ]

    @invariant()
    def disagreements_are_shown(self) -> None:
        found = {c.photo_id: {label.name for label in c.labels} for c in self.labels.conflicts()}
        assert found == self.model.conflicts()


def sighting(number: int) -> Sighting:
    digest = bytes([number]) * 32
    file = FoundFile(b"%d" % number, 1, 1)
    return Sighting(file, digest, Content(digest, 1, 1, "PNG", 1), np.zeros(3, np.float32))


def refused(call: object) -> None:
    try:
        call()  # type: ignore[operator]
    except LabelError:
        return
    raise AssertionError("expected a LabelError")


def test_whatever_two_people_do_the_catalogue_says_what_they_said() -> None:
    run_state_machine_as_test(
        LabelsMachine, settings=settings(max_examples=12, stateful_step_count=24, deadline=None)
    )
