"""The Search page's filters: by folder, date and label."""

from datetime import date

import streamlit as st

from app.narrowing import ANY, Narrowing
from app.ui import look
from app.ui.address import go, here
from app.ui.served import library
from indexer.gallery import Gallery

# Before this day there were no photographs.
FIRST_DAY = date(1826, 1, 1)
LAST_DAY = date(2200, 1, 1)

UNLABELLED = "(without a label)"


def filters(gallery: Gallery, narrowing: Narrowing) -> None:
    """Draw the button with the filters behind it."""
    count = narrowing.count
    opened = st.popover(
        f"Filters ({count})" if count else "Filters", on_change="rerun", key="filters"
    )
    if opened.open:
        with opened:
            _controls(gallery, narrowing)


def _controls(gallery: Gallery, narrowing: Narrowing) -> None:
    # The link decides what the controls show, and the controls write the link.
    state = st.session_state
    state["filter-folder"] = narrowing.folder
    state["filter-since"], state["filter-until"] = narrowing.since, narrowing.until
    state["filter-label"] = UNLABELLED if narrowing.unlabelled else narrowing.label
    _choice("Folder", "filter-folder", [*library().folders(gallery)])
    first, second = st.columns(2)
    for column, label, key in (
        (first, "Taken from", "filter-since"),
        (second, "Taken until", "filter-until"),
    ):
        column.date_input(
            label,
            key=key,
            format="YYYY-MM-DD",
            min_value=FIRST_DAY,
            max_value=LAST_DAY,
            on_change=_changed,
        )
    if narrowing.since or narrowing.until:
        look.detail("Photos that do not tell when they were taken are left out.")
    _choice("Label", "filter-label", [UNLABELLED, *(c.name for c in library().labels.classes())])
    if narrowing.count:
        st.button("No filters", on_click=_clear, key="no-filters")


def _choice(label: str, key: str, options: list[str]) -> None:
    chosen = st.session_state[key]
    if chosen is not None and chosen not in options:  # a link may name what is not there
        options = [*options, chosen]
    st.selectbox(label, options, key=key, index=None, placeholder="Any", on_change=_changed)


def _changed() -> None:
    state = st.session_state
    label = state["filter-label"]
    unlabelled = label == UNLABELLED
    go(
        here().with_narrowing(
            Narrowing(
                folder=state["filter-folder"],
                since=state["filter-since"],
                until=state["filter-until"],
                label=None if unlabelled else label,
                unlabelled=unlabelled,
            )
        )
    )


def _clear() -> None:
    go(here().with_narrowing(ANY))
