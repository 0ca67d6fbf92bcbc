"""The address bar: the search it names, and how a page names another."""

import streamlit as st

from app.link import Link

_MOVED = "moved"
_ELSEWHERE = "search-wanted"


def here() -> Link:
    """The search that the address bar names."""
    return Link.parse(st.query_params.to_dict())


def go(link: Link) -> None:
    """Make the address bar name `link`; the run that follows draws it. For callbacks."""
    st.query_params.from_dict(link.params())
    st.session_state[_MOVED] = True


def find_similar(photo_id: int) -> None:
    """Go to the search for a photo's likes. For callbacks."""
    go(here().for_photo(photo_id))


def find_similar_on_search(photo_id: int) -> None:
    """Leave this page for the search for a photo's likes. For callbacks of other pages."""
    st.session_state[_ELSEWHERE] = Link().for_photo(photo_id)
    st.session_state[_MOVED] = True


def wanted_search() -> Link | None:
    """The search that another page's callback asked for; asking forgets it."""
    wanted = st.session_state.pop(_ELSEWHERE, None)
    return wanted if isinstance(wanted, Link) else None


def arrived() -> bool:
    """Whether a callback went to another address just now; asking forgets it.

    A fragment that is told so must not draw itself but run the page: it would show the old one.
    """
    return bool(st.session_state.pop(_MOVED, False))
