"""The Search page: an image in, the photos that look like it out; the link holds the search."""

import streamlit as st

from app.link import Link
from app.query import answer
from app.thumbnails import TILE_SIDE
from app.ui import look
from app.ui.address import arrived, find_similar, go, here
from app.ui.components.basket import Entry, example_basket
from app.ui.components.crop import crop_photo
from app.ui.components.grid import Wishes, photo_grid
from app.ui.components.paste import paste_anywhere
from app.ui.photo_dialog import show_photo
from app.ui.pictures import thumb_url, upload_url, view_url, why_missing
from app.ui.results import results
from app.ui.served import library
from app.ui.tiles import photo_tiles
from app.uploads import MAX_UPLOAD_MEGABYTES
from indexer.gallery import Gallery
from training.console import readable
from training.errors import LookalikeError
from training.wording import counted


def page() -> None:
    """Draw the page that the address bar names."""
    arrived()
    link = here()
    for problem in link.problems:
        look.notice(problem)
    _draw(library().gallery(), link)
    paste_anywhere()


def _draw(gallery: Gallery, link: Link) -> None:
    """The start page, or a search; a search that cannot be made says why on the start page."""
    if link.is_start:
        _start(gallery)
        return
    try:
        among = library().narrowed(gallery, link.narrowing)
        found = answer(gallery, library().uploads, link, among=among)
    except LookalikeError as error:
        look.notice(error.message, detail=error.hint)
        _start(gallery)
        return
    row = st.container(horizontal=True, gap="medium")
    with row.container(width=300, key="query"):
        _query_column(gallery, link)
    with row.container(width="stretch", key="found"):
        results(gallery, link, found)


def _start(gallery: Gallery) -> None:
    with st.container(key="hero", horizontal_alignment="center"):
        look.heading(
            "Find photos that look alike",
            detail="Give one image and see what resembles it among your photos.",
        )
        _uploader("Drop, paste or choose an image")
    with st.container(key="start"):
        look.heading("Or start from one of your photos", level=2)
        shown = [hit.id for hit in library().samples(gallery)]
        photo_grid(
            photo_tiles(gallery, shown),
            key="samples",
            label="Some of your photos",
            wishes=Wishes(similar=find_similar),
            action="similar",
        )


def _query_column(gallery: Gallery, link: Link) -> None:
    _query_preview(gallery, link)
    first, second = st.columns(2)
    first.button("New search", on_click=go, args=(link.for_start(),), width="stretch")
    if link.photo is not None and second.button("Details", width="stretch"):
        show_photo(link.photo, find_similar=find_similar)
    _basket(gallery, link)
    _uploader("Search with another image")
    _kept_uploads(link)


def _query_preview(gallery: Gallery, link: Link) -> None:
    """The photo that is looked up, to draw a region on."""
    if link.upload is not None:
        _croppable(link, upload_url(link.upload), name="Your image")
    elif link.photo is not None:
        photo = gallery.photo(link.photo)
        name = readable(photo.path)
        if reason := why_missing(gallery, photo, side=TILE_SIDE):
            look.placeholder(f"This photo cannot be shown: {reason}.")
        else:
            # A part is enlarged by whoever looks for it: the large picture is worth its time.
            _croppable(link, view_url(photo) if link.crop else thumb_url(photo), name=name)
        look.detail(name)


def _croppable(link: Link, src: str, *, name: str) -> None:
    crop_photo(
        src,
        key="crop",
        name=name,
        crop=link.crop,
        on_crop=lambda crop: go(here().with_crop(crop)),
    )


def _basket(gallery: Gallery, link: Link) -> None:
    """The examples beside the query; nothing where there are none."""
    examples = [(e, True) for e in link.likes] + [(e, False) for e in link.unlikes]
    photos = gallery.photos([example.photo for example, _ in examples])
    entries = [
        Entry(
            id=example.photo,
            src=thumb_url(photos[example.photo]),
            name=readable(photos[example.photo].path),
            weight=example.weight,
            liked=liked,
        )
        for example, liked in examples
        if example.photo in photos
    ]
    if entries:
        example_basket(entries, key="basket", on_weight=_weigh, on_remove=_remove)


def _weigh(photo_id: int, weight: float) -> None:
    link = here()
    liked = any(example.photo == photo_id for example in link.likes)
    go(link.with_example(photo_id, liked=liked, weight=weight))


def _remove(photo_id: int) -> None:
    go(here().without_example(photo_id))


def _uploader(label: str) -> None:
    """A drop zone; a fresh one after each image, so that the query alone tells what is shown."""
    key = f"upload-{st.session_state.setdefault('uploads', 0)}"
    st.file_uploader(
        f"{label} (up to {MAX_UPLOAD_MEGABYTES} MB)",
        # Of any type: what a file is, its bytes say, and a refusal then says it in our words.
        type=None,
        key=key,
        on_change=_take_upload,
        args=(key,),
    )
    if problem := st.session_state.pop("upload_problem", ""):
        look.notice("That image cannot be used", detail=problem)


def _take_upload(key: str) -> None:
    uploaded = st.session_state[key]
    if uploaded is None:
        return
    st.session_state["uploads"] += 1
    try:
        kept = library().uploads.keep(uploaded.getvalue())
    except LookalikeError as error:
        st.session_state["upload_problem"] = f"{uploaded.name}: {error.message}"
        return
    go(here().for_upload(kept))


def _kept_uploads(link: Link) -> None:
    kept = library().uploads.kept()
    if not kept.count:
        return
    with st.container(horizontal=True, vertical_alignment="center", key="kept"):
        look.detail(f"{counted(kept.count, 'upload')} kept, {look.size(kept.size_bytes)}")
        st.button(
            "Clear",
            on_click=_forget_uploads,
            args=(link,),
            help="Forget the uploaded images. Links to them will say that they expired.",
        )


def _forget_uploads(link: Link) -> None:
    library().uploads.clear()
    if link.upload is not None:
        go(link.for_start())
