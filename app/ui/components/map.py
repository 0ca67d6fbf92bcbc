"""The map component: a dot a photo, to walk over and to draw outlines on."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
import streamlit as st

from app.maps import Colouring
from app.ui.components.beside import beside
from indexer.layout import Layout

_HELP = (
    "Arrow keys move, plus and minus zoom, 0 shows all, Enter selects the photos in the ring, "
    "O opens the photo in the middle, Escape ends the selection."
)

_HTML = """
<div class="map">
  <canvas class="under" aria-hidden="true"></canvas>
  <canvas class="over" tabindex="0" role="application"></canvas>
  <div class="tools" role="toolbar" aria-label="Map">
    <button type="button" data-does="move" aria-pressed="true">Move</button>
    <button type="button" data-does="select" aria-pressed="false">Select</button>
    <i></i>
    <button type="button" class="sign" data-does="in" aria-label="Zoom in">+</button>
    <button type="button" class="sign" data-does="out" aria-label="Zoom out">&minus;</button>
    <button type="button" data-does="fit">Show all</button>
  </div>
  <div class="legend" role="group" aria-label="Colours: press to hide or show" hidden></div>
  <div class="tip"><img alt=""><span></span></div>
  <div class="announcer" role="status" aria-live="polite"></div>
</div>
<p class="keys">Scroll to zoom, drag to move, <kbd>Shift</kbd> and drag to draw around photos.
Keys: <kbd>arrows</kbd> <kbd>+</kbd> <kbd>&minus;</kbd> <kbd>0</kbd>,
<kbd>Enter</kbd> selects what is in the ring, <kbd>O</kbd> opens, <kbd>Esc</kbd> ends.</p>
"""


@dataclass(frozen=True, slots=True)
class Outlined:
    """What a visitor drew on the map."""

    corners: tuple[tuple[float, float], ...]  # on the plane, closed
    shown: frozenset[int]  # the groups that were not hidden


@dataclass(frozen=True, slots=True)
class MapChosen:
    """What was chosen on a map."""

    opened: int | None  # a photo's id, just now; None: none
    outlined: Outlined | None  # None: nothing is selected


def photo_map(layout: Layout, colouring: Colouring, *, key: str, label: str) -> MapChosen:
    """Draw the map and tell what was chosen on it.

    Args:
        layout: where the photos lie.
        colouring: the groups that they are coloured by, photo by photo in the layout's order.
        key: the widget's key on the page.
        label: what the map shows, for screen readers.
    """
    generation = f"{layout.generation}-{layout.method}"
    cleared = st.session_state.get(_cleared_key(key), 0)
    drawn = _map(
        key=key,
        data={
            "points": _columns(layout, colouring.codes),
            "groups": [asdict(group) for group in colouring.groups],
            "generation": generation,
            "label": label,
            "help": _HELP,
            "cleared": cleared,
        },
        on_open_change=_nothing,
        on_outline_change=_nothing,
    )
    return MapChosen(
        opened=None if drawn.open is None else int(drawn.open),
        outlined=_outlined(drawn.outline, generation, cleared),
    )


def clear_outline(key: str) -> None:
    """Let the map of this key forget its selection in the next run."""
    name = _cleared_key(key)
    st.session_state[name] = st.session_state.get(name, 0) + 1


def _columns(layout: Layout, codes: np.ndarray) -> pd.DataFrame:
    """As the browser wants them; an id as a number with room for 53 bits."""
    return pd.DataFrame(
        {
            "x": layout.places[:, 0],
            "y": layout.places[:, 1],
            "id": layout.ids.astype(np.float64),
            "group": codes,
        }
    )


def _outlined(sent: object, generation: str, cleared: int) -> Outlined | None:
    """What the browser sent, where it is of the map that is shown and was not cleared since."""
    if not isinstance(sent, dict):
        return None
    if (sent.get("generation"), sent.get("cleared")) != (generation, cleared):
        return None
    corners: Sequence[Sequence[float]] = sent["corners"]
    return Outlined(
        tuple((float(x), float(y)) for x, y in corners), frozenset(map(int, sent["shown"]))
    )


def _cleared_key(key: str) -> str:
    return f"{key}-cleared"


def _nothing() -> None:
    """The run that follows reads the value itself."""


_map = st.components.v2.component(
    "lookalike_map",
    html=_HTML,
    css=beside("announcer.css", "map.css"),
    js=beside("map.js", "map_paint.js", "map_hands.js"),
)
