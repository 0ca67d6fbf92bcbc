"""Ctrl-V anywhere on the page hands an image to the page's drop zone."""

from importlib.resources import files

import streamlit as st

_paste = st.components.v2.component(
    "lookalike_paste",
    js=files("app.ui.components").joinpath("paste.js").read_text(encoding="utf-8"),
)


def paste_anywhere() -> None:
    """Let the drop zone above take what is pasted while nothing has the focus."""
    _paste(key="paste")
