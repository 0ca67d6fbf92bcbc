"""A button that copies text, or the page's own link, to the clipboard."""

import streamlit as st

from app.ui.components.beside import beside

_HTML = """
<button type="button"><span class="label"></span></button>
<div class="announcer" role="status" aria-live="polite"></div>
"""


def copy_button(label: str, *, key: str, done: str, text: str | None = None) -> None:
    """Draw the button.

    Args:
        label: what it says.
        key: the widget's key on the page.
        done: what it says for a moment after a click.
        text: what is copied; None is the address of the page.
    """
    _copy(key=key, data={"label": label, "done": done, "text": text}, width="content")


_copy = st.components.v2.component(
    "lookalike_clipboard",
    html=_HTML,
    css=beside("announcer.css", "clipboard.css"),
    js=beside("clipboard.js"),
)
