"""The basket of examples: photos that results should be like or unlike, with weights."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import streamlit as st

from app.ui.components.beside import beside

# What a click on plus or minus steps through.
WEIGHTS = (0.25, 0.5, 1.0, 2.0, 4.0)

_HTML = """
<div class="basket"></div>
<div class="announcer" role="status" aria-live="polite"></div>
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """A photo in the basket."""

    id: int
    src: str  # where its picture is, on this server
    name: str
    weight: float
    liked: bool  # False: results should be unlike it


def example_basket(
    entries: Sequence[Entry],
    *,
    key: str,
    on_weight: Callable[[int, float], None],
    on_remove: Callable[[int], None],
) -> None:
    """Draw the basket; the callbacks come before the run in which their change is to be seen.

    Args:
        entries: what is in it; those liked are drawn first.
        key: the widget's key on the page.
        on_weight: called with a photo's id and its new weight.
        on_remove: called with the id of a photo that is to leave.
    """

    def changed() -> None:
        change = st.session_state.get(key, {}).get("change")
        if change is None:
            return
        if change["weight"] is None:
            on_remove(int(change["id"]))
        else:
            on_weight(int(change["id"]), float(change["weight"]))

    groups = [
        {"title": title, "entries": [_described(e) for e in entries if e.liked == liked]}
        for title, liked in (("More like", True), ("Less like", False))
    ]
    _basket(key=key, data={"groups": groups, "weights": list(WEIGHTS)}, on_change_change=changed)


def _described(entry: Entry) -> dict[str, object]:
    return {"id": entry.id, "src": entry.src, "name": entry.name, "weight": entry.weight}


_basket = st.components.v2.component(
    "lookalike_basket",
    html=_HTML,
    css=beside("announcer.css", "basket.css"),
    js=beside("basket.js", "elements.js"),
)
