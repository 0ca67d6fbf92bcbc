"""Where a page finds what its server serves.

Streamlit runs the page script anew for every click of every visitor, but in one process: a
module's variable outlives the runs and is the same to all sessions.
"""

from app.library import Library

_library: Library | None = None
_guarded = False


def provide(library: Library, *, guarded: bool = False) -> None:
    """Say what this process serves, before the first page is drawn.

    Args:
        library: the gallery and what belongs to it.
        guarded: whether people had to sign in.
    """
    global _library, _guarded  # noqa: PLW0603 - one server a process, as Streamlit itself has it
    _library = library
    _guarded = guarded


def library() -> Library:
    """What this process serves."""
    assert _library is not None, "provide() comes before any page"
    return _library


def guarded() -> bool:
    """Whether people had to sign in, and can sign out."""
    return _guarded
