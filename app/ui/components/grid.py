"""The photo grid: rows of whole photos, keyboard included; its script and style lie beside it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import streamlit as st

from app.ui.components.beside import beside

# How high a row is before it is stretched to the full width, in CSS pixels.
ROW_HEIGHT = 190

# What a tile's own click asks for; all can be had with the keyboard.
TileAction = Literal["open", "similar", "select"]

_HTML = """
<div class="bar"><button type="button" class="all"></button></div>
<div class="wall" role="list"></div>
<div class="announcer" role="status" aria-live="polite"></div>
"""


@dataclass(frozen=True, slots=True)
class Tile:
    """One photo of the grid."""

    id: int
    src: str  # where its picture is, on this server
    name: str  # for people: shown on hover, read aloud
    aspect: float  # width over height
    score: float | None = None  # a cosine; None: no score is shown
    notes: tuple[str, ...] = ()  # short texts on the photo: its label, how many are like it


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is called when a tile asks for more than to be opened; None: it cannot ask.

    Each is called with a photo's id, before the run in which it is to be seen.
    """

    similar: Callable[[int], None]
    like: Callable[[int], None] | None = None
    unlike: Callable[[int], None] | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a visitor has chosen in a grid."""

    opened: int | None  # just now; None: none
    selection: tuple[int, ...]  # in the order of the tiles


def photo_grid(
    tiles: Sequence[Tile],
    *,
    key: str,
    label: str,
    wishes: Wishes,
    action: TileAction = "open",
    selectable: bool = False,
) -> Chosen:
    """Draw a grid of photos and tell what was chosen in it.

    Args:
        tiles: the photos, in order.
        key: the widget's key on the page.
        label: what the grid holds, for screen readers.
        wishes: what tiles can ask for.
        action: what a click on a photo asks for.
        selectable: whether photos can be selected; `clear_selection` ends that.
    """
    # The grid starts anew when it holds another list.
    generation = str(hash(tuple(tile.src for tile in tiles)))
    cleared = st.session_state.get(_cleared_key(key), 0)
    drawn = _grid(
        key=key,
        data={
            "tiles": [_described(tile) for tile in tiles],
            "label": label,
            "generation": generation,
            "cleared": cleared,
            "action": action,
            "row": ROW_HEIGHT,
            "selectable": selectable,
            "examples": wishes.like is not None and wishes.unlike is not None,
        },
        # Streamlit fills in a result's attribute only where a callback names it.
        on_open_change=_nothing,
        on_selection_change=_nothing,
        on_similar_change=_wish(key, "similar", wishes.similar),
        on_like_change=_wish(key, "like", wishes.like),
        on_unlike_change=_wish(key, "unlike", wishes.unlike),
    )
    selected = drawn.selection or {}
    made_here = (selected.get("generation"), selected.get("cleared")) == (generation, cleared)
    return Chosen(
        opened=None if drawn.open is None else int(drawn.open),
        # What was selected in another list is still on its way out.
        selection=tuple(map(int, selected["ids"])) if made_here else (),
    )


def clear_selection(key: str) -> None:
    """Let the grid of this key forget its selection in the next run."""
    name = _cleared_key(key)
    st.session_state[name] = st.session_state.get(name, 0) + 1


def _cleared_key(key: str) -> str:
    return f"{key}-cleared"


def _wish(key: str, kind: str, call: Callable[[int], None] | None) -> Callable[[], None]:
    def wanted() -> None:
        # A click on a grid that is just leaving the page arrives when its state is gone.
        chosen = st.session_state.get(key, {}).get(kind)
        if chosen is not None and call is not None:
            call(int(chosen))

    return wanted


def _described(tile: Tile) -> dict[str, object]:
    return {
        "id": tile.id,
        "src": tile.src,
        "name": tile.name,
        # A panorama or a strip is cut to a shape that a row can hold.
        "aspect": round(min(2.4, max(0.5, tile.aspect)), 4),
        "score": None if tile.score is None else round(tile.score, 4),
        "notes": list(tile.notes),
    }


def _nothing() -> None:
    """The run that follows reads the value itself."""


_grid = st.components.v2.component(
    "lookalike_grid",
    html=_HTML,
    css=beside("announcer.css", "grid.css"),
    js=beside("grid.js", "walls.js", "elements.js"),
)
