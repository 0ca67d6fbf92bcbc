"""Where a page finds what its server serves.

Streamlit runs the page script anew for every click of every visitor, but in one process: a
module's variable outlives the runs and is the same to all sessions.
"""

from app.library import Library

_library: Library | None = None


def provide(library: Library) -> None:
    """Say what this process serves; before the first page is drawn."""
    global _library  # noqa: PLW0603 - one server a process, as Streamlit itself has it
    _library = library


def library() -> Library:
    """What this process serves."""
    assert _library is not None, "provide() comes before any page"
    return _library
