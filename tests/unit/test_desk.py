"""The labelling desk: what its keys are, what an action does, and what is said of it."""

from typing import Any

import pytest

from app.desk import Action, class_rows, sureness, take, words_above
from indexer.labels import NONE, Labels


@pytest.fixture
def labels(studio: Any) -> Labels:
    studio.build()
    return Labels(studio.folder / "catalogue.sqlite")


def label(*ids: int, name: str = "red", seen: str | None = None) -> Action:
    return Action("label", ids, name=name, seen=dict.fromkeys(ids, seen), source="suggested")


def test_classes_have_the_keys_of_their_order_and_none_has_zero(labels: Labels) -> None:
    for number in range(11):
        take(labels, Action("add", name=f"class {number}"), who="ann")
    rows = class_rows(labels)
    assert [row.key for row in rows] == [*"123456789", "", "", "0"]
    assert rows[-1].name == NONE
    assert rows[-1].fixed
    assert len({row.colour for row in rows[:11]}) == 11


def test_a_label_is_stored_with_its_source_and_its_person(labels: Labels) -> None:
    assert take(labels, label(1, 2), who="ann") is None
    stored = labels.current()
    assert {i: (of.name, of.source, of.who) for i, of in stored.items()} == {
        1: ("red", "suggested", "ann"),
        2: ("red", "suggested", "ann"),
    }


def test_what_another_person_said_meanwhile_is_told(labels: Labels) -> None:
    take(labels, label(1, name="red"), who="ann")
    answer = take(labels, label(1, name="blue", seen=None), who="bob")
    assert answer is not None
    assert "ann called this photo “red”" in answer.text
    assert not answer.refused
    assert labels.of([1])[1].name == "blue"


@pytest.mark.parametrize(("name", "seen"), [("red", None), ("blue", "red")])
def test_agreeing_or_changing_what_one_saw_is_no_conflict(
    labels: Labels, name: str, seen: str | None
) -> None:
    take(labels, label(1, name="red"), who="ann")
    assert take(labels, label(1, name=name, seen=seen), who="bob") is None


def test_undo_says_what_it_took_back(labels: Labels) -> None:
    take(labels, label(1, 2), who="ann")
    answer = take(labels, Action("undo"), who="ann")
    assert answer is not None
    assert "2 photos" in answer.text
    assert labels.current() == {}
    nothing = take(labels, Action("undo"), who="bob")
    assert nothing is not None
    assert "nothing of yours" in nothing.text


def test_a_class_is_renamed_with_its_labels(labels: Labels) -> None:
    take(labels, label(1), who="ann")
    assert take(labels, Action("rename", name="crimson", was="red"), who="ann") is None
    assert labels.of([1])[1].name == "crimson"


@pytest.mark.parametrize(
    "action",
    [
        Action("label", (987_654,), name="red"),
        Action("label", (1,), name="  "),
        Action("add", name="two\nlines"),
        Action("rename", name="red", was="nothing"),
        Action("rename", name="red", was=NONE),
    ],
    ids=lambda action: f"{action.does} {action.name!r}",
)
def test_what_cannot_be_stored_is_answered_in_words(labels: Labels, action: Action) -> None:
    answer = take(labels, action, who="ann")
    assert answer is not None
    assert answer.refused
    assert answer.text.startswith("Not stored: ")
    assert labels.current() == {}


def test_the_desk_teaches_its_first_steps(labels: Labels) -> None:
    assert "name two classes" in words_above(class_rows(labels))
    for name in ("red", "blue"):
        take(labels, Action("add", name=name), who="ann")
    assert "“red”, then press 1" in words_above(class_rows(labels))
    take(labels, label(1, 2, name="red"), who="ann")
    take(labels, label(3, 4, name="blue"), who="ann")
    assert words_above(class_rows(labels)) == ""


def test_sureness_is_said_in_words() -> None:
    assert [sureness(share) for share in (0.95, 0.7, 0.4, 0.1)] == [
        "Almost surely",
        "Probably",
        "Perhaps",
        "At a guess,",
    ]
