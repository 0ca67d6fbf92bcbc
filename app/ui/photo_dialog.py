"""One photo, large, with what is known of it."""

import os
from collections.abc import Callable
from datetime import datetime

import streamlit as st

from app.thumbnails import VIEW_SIDE
from app.ui import look
from app.ui.pictures import view_url, why_missing
from app.ui.served import library
from indexer.gallery import Gallery, PhotoFacts
from training.console import readable
from training.errors import LookalikeError
from training.wording import counted


@st.dialog("Photo", width="large")
def show_photo(photo_id: int, *, find_similar: Callable[[int], None]) -> None:
    """Open the dialog on a photo; `find_similar` is called with its id where that is wanted."""
    try:
        gallery = library().gallery()
        photo = gallery.photo(photo_id)
    except LookalikeError as error:
        look.notice(error.message, detail=error.hint)
        return
    left, right = st.columns([1.7, 1], gap="medium")
    with left:
        _picture(gallery, photo)
    with right:
        _facts(gallery, photo)
        if st.button("Find similar", type="primary", width="stretch"):
            find_similar(photo_id)
            st.rerun()


def _picture(gallery: Gallery, photo: PhotoFacts) -> None:
    if reason := why_missing(gallery, photo, side=VIEW_SIDE):
        look.placeholder(
            f"This photo cannot be shown: {reason}. It can still be searched for; "
            "`ssl-index build` brings the gallery up to date."
        )
    else:
        look.photo(view_url(photo), name=readable(photo.path))


def _facts(gallery: Gallery, photo: PhotoFacts) -> None:
    look.heading(readable(photo.path.rpartition(b"/")[2]), level=3)
    when = datetime.fromtimestamp(photo.mtime_ns / 1e9).astimezone()
    facts = {
        "Size": f"{photo.width:,} × {photo.height:,} pixels",  # noqa: RUF001 - the sign for "by"
        "File": f"{photo.format}, {look.size(photo.size_bytes)}",
        "Changed": f"{when:%d %B %Y, %H:%M}",
    }
    look.facts(facts)
    _path("Path", gallery, photo.path)
    if photo.other_paths:
        count = len(photo.other_paths)
        with st.expander(counted(count, "exact copy", "exact copies")):
            for path in photo.other_paths:
                _path("", gallery, path)


def _path(label: str, gallery: Gallery, path: bytes) -> None:
    """A path with a button that copies it."""
    if label:
        look.detail(label)
    full = gallery.photo_root / os.fsdecode(path)
    st.code(readable(str(full)), language=None, wrap_lines=True)
