"""Ctrl-V anywhere on the page hands an image to the page's drop zone."""

import streamlit as st

from app.ui.components.beside import beside

_paste = st.components.v2.component(
    "lookalike_paste",
    js=beside("paste.js"),
)


def paste_anywhere() -> None:
    """Let the drop zone above take what is pasted while nothing has the focus."""
    _paste(key="paste")
