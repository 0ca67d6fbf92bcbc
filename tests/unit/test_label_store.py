"""Labels: stored for good, undone by new events, and hung off the photo, not off its path."""

import re
import threading
from typing import Any

import pytest

from indexer.labels import LONGEST_NAME, NONE, Labels, NewLabel, class_name
from training.errors import GalleryError, LabelError


@pytest.fixture
def built(studio: Any) -> Any:
    """A gallery of four photos: a.png is 1, b.png 2, c.png 3 and sub/d.png 4."""
    studio.build()
    return studio


@pytest.fixture
def labels(built: Any) -> Labels:
    return Labels(built.folder / "catalogue.sqlite")


def names(labels: Labels) -> dict[int, str]:
    return {photo_id: label.name for photo_id, label in labels.current().items()}


def test_a_label_comes_back_with_who_gave_it_when_and_how(labels: Labels) -> None:
    event = labels.put([2], "hat", source="lasso", who="anna")

    label = labels.current()[2]

    assert (label.photo_id, label.name, label.source) == (2, "hat", "lasso")
    assert (label.who, label.event) == ("anna", event)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", label.at)


def test_a_new_gallery_has_the_none_class_alone(labels: Labels) -> None:
    assert [(c.name, c.count) for c in labels.classes()] == [(NONE, 0)]
    assert labels.current() == {}
    assert labels.revision() == 0


def test_classes_stand_in_the_order_they_were_made_and_none_last(labels: Labels) -> None:
    labels.put([1], NONE, source="search", who="anna")
    labels.add_class("zebra", who="anna")
    labels.put([2, 3], "ant", source="search", who="anna")

    assert [(c.name, c.count) for c in labels.classes()] == [("zebra", 0), ("ant", 2), (NONE, 1)]


def test_a_photo_has_one_label_the_latest(labels: Labels) -> None:
    labels.put([1, 2], "hat", source="search", who="anna")
    labels.put([2], "shoe", source="search", who="anna")
    assert names(labels) == {1: "hat", 2: "shoe"}


def test_a_photo_named_twice_in_one_action_is_labelled_once(labels: Labels) -> None:
    labels.put([1, 1], "hat", source="search", who="anna")
    undone = labels.undo(who="anna")
    assert undone is not None
    assert undone.photos == (1,)
    assert names(labels) == {}


def test_many_photos_get_their_own_labels_in_one_action(labels: Labels) -> None:
    labels.put([3], "hat", source="search", who="anna")
    said = [
        NewLabel(1, "shoe", "import"),
        NewLabel(2, "hat", "random"),
        NewLabel(3, None, "import"),
        NewLabel(1, "cap", "import"),
    ]

    labels.put_each(said, who="ben")

    assert names(labels) == {1: "cap", 2: "hat"}
    assert labels.current()[2].source == "random"
    labels.undo(who="ben")
    assert names(labels) == {3: "hat"}
    assert [c.name for c in labels.classes()] == ["hat", NONE]


def test_clearing_takes_the_label_away_and_undo_brings_it_back(labels: Labels) -> None:
    labels.put([1], "hat", source="random", who="anna")
    labels.put([1], None, source="search", who="anna")
    assert names(labels) == {}
    labels.undo(who="anna")
    assert labels.current()[1].source == "random"


def test_undo_leaves_what_somebody_else_labelled_since(labels: Labels) -> None:
    labels.put([1, 2], "hat", source="search", who="anna")
    labels.put([2], "shoe", source="search", who="ben")

    undone = labels.undo(who="anna")

    assert undone is not None
    assert (undone.kind, undone.photos, undone.left) == ("label", (1,), (2,))
    assert names(labels) == {2: "shoe"}


def test_undo_goes_back_step_by_step_and_then_says_that_there_is_nothing(labels: Labels) -> None:
    labels.put([1], "hat", source="search", who="anna")
    labels.put([1], "shoe", source="search", who="anna")
    labels.undo(who="anna")
    assert names(labels) == {1: "hat"}
    labels.undo(who="anna")
    assert names(labels) == {}
    assert labels.undo(who="anna") is None
    assert labels.undo(who="nobody") is None


def test_undoing_the_label_that_made_a_class_takes_the_class_too(labels: Labels) -> None:
    labels.put([1], "hat", source="search", who="anna")
    undone = labels.undo(who="anna")
    assert undone is not None
    assert undone.classes == ("hat",)
    assert [c.name for c in labels.classes()] == [NONE]


def test_undo_keeps_a_new_class_that_somebody_else_uses(labels: Labels) -> None:
    labels.add_class("hat", who="anna")
    labels.put([1], "hat", source="search", who="ben")
    labels.undo(who="anna")
    assert names(labels) == {1: "hat"}


def test_renaming_a_class_renames_its_labels_and_can_be_undone(labels: Labels) -> None:
    labels.put([1], "hat", source="search", who="anna")
    labels.rename_class("hat", "cap", who="ben")
    assert names(labels) == {1: "cap"}
    undone = labels.undo(who="ben")
    assert undone is not None
    assert (undone.kind, undone.classes) == ("rename", ("hat",))
    assert names(labels) == {1: "hat"}


def test_a_removed_class_comes_back_with_its_labels(labels: Labels) -> None:
    labels.put([1, 2], "hat", source="search", who="anna")
    labels.remove_class("hat", who="anna")
    assert names(labels) == {}
    labels.undo(who="anna")
    assert names(labels) == {1: "hat", 2: "hat"}


def test_a_removed_class_stays_away_while_another_has_its_name(labels: Labels) -> None:
    labels.put([1], "hat", source="search", who="anna")
    labels.remove_class("hat", who="anna")
    labels.put([2], "hat", source="search", who="ben")
    undone = labels.undo(who="anna")
    assert undone is not None
    assert undone.classes == ()
    assert names(labels) == {2: "hat"}


def test_the_none_class_and_unknown_classes_cannot_change(labels: Labels) -> None:
    labels.add_class("hat", who="anna")
    for change in (
        lambda: labels.rename_class(NONE, "other", who="anna"),
        lambda: labels.remove_class(NONE, who="anna"),
        lambda: labels.rename_class("shoe", "boot", who="anna"),
        lambda: labels.remove_class("shoe", who="anna"),
        lambda: labels.rename_class("hat", NONE, who="anna"),
    ):
        with pytest.raises(LabelError) as raised:
            change()
        assert raised.value.hint


@pytest.mark.parametrize("name", ["", "  ", "two\nlines", "bell\a", "x" * (LONGEST_NAME + 1)])
def test_impossible_names_are_refused(name: str, labels: Labels) -> None:
    with pytest.raises(LabelError, match="cannot be the name"):
        labels.put([1], name, source="search", who="anna")
    assert labels.revision() == 0


def test_names_are_composed_and_trimmed_so_that_equal_ones_are_one_class() -> None:
    assert class_name(" cafe\u0301 ") == "caf\u00e9"


def test_an_unknown_photo_is_an_error_and_nothing_is_stored(labels: Labels) -> None:
    with pytest.raises(GalleryError, match="no photo with id 77"):
        labels.put([1, 77], "hat", source="search", who="anna")
    assert names(labels) == {}
    assert labels.revision() == 0


def test_labelling_nothing_is_no_event(labels: Labels) -> None:
    assert labels.put([], "hat", source="search", who="anna") == 0
    assert labels.revision() == 0


def test_people_who_disagree_are_a_conflict_until_one_gives_in(labels: Labels) -> None:
    labels.put([1, 2], "hat", source="search", who="anna")
    labels.put([1], "cap", source="search", who="ben")

    (conflict,) = labels.conflicts()
    assert conflict.photo_id == 1
    assert [(label.who, label.name) for label in conflict.labels] == [
        ("anna", "hat"), ("ben", "cap"),
    ]  # fmt: skip

    labels.put([1], "cap", source="search", who="anna")
    assert labels.conflicts() == []


def test_a_review_settles_a_conflict(labels: Labels) -> None:
    labels.put([1], "hat", source="search", who="anna")
    labels.put([1], "cap", source="search", who="ben")
    labels.put([1], "hat", source="review", who="carla")
    assert labels.conflicts() == []


def test_eight_people_at_once_lose_nothing(labels: Labels) -> None:
    def work(who: str) -> None:
        for number in range(12):
            labels.put([number % 4 + 1], f"class of {who}", source="search", who=who)

    people = [threading.Thread(target=work, args=(f"p{n}",)) for n in range(8)]
    for person in people:
        person.start()
    for person in people:
        person.join()

    assert labels.revision() == 8 * 12
    assert len(labels.classes()) == 8 + 1
    assert [len(conflict.labels) for conflict in labels.conflicts()] == [8] * 4
