"""The map for the page: what is there at once, what comes later, colours and selections."""

from collections.abc import Sequence
from contextlib import closing
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.labelling import Labelling
from app.maps import (
    MOST_GROUPS,
    NOTHING,
    OTHERS,
    Colouring,
    Maps,
    by_folder,
    by_guess,
    by_name,
    inside,
    most_typical_first,
)
from indexer.gallery import Gallery
from indexer.labels import Labels
from indexer.layout import MAP_FILE


@pytest.fixture
def gallery(studio: Any) -> Gallery:
    studio.paint_many(30)
    for name in ("x", "y"):
        studio.paint(f"far/{name}.png", "navy")
    studio.build()
    return studio.gallery()


def test_the_first_asking_has_a_map_at_once_and_a_better_one_follows(
    studio: Any, gallery: Gallery
) -> None:
    maps = Maps(studio.folder)
    assert maps.layout(gallery).method == "components"
    maps.wait()
    assert not maps.drawing
    better = maps.layout(gallery)
    assert better.method == "neighbours"
    assert (better.ids == gallery.embeddings()[0]).all()


def test_the_next_start_has_the_better_map_at_once(studio: Any, gallery: Gallery) -> None:
    first = Maps(studio.folder)
    first.layout(gallery)
    first.wait()
    again = Maps(studio.folder)
    assert again.layout(gallery).method == "neighbours"
    assert not again.drawing


def test_another_generation_has_another_map(studio: Any, gallery: Gallery) -> None:
    maps = Maps(studio.folder)
    maps.layout(gallery)
    maps.wait()
    studio.paint("new.png", "purple")
    studio.build()
    assert len(maps.layout(studio.gallery()).ids) == len(gallery) + 1
    maps.wait()


def test_a_gallery_that_cannot_be_written_has_a_map_in_memory(
    studio: Any, gallery: Gallery
) -> None:
    (studio.folder / MAP_FILE).mkdir()  # where the file would go
    maps = Maps(studio.folder)
    maps.layout(gallery)
    maps.wait()
    assert maps.layout(gallery).method == "neighbours"


def counts(colouring: Colouring) -> dict[str, int]:
    """What the codes say, counted apart from what the groups say."""
    assert {g.name: g.count for g in colouring.groups} == {
        group.name: int((colouring.codes == at).sum()) for at, group in enumerate(colouring.groups)
    }
    return {group.name: group.count for group in colouring.groups}


def test_folders_are_groups(gallery: Gallery) -> None:
    ids, _ = gallery.embeddings()
    found = counts(by_folder(gallery, ids))
    assert found["sub"] == 1
    assert sum(found.values()) == len(ids)


def test_folders_are_the_same_however_many_photos_are_asked_for_at_a_time(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids, _ = gallery.embeddings()
    at_once = by_folder(gallery, ids)
    monkeypatch.setattr("indexer.layout._PART", 5)
    in_parts = by_folder(gallery, ids)
    assert in_parts.groups == at_once.groups
    assert in_parts.codes.tolist() == at_once.codes.tolist()


def test_guesses_are_groups_and_a_photo_that_came_since_is_in_none(
    studio: Any, gallery: Gallery
) -> None:
    ids, _ = gallery.embeddings()
    classes = ["near", "far"]
    with closing(Labelling(lambda: gallery, Labels(studio.folder / "catalogue.sqlite"))) as people:
        unlabelled = by_guess(people.answers(), ids, classes=classes)
        people.put(ids[:2].tolist(), "near", source="lasso", who="anna")
        people.put(ids[-2:].tolist(), "far", source="lasso", who="anna")
        answers = people.answers()
    found = by_guess(answers, np.append(ids, ids[-1] + 1), classes=classes)
    assert counts(unlabelled) == {NOTHING: len(ids)}
    assert answers.head is not None
    assert answers.predicted is not None
    said = [answers.head.classes[number] for number in answers.predicted]
    assert [found.groups[code].name for code in found.codes] == [*said, NOTHING]


def test_folders_are_worked_out_once_a_generation(studio: Any, gallery: Gallery) -> None:
    maps, (ids, _) = Maps(studio.folder), gallery.embeddings()
    first = maps.folders(gallery, ids)
    assert maps.folders(gallery, ids) is first
    studio.paint("new/one.png", "purple")
    studio.build()
    newer = studio.gallery()
    assert "new" in counts(maps.folders(newer, newer.embeddings()[0]))


def test_classes_keep_the_colour_of_their_place_whatever_is_labelled() -> None:
    ids = np.arange(6)
    few = by_name(ids, {1: "shoe"}, classes=["shirt", "shoe", "hat"])
    many = by_name(ids, {0: "shirt", 1: "shoe", 5: "hat"}, classes=["shirt", "shoe", "hat"])
    colour = {group.name: group.colour for group in many.groups}
    assert counts(few) == {"shoe": 1, NOTHING: 5}
    assert few.groups[0].colour == colour["shoe"]
    assert counts(many) == {"shirt": 1, "shoe": 1, "hat": 1, NOTHING: 3}


def test_more_groups_than_colours_share_one_grey() -> None:
    names = {at: f"class {at % (MOST_GROUPS + 3):02d}" for at in range(60)}
    found = counts(by_name(np.arange(60), names, classes=sorted(set(names.values()))))
    assert len(found) == MOST_GROUPS + 1
    assert sum(found.values()) == 60
    assert found[OTHERS] > 0


def test_an_outline_takes_what_lies_in_it() -> None:
    places = np.array([[0, 0], [0.9, 0.9], [2, 0], [-0.5, 0.2]])
    square = [(-1, -1), (1, -1), (1, 1), (-1, 1)]
    assert inside(places, square).tolist() == [True, True, False, True]


def test_a_notch_is_outside() -> None:
    horseshoe = [(0, 0), (3, 0), (3, 3), (2, 3), (2, 1), (1, 1), (1, 3), (0, 3)]
    places = np.array([[0.5, 2], [1.5, 2], [2.5, 2], [1.5, 0.5]])
    assert inside(places, horseshoe).tolist() == [True, False, True, True]


@pytest.mark.parametrize("outline", [[], [(0, 0)], [(0, 0), (1, 1)], [(0, 0), (1, np.nan), (1, 1)]])
def test_what_is_no_outline_takes_nothing(outline: Sequence[tuple[float, float]]) -> None:
    assert not inside(np.zeros((3, 2)), outline).any()


@given(
    st.lists(st.tuples(st.floats(-1, 1), st.floats(-1, 1)), min_size=1, max_size=20),
    st.floats(0.1, 2),
)
def test_a_rectangle_takes_what_its_edges_say(
    places: list[tuple[float, float]], half: float
) -> None:
    rectangle = [(-half, -half), (half, -half), (half, half), (-half, half)]
    clear = [p for p in places if abs(abs(p[0]) - half) > 1e-9 and abs(abs(p[1]) - half) > 1e-9]
    expected = [abs(x) < half and abs(y) < half for x, y in clear]
    assert inside(np.array(clear).reshape(-1, 2), rectangle).tolist() == expected


def test_the_odd_one_of_a_selection_comes_last(gallery: Gallery) -> None:
    ids, rows = gallery.embeddings()
    alike = ids[np.argsort(-(rows @ rows[0]), kind="stable")]
    chosen = np.sort(np.array([*alike[:6], alike[-1]]))
    assert most_typical_first(gallery, chosen)[-1] == alike[-1]
    assert sorted(most_typical_first(gallery, chosen)) == chosen.tolist()
    assert most_typical_first(gallery, ids[:0]) == []
