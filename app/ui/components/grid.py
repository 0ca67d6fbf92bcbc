"""The photo grid: rows of whole photos, keyboard included; its script and style lie beside it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Literal

import streamlit as st

# How high a row is before it is stretched to the full width, in CSS pixels.
ROW_HEIGHT = 190

# What a tile's own click asks for; both can be had with the keyboard.
TileAction = Literal["open", "similar"]

_HTML = """
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


def photo_grid(
    tiles: Sequence[Tile],
    *,
    key: str,
    label: str,
    on_similar: Callable[[int], None],
    action: TileAction = "open",
) -> int | None:
    """Draw a grid of photos; the id of the one to open, if one was chosen just now.

    Args:
        tiles: the photos, in order.
        key: the widget's key on the page.
        label: what the grid holds, for screen readers.
        on_similar: called with a photo's id before the run in which its likes are wanted.
        action: what a click on a photo asks for.
    """

    def similar_wanted() -> None:
        # A click on a grid that is just leaving the page arrives when its state is gone.
        chosen = st.session_state.get(key, {}).get("similar")
        if chosen is not None:
            on_similar(int(chosen))

    drawn = _grid(
        key=key,
        data={
            "tiles": [_described(tile) for tile in tiles],
            "label": label,
            # The grid starts anew when it holds another list.
            "generation": str(hash(tuple(tile.src for tile in tiles))),
            "action": action,
            "row": ROW_HEIGHT,
        },
        # Streamlit fills in a result's attribute only where a callback names it.
        on_open_change=_nothing,
        on_similar_change=similar_wanted,
    )
    return None if drawn.open is None else int(drawn.open)


def _described(tile: Tile) -> dict[str, object]:
    return {
        "id": tile.id,
        "src": tile.src,
        "name": tile.name,
        # A panorama or a strip is cut to a shape that a row can hold.
        "aspect": round(min(2.4, max(0.5, tile.aspect)), 4),
        "score": None if tile.score is None else round(tile.score, 4),
    }


def _nothing() -> None:
    """The run that follows reads the value itself."""


def _beside(name: str) -> str:
    return files("app.ui.components").joinpath(name).read_text(encoding="utf-8")


_grid = st.components.v2.component(
    "lookalike_grid", html=_HTML, css=_beside("grid.css"), js=_beside("grid.js")
)
