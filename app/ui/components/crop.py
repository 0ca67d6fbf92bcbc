"""A photo on which a region can be drawn; its script and style lie beside it."""

from collections.abc import Callable

import streamlit as st

from app.link import Crop
from app.ui.components.beside import beside

_HTML = """
<div class="frame" tabindex="0" role="application">
  <img alt=""><div class="box" hidden><i></i><i></i><i></i><i></i></div>
</div>
<div class="foot">
  <span class="hint"></span>
  <button type="button" class="whole" hidden>Whole photo</button>
</div>
<div class="announcer" role="status" aria-live="polite"></div>
"""


def crop_photo(
    src: str, *, key: str, name: str, crop: Crop | None, on_crop: Callable[[Crop | None], None]
) -> None:
    """Draw a photo with its region.

    Args:
        src: where the picture is, on this server.
        key: the widget's key on the page.
        name: what the photo shows or is called, for those who do not see it.
        crop: the region that is drawn; None is the whole photo.
        on_crop: called with another region before the run in which it is to be seen.
    """

    def region_drawn() -> None:
        drawn = st.session_state.get(key, {}).get("region")
        if drawn is not None:
            box = drawn["box"]
            on_crop(None if box is None else Crop.from_fractions(*map(float, box)))

    _crop(
        key=key,
        data={
            "src": src,
            "name": name,
            "box": None if crop is None else list(crop.fractions()),
        },
        on_region_change=region_drawn,
    )


_crop = st.components.v2.component(
    "lookalike_crop", html=_HTML, css=beside("announcer.css", "crop.css"), js=beside("crop.js")
)
