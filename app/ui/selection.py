"""What can be done with photos that are selected in a grid: label, copy paths, search on."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from app.ui import look
from app.ui.address import go, here
from app.ui.components.clipboard import copy_button
from app.ui.components.grid import clear_selection
from app.ui.person import who
from app.ui.served import library
from app.ui.tiles import paths_text
from indexer.gallery import Gallery
from training.errors import LookalikeError
from training.wording import counted

_TOLD = "selection-told"


@dataclass(frozen=True, slots=True)
class _Told:
    """What became of the last action, for the next run to say."""

    message: str
    hint: str = ""
    undoable: bool = False


def selection_bar(gallery: Gallery, selection: Sequence[int], *, grid: str) -> None:
    """Draw the bar; nothing where nothing is selected and nothing was done just now.

    Args:
        gallery: where the photos are.
        selection: the photos that are selected.
        grid: the grid's key.
    """
    if selection:
        with st.container(horizontal=True, key="selection", vertical_alignment="center"):
            look.strong(f"{len(selection):,} selected")
            if not library().read_only:
                _label_choice(selection, grid)
            _others(gallery, selection, grid)
    elif _TOLD in st.session_state:
        with st.container(horizontal=True, key="selection", vertical_alignment="center"):
            _tell(st.session_state.pop(_TOLD))


def _label_choice(selection: Sequence[int], grid: str) -> None:
    st.selectbox(
        "Label as",
        [c.name for c in library().labels.classes()],
        index=None,
        key="label-selection",
        placeholder="Label as… (choose or type)",
        label_visibility="collapsed",
        accept_new_options=True,
        width=240,
        on_change=_label,
        args=(tuple(selection), grid),
    )


def _others(gallery: Gallery, selection: Sequence[int], grid: str) -> None:
    count = len(selection)
    copy_button(
        "Copy paths",
        key="copy-paths",
        done=f"{counted(count, 'path')} copied",
        text=paths_text(gallery, selection),
    )
    for words, liked in (("More like these", True), ("Less like these", False)):
        st.button(words, on_click=_examples, args=(selection, grid), kwargs={"liked": liked})
    st.button("Clear", on_click=clear_selection, args=(grid,), key="clear-selection")


def _label(selection: Sequence[int], grid: str) -> None:
    name = st.session_state.get("label-selection")
    if not name:
        return
    try:
        library().labels.put(selection, name, source="search", who=who())
    except LookalikeError as error:
        st.session_state[_TOLD] = _Told(error.message, error.hint)
    else:
        photos = counted(len(selection), "photo")
        st.session_state[_TOLD] = _Told(f"{photos} labelled “{name.strip()}”", undoable=True)
    st.session_state["label-selection"] = None
    clear_selection(grid)


def _tell(told: _Told) -> None:
    if told.hint:
        look.notice(told.message, detail=told.hint)
        return
    look.strong(told.message)
    if told.undoable:
        st.button("Undo", on_click=_undo, key="undo-label")


def _undo() -> None:
    undone = library().labels.undo(who=who())
    count = len(undone.photos) if undone else 0
    back = f"{counted(count, 'photo is', 'photos are')} labelled as before"
    st.session_state[_TOLD] = _Told(back if count else "There was nothing to undo")


def _examples(selection: Sequence[int], grid: str, *, liked: bool) -> None:
    link = here()
    for photo_id in selection:
        link = link.with_example(photo_id, liked=liked)
    clear_selection(grid)
    go(link)
