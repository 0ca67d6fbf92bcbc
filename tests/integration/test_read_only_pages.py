"""Pages of a gallery that is shown read-only: they say so, and offer nothing that would fail."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from app.library import Library
from app.ui import served

SECONDS = 60.0


@pytest.fixture
def library(wardrobe: Any) -> Iterator[Library]:
    """A gallery whose labels two people disagree on, read-only."""
    wardrobe.labels.put([wardrobe.id_of("red-00.png")], "blue", source="search", who="bob")
    made = Library(wardrobe.folder, read_only=True)
    served.provide(made)
    yield made
    made.labelling.close()
    made.close()


def drawn_by(page: Any) -> list[dict[str, Any]]:
    """What the components of a page were given."""
    found = [json.loads(c.proto.json or "null") for c in page.get("bidi_component")]
    return [data for data in found if isinstance(data, dict)]


@pytest.mark.parametrize(
    "name",
    ["search", "label_page", "review_page", "map_page", "duplicates_page", "library_page"],
)
def test_every_page_says_so_and_has_no_button_that_writes(
    library: Library, name: str, page_of: Any, text_of: Any
) -> None:
    page = page_of(name, library)
    assert "Read-only" in text_of(page)
    words = [button.label for button in page.button]
    assert not {"Update now", "Undo", "red", "blue"} & set(words), words
    assert not [box.label for box in page.selectbox if box.label == "Label as"]
    assert "Labelling as" not in "\n".join(block.label or "" for block in page.get("popover"))


def test_the_desk_shows_a_wall_of_guesses_where_nothing_can_be_said(
    library: Library, page_of: Any
) -> None:
    page = page_of("label_page", library)
    [desk] = [data for data in drawn_by(page) if "photos" in data]
    assert desk["readOnly"]
    assert desk["mode"] == "grid"
    assert {photo["guess"] for photo in desk["photos"]} == {"red"}
    assert "Correct what is wrong" not in desk["about"]


def test_photos_of_the_review_cannot_be_selected(
    library: Library, page_of: Any, text_of: Any
) -> None:
    library.labelling.answers()
    end = time.monotonic() + SECONDS
    while library.labelling.judging() and time.monotonic() < end:
        time.sleep(0.05)
    page = page_of("review_page", library)
    assert "1 label that looks wrong" in text_of(page)
    assert not [b.label for b in page.button if b.label.startswith("The model is right")]
    assert "on which people disagree" in text_of(page)
    grids = [data for data in drawn_by(page) if "selectable" in data]
    assert grids
    assert not any(grid["selectable"] for grid in grids)
    assert "say what they are" not in text_of(page)
