"""Whose labels the app stores: this computer's user, or who a person says they are."""

import getpass

import streamlit as st

_NAME, _FIELD = "person", "person-field"
_LONGEST = 40


def who() -> str:
    """The name that this session's labels are stored under; undo goes by it."""
    return str(st.session_state.get(_NAME) or _user())


def person_field() -> None:
    """Where people say who they are; two who label at once can then be told apart."""
    with st.popover(f"Labelling as {who()}"):
        # A page that is left forgets what its fields held.
        st.session_state.setdefault(_FIELD, who())
        st.text_input(
            "Your name",
            key=_FIELD,
            max_chars=_LONGEST,
            on_change=_be,
            help="Stored with your labels. Undo takes back your own work only.",
        )


def _be() -> None:
    if name := str(st.session_state[_FIELD]).strip():
        st.session_state[_NAME] = name


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "someone"
