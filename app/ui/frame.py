"""What all pages share: the header with its links, and one place where errors turn into words."""

from collections.abc import Sequence

import streamlit as st
from streamlit.navigation.page import Page

from app.ui import look, sign_in
from app.ui.address import wanted_search
from app.ui.served import guarded, library
from indexer.gallery import Gallery
from training.errors import LookalikeError


def run(pages: Sequence[Page]) -> None:
    """Draw the header, and below it the page that the address bar names.

    A page may raise a LookalikeError: it is then said in words, in the page's place.
    """
    current = st.navigation(list(pages), position="hidden")
    if (wanted := wanted_search()) is not None:
        st.switch_page(pages[0], query_params=wanted.params())
    look.dress(current.title)
    try:
        gallery = library().gallery()
        _header(pages, current, facts=_gallery_facts(gallery))
    except LookalikeError as error:
        _header(pages, current, facts="")
        look.notice(f"The gallery cannot be used: {error.message}", detail=error.hint)
        return
    try:
        current.run()
    except LookalikeError as error:
        look.notice(error.message, detail=error.hint)


def _header(pages: Sequence[Page], current: Page, *, facts: str) -> None:
    """Brand, links and the gallery's facts on one line; on a narrow screen they wrap."""
    with st.container(key="header", horizontal=True, vertical_alignment="center", gap="medium"):
        look.brand()
        with st.container(key="pages", horizontal=True, gap=None, width="stretch"):
            for page in pages:
                here = page == current
                with st.container(key="page-here" if here else None, width="content"):
                    st.page_link(page, label=page.title)
        if library().read_only:
            look.chip("Read-only", why="Look around: nothing is stored, nothing changes.")
        look.gallery_facts(facts)
        if guarded():
            look.link("Sign out", sign_in.OUT)


def _gallery_facts(gallery: Gallery) -> str:
    spec = gallery.encoder.spec
    return f"{len(gallery):,} photos · encoder: {spec.origin or spec.backbone}"
