"""A row of classes that labels the photos somewhere on a page: a selection, a cell, a page."""

from collections.abc import Callable, Sequence

import streamlit as st

from app.desk import Action, class_rows, take
from app.ui import look
from app.ui.person import who
from app.ui.served import library
from training.wording import counted


def label_bar(ids: Sequence[int], *, source: str, key: str, done: Callable[[], None]) -> None:
    """Draw a button for every class and a field for a new one; nothing where nobody may label.

    Args:
        ids: the photos that are labelled.
        source: how their labels come about, one of `SOURCES`.
        key: tells this bar from others on the page.
        done: called once labels are stored, before the run in which they are seen.
    """
    if library().read_only:
        return
    count = counted(len(ids), "photo")
    # It stays until the next action: any other run would wipe it away before it is read.
    if said := st.session_state.get(f"{key}-said", ""):
        look.notice(said)
    with st.container(horizontal=True, key=f"{key}-bar", gap="small"):
        for number, row in enumerate(class_rows(library().labels)):
            st.button(
                f"{row.name}",
                key=f"{key}-class-{number}",
                help=f"Label {count} as {row.name}",
                disabled=not ids,
                on_click=_label,
                args=(tuple(ids), row.name, source, key, done),
            )
        st.button(
            "Undo",
            key=f"{key}-undo",
            type="tertiary",
            help="Take back your latest label or change of a class",
            on_click=_undo,
            args=(key,),
        )
        with st.popover("New class"):
            # Another field after each name: one that was emptied sends its text again on leaving.
            used = st.session_state.setdefault(f"{key}-named", 0)
            field = f"{key}-new-{used}"
            st.text_input(
                f"Label {count} as",
                key=field,
                max_chars=100,
                placeholder="Name of a new class",
                on_change=_label_new,
                args=(tuple(ids), used, source, key, done),
            )


def _label(
    ids: tuple[int, ...], name: str, source: str, key: str, done: Callable[[], None]
) -> None:
    labels = library().labels
    seen = {photo_id: label.name for photo_id, label in labels.of(ids).items()}
    answer = take(labels, Action("label", ids, name=name, seen=seen, source=source), who=who())
    st.session_state[f"{key}-said"] = answer.text if answer else ""
    if answer is None or not answer.refused:
        done()


def _undo(key: str) -> None:
    answer = take(library().labels, Action("undo"), who=who())
    st.session_state[f"{key}-said"] = answer.text if answer else ""


def _label_new(
    ids: tuple[int, ...], used: int, source: str, key: str, done: Callable[[], None]
) -> None:
    if st.session_state[f"{key}-named"] != used:
        return  # The page sends what stood in a field again, until it has the next one.
    name = str(st.session_state[f"{key}-new-{used}"]).strip()
    st.session_state[f"{key}-named"] += 1
    if name:
        _label(ids, name, source, key, done)
