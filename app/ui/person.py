"""Whose labels the app stores: this computer's user, or who a person says they are."""

import getpass

import streamlit as st

_NAME = "person"
_LONGEST = 40


def who() -> str:
    """The name that this session's labels are stored under; undo goes by it."""
    return str(st.session_state.get(_NAME) or _user())


def person_field() -> None:
    """Where people say who they are; two who label at once can then be told apart."""
    with st.popover(f"Labelling as {who()}"):
        name = st.text_input(
            "Your name",
            value=who(),
            max_chars=_LONGEST,
            help="Stored with your labels. Undo takes back your own work only.",
        )
        if name.strip() and name.strip() != who():
            st.session_state[_NAME] = name.strip()
            st.rerun()


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "someone"
