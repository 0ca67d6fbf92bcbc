"""The Search page: an image in, the photos that look like it out; the link holds the search."""

import streamlit as st

from app.query import RESULT_CHOICES, Answer, Link, answer
from app.thumbnails import TILE_SIDE
from app.ui import look
from app.ui.components.grid import Tile, TileAction, photo_grid
from app.ui.components.paste import paste_anywhere
from app.ui.photo_dialog import readable_size, show_photo
from app.ui.pictures import thumb_url, upload_url, why_missing
from app.ui.served import library
from app.uploads import MAX_UPLOAD_MEGABYTES
from indexer.gallery import Gallery, Hit
from training.console import readable
from training.errors import GalleryError, LookalikeError


def page() -> None:
    """Draw the page that the address bar names."""
    link = _here()
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
        found = answer(gallery, library().uploads, link)
    except LookalikeError as error:
        look.notice(error.message, detail=error.hint)
        _start(gallery)
        return
    row = st.container(horizontal=True, gap="medium")
    with row.container(width=300, key="query"):
        _query_column(gallery, link)
    with row.container(width="stretch", key="found"):
        _results(gallery, link, found)


def _start(gallery: Gallery) -> None:
    with st.container(key="hero", horizontal_alignment="center"):
        look.heading(
            "Find photos that look alike",
            detail="Give one image and see what resembles it among your photos.",
        )
        _uploader("Drop, paste or choose an image")
    with st.container(key="start"):
        look.heading("Or start from one of your photos", level=2)
        hits = library().samples(gallery)
        _grid(gallery, hits, key="samples", label="Some of your photos", action="similar")


def _query_column(gallery: Gallery, link: Link) -> None:
    _query_preview(gallery, link)
    first, second = st.columns(2)
    first.button("New search", on_click=_go, args=(link.for_start(),), width="stretch")
    if link.photo is not None and second.button("Details", width="stretch"):
        show_photo(link.photo, find_similar=_find_similar)
    _uploader("Search with another image")
    _settings(link)
    _kept_uploads(link)


def _query_preview(gallery: Gallery, link: Link) -> None:
    if link.upload is not None:
        look.photo(upload_url(link.upload), name="The image that was uploaded")
        look.detail("Your image")
    elif link.photo is not None:
        photo = gallery.photo(link.photo)
        name = readable(photo.path)
        if reason := why_missing(gallery, photo, side=TILE_SIDE):
            look.placeholder(f"This photo cannot be shown: {reason}.")
        else:
            look.photo(thumb_url(photo), name=name)
        look.detail(name)


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
    _go(_here().for_upload(kept))


def _settings(link: Link) -> None:
    # The link decides what the controls show, and the controls write the link.
    st.session_state["results"] = link.results
    st.session_state["min_score"] = link.min_score or 0.0
    st.segmented_control(
        "Results",
        sorted({*RESULT_CHOICES, link.results}),
        key="results",
        required=True,
        on_change=_settings_changed,
    )
    st.slider(
        "Minimum score",
        0.0,
        1.0,
        step=0.01,
        key="min_score",
        on_change=_settings_changed,
        help="How alike a photo must be: 1 is the same picture, 0 shows all.",
    )


def _settings_changed() -> None:
    state = st.session_state
    _go(_here().with_settings(results=state["results"], min_score=state["min_score"] or None))


def _kept_uploads(link: Link) -> None:
    kept = library().uploads.kept()
    if not kept.count:
        return
    images = "1 upload" if kept.count == 1 else f"{kept.count} uploads"
    with st.container(horizontal=True, vertical_alignment="center", key="kept"):
        look.detail(f"{images} kept, {readable_size(kept.size_bytes)}")
        st.button(
            "Clear",
            on_click=_forget_uploads,
            args=(link,),
            help="Forget the uploaded images. Links to them will say that they expired.",
        )


def _forget_uploads(link: Link) -> None:
    library().uploads.clear()
    if link.upload is not None:
        _go(link.for_start())


def _results(gallery: Gallery, link: Link, found: Answer) -> None:
    shown = len(found.hits)
    if not shown:
        _nothing_found(link, found)
        return
    look.heading(
        "Most similar photos",
        detail=f"{shown:,} of {len(gallery):,} photos, in {1000 * found.seconds:.0f} ms",
    )
    _grid(gallery, found.hits, key="hits", label="Most similar photos", action="open")


def _nothing_found(link: Link, found: Answer) -> None:
    if found.best_score is None:
        look.heading("There is no other photo", detail="The gallery holds only this one.")
        return
    look.heading(
        f"No photo reaches a score of {link.min_score:.2f}",
        detail=f"The most similar one has {found.best_score:.2f}.",
    )
    everything = link.with_settings(results=link.results, min_score=None)
    st.button("Show it without a minimum", on_click=_go, args=(everything,))


def _grid(
    gallery: Gallery, hits: tuple[Hit, ...], *, key: str, label: str, action: TileAction
) -> None:
    tiles = _tiles(gallery, hits, scored=action == "open")
    opened = photo_grid(tiles, key=key, label=label, action=action, on_similar=_find_similar)
    if opened is not None:
        show_photo(opened, find_similar=_find_similar)


def _tiles(gallery: Gallery, hits: tuple[Hit, ...], *, scored: bool) -> list[Tile]:
    tiles = []
    for hit in hits:
        try:
            photo = gallery.photo(hit.id)
        except GalleryError:  # it left the gallery after it was found
            continue
        tiles.append(
            Tile(
                id=hit.id,
                src=thumb_url(photo),
                name=readable(photo.path),
                aspect=photo.width / photo.height,
                score=hit.score if scored else None,
            )
        )
    return tiles


def _find_similar(photo_id: int) -> None:
    _go(_here().for_photo(photo_id))


def _here() -> Link:
    return Link.parse(st.query_params.to_dict())


def _go(link: Link) -> None:
    """Make the address bar name `link`; the run that follows draws it."""
    st.query_params.from_dict(link.params())
