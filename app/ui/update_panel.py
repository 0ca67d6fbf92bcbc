"""Updating the gallery from the Library page: start, live progress, cancel, outcome."""

import streamlit as st

from app.task import TaskStatus
from app.ui import look
from app.ui.served import library
from indexer.gallery import Gallery
from indexer.report import IndexReport
from training.console import readable
from training.errors import LookalikeError
from training.progress import duration

# Often enough to look alive.
SECONDS_BETWEEN_LOOKS = 0.5

_SEEN = "update-seen"


def update_panel(gallery: Gallery) -> None:
    """Draw the panel; it keeps itself up to date while an update runs."""
    status = library().updates.status()
    running = status is not None and status.is_running
    # What ended before this visit, or in its sight, needs no second look at the page.
    st.session_state[_SEEN] = status.number if status and not running else None
    look.heading(
        "Update",
        detail="Looks for photos that are new, changed, moved or gone. "
        "Searching goes on meanwhile.",
        level=2,
    )
    st.fragment(_progress, run_every=SECONDS_BETWEEN_LOOKS if running else None)(gallery)


def _progress(gallery: Gallery) -> None:
    status = library().updates.status()
    if status is None:
        _start_button(gallery, "Update now")
    elif status.is_running:
        _running(status)
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


def _running(status: TaskStatus[IndexReport]) -> None:
    share = min(1.0, status.done / status.total) if status.total else 0.0
    st.progress(share, text=_progress_text(status))
    st.button(
        "Stopping…" if status.state == "stopping" else "Cancel",
        on_click=library().updates.cancel,
        disabled=status.state == "stopping",
        key="update-cancel",
        help="Stops after what is in flight. What is finished is kept, and the next update goes "
        "on from there.",
    )


def _progress_text(status: TaskStatus[IndexReport]) -> str:
    words = status.label.capitalize()
    if not status.total:
        return f"{words}…"
    words += f": {status.done:,.0f} of {status.total:,.0f} {status.unit}"
    if status.seconds_left is not None:
        words += f", {status.rate:,.0f} a second, {duration(status.seconds_left)} left"
    return words


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
        look.strong(f"Up to date: {report.seen:,} files seen in {duration(report.seconds)}")
        look.counts(counts)
        for note in report.notes:
            look.detail(readable(note))
