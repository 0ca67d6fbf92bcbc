"""The Map page: all photos at once, those that look alike together; some are drawn around."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from app.maps import Colouring, by_guess, by_label, inside, most_typical_first
from app.ui import look
from app.ui.address import arrived, find_similar_on_search
from app.ui.components.grid import Wishes, clear_selection, photo_grid
from app.ui.components.map import Outlined, clear_outline, photo_map
from app.ui.label_bar import label_bar
from app.ui.photo_dialog import show_photo
from app.ui.served import library
from app.ui.tiles import photo_tiles
from indexer.gallery import Gallery
from indexer.layout import FEWEST, Layout
from training.wording import counted

MAP, GRID = "map", "outlined"

# What the photos can be coloured by.
LABEL, GUESS, FOLDER = "Label", "Guess", "Folder"

# Photos of a selection that are shown at a time.
PAGE_SIZE = 48

# How often the page looks whether the better map is there.
SECONDS_BETWEEN_LOOKS = 2.0


def page() -> None:
    """Draw the page."""
    gallery = library().gallery()
    if not len(gallery):
        look.notice("There are no photos to draw a map of", detail="`ssl-index build` adds some.")
        return
    _map(gallery)


@st.fragment
def _map(gallery: Gallery) -> None:
    if arrived():
        st.rerun()
    layout = _shown_layout(gallery)
    colouring = _coloured(gallery, layout, _head(layout))
    with st.container(horizontal=True, gap="medium", key="map-row"):
        with st.container(width="stretch", key="map-wide"):
            chosen = photo_map(layout, colouring, key=MAP, label="Map of all photos")
        if chosen.outlined is not None:
            with st.container(width=430, key="map-side"):
                _selection(gallery, layout, colouring, chosen.outlined)
    if chosen.opened is not None:
        show_photo(chosen.opened, find_similar=find_similar_on_search)


def _shown_layout(gallery: Gallery) -> Layout:
    """The best map there is, but no other one under an outline that was drawn on it."""
    best = library().maps.layout(gallery)
    shown: Layout | None = st.session_state.get("map-layout")
    outlined = (st.session_state.get(MAP) or {}).get("outline") is not None
    if shown is None or not outlined or shown.generation != best.generation:
        shown = st.session_state["map-layout"] = best
    return shown


def _head(layout: Layout) -> str:
    """The heading, and what the photos are to be coloured by."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="map-head"):
        with st.container(width="stretch"):
            count = f"{len(layout.ids):,} photos"
            look.heading("Map", detail=f"{count}. The closer together, the more alike.")
            if library().maps.drawing:
                _watch()
            elif library().maps.problem:
                look.notice(library().maps.problem)
            elif layout.method == "components" and len(layout.ids) >= FEWEST:
                look.detail("The better map is there; it is shown once the outline is cleared.")
        return str(
            st.segmented_control(
                "Colour by", [LABEL, GUESS, FOLDER], default=LABEL, key="colour-by", required=True
            )
        )


@st.fragment(run_every=SECONDS_BETWEEN_LOOKS)
def _watch() -> None:
    """Say that a better map is coming, and show it once it is there."""
    if library().maps.drawing:
        look.detail("Neighbours are being brought together; the map changes when that is done.")
    else:
        st.rerun()


def _coloured(gallery: Gallery, layout: Layout, by: str) -> Colouring:
    if by == FOLDER:
        return library().maps.folders(gallery, layout.ids)
    answers = library().labelling.answers()
    classes = [of.name for of in library().labels.classes()]
    coloured = by_label if by == LABEL else by_guess
    return coloured(answers, layout.ids, classes=classes)


def _selection(gallery: Gallery, layout: Layout, colouring: Colouring, outlined: Outlined) -> None:
    """The photos inside the outline, the most typical first, and what they can be called."""
    shown = np.isin(colouring.codes, list(outlined.shown))
    ids = most_typical_first(gallery, layout.ids[shown & inside(layout.places, outlined.corners)])
    with st.container(horizontal=True, vertical_alignment="center"):
        look.heading(f"{counted(len(ids), 'photo')} in the outline", level=2)
        st.button("Clear", on_click=clear_outline, args=(MAP,), key="clear-outline")
    bar = st.container()
    pages = -(-len(ids) // PAGE_SIZE)
    at = st.pagination(pages, key="outlined-page") if pages > 1 else 1
    selected = _grid(gallery, ids[(at - 1) * PAGE_SIZE : at * PAGE_SIZE])
    with bar:
        if not library().read_only:
            what = f"the {len(selected):,} selected" if selected else f"all {len(ids):,}"
            look.detail(f"Label {what} as")
        label_bar(selected or ids, source="lasso", key="outlined", done=_labelled)


def _grid(gallery: Gallery, ids: Sequence[int]) -> tuple[int, ...]:
    labels = library().labels.of(ids)
    chosen = photo_grid(
        photo_tiles(gallery, ids, notes={i: (label.name,) for i, label in labels.items()}),
        key=GRID,
        label="Photos in the outline",
        wishes=Wishes(similar=find_similar_on_search),
        selectable=not library().read_only,  # only to label
    )
    if chosen.opened is not None:
        show_photo(chosen.opened, find_similar=find_similar_on_search)
    return chosen.selection


def _labelled() -> None:
    clear_selection(GRID)
