"""Updating the gallery from the Library page: start, live progress, cancel, outcome."""

import streamlit as st

from app.task import TaskStatus
from app.ui import look
from app.ui.served import library
from app.ui.task_panel import SECONDS_BETWEEN_LOOKS, running
from indexer.gallery import Gallery
from indexer.report import IndexReport
from training.console import readable
from training.errors import LookalikeError
from training.progress import duration
from training.wording import counted

_SEEN = "update-seen"


def update_panel(gallery: Gallery) -> None:
    """Draw the panel; it keeps itself up to date while an update runs."""
    if library().read_only:
        look.heading(
            "Update",
            detail="Not from here: this is shown read-only. After `ssl-index update` the pages "
            "show the new state within seconds.",
            level=2,
        )
        return
    status = library().updates.status()
    at_work = status is not None and status.is_running
    # What ended before this visit, or in its sight, needs no second look at the page.
    st.session_state[_SEEN] = status.number if status and not at_work else None
    look.heading(
        "Update",
        detail="Looks for photos that are new, changed, moved or gone. "
        "Searching goes on meanwhile.",
        level=2,
    )
    st.fragment(_progress, run_every=SECONDS_BETWEEN_LOOKS if at_work else None)(gallery)


def _progress(gallery: Gallery) -> None:
    status = library().updates.status()
    if status is None:
        _start_button(gallery, "Update now")
    elif status.is_running:
        running(
            status,
            cancel=library().updates.cancel,
            key="update-cancel",
            told="Stops after what is in flight. What is finished is kept, and the next update "
            "goes on from there.",
        )
    else:
        if st.session_state.get(_SEEN) != status.number:
            # It ended just now: the whole page shows the new gallery.
            st.rerun()
        _ended(status)
        _start_button(gallery, "Update again")


def _start_button(gallery: Gallery, label: str) -> None:
    prune = st.checkbox(
        "Take out photos that are gone from the folder",
        key="update-prune",
        help="Else they stay in the gallery, and are counted as missing: a drive may not be "
        "mounted. Their labels are kept either way.",
    )
    if not st.button(label, type="primary", key="update-start"):
        return
    try:
        library().update(prune=prune)
    except LookalikeError as error:
        look.notice(readable(error.message), detail=readable(error.hint))
        return
    st.rerun()


def _ended(status: TaskStatus[IndexReport]) -> None:
    if status.state == "failed":
        look.notice(f"The update failed: {readable(status.message)}", detail=readable(status.hint))
    elif status.state == "cancelled":
        look.notice(
            "The update was cancelled",
            detail="What was finished is kept; the next update goes on from there.",
        )
    elif status.result is not None:
        _outcome(status.result)


def _outcome(report: IndexReport) -> None:
    counts = {
        "Added": report.added,
        "Changed": report.changed,
        "Moved": report.moved,
        "Removed": report.removed,
        "Missing": report.missing,
        "Unchanged": report.unchanged,
        "Skipped": report.skipped,
    }
    with st.container(key="update-outcome"):
        seen = counted(report.seen, "file")
        look.strong(f"Up to date: {seen} seen in {duration(report.seconds)}")
        look.counts(counts)
        for note in report.notes:
            look.detail(readable(note))
