"""Long work in the background as a page shows it: progress, cancel, and how it ended."""

from collections.abc import Callable, Hashable
from typing import TypeVar

import streamlit as st

from app.prepared import Prepared
from app.task import TaskStatus
from app.ui import look
from training.console import readable
from training.progress import duration

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)

# Often enough to look alive.
SECONDS_BETWEEN_LOOKS = 0.5


def running(status: TaskStatus[T], *, cancel: Callable[[], None], key: str, told: str) -> None:
    """Draw work that goes on.

    Args:
        status: how it stands.
        cancel: asks it to stop.
        key: the button's on the page.
        told: what stopping does.
    """
    share = min(1.0, status.done / status.total) if status.total else 0.0
    st.progress(share, text=_progress_text(status))
    st.button(
        "Stopping…" if status.state == "stopping" else "Cancel",
        on_click=cancel,
        disabled=status.state == "stopping",
        key=key,
        help=told,
    )


def preparing(prepared: Prepared[K, T], *, key: str) -> None:
    """Draw what stands where a result will be; the page is drawn anew once it is there.

    Args:
        prepared: what was asked for the result.
        key: of the panel on the page.
    """
    status = prepared.status()
    at_work = status is not None and status.is_running
    st.fragment(_progress, run_every=SECONDS_BETWEEN_LOOKS if at_work else None)(prepared, key)


def _progress(prepared: Prepared[K, T], key: str) -> None:
    status = prepared.status()
    if status is None or status.state == "done":
        st.rerun()
    elif status.is_running:
        told = "You can look at other pages meanwhile."
        running(status, cancel=prepared.cancel, key=f"{key}-cancel", told=told)
    else:
        if status.state == "failed":
            look.notice(readable(status.message), detail=readable(status.hint))
        else:
            look.detail("This was cancelled.")
        if st.button("Begin again", key=f"{key}-again"):
            prepared.again()
            st.rerun()


def _progress_text(status: TaskStatus[T]) -> str:
    words = (status.label or "beginning").capitalize()
    if not status.total:
        return f"{words}…"
    words += f": {status.done:,.0f} of {status.total:,.0f} {status.unit}"
    if status.seconds_left is not None:
        words += f", {status.rate:,.0f} a second, {duration(status.seconds_left)} left"
    return words
