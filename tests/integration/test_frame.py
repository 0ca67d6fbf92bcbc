"""The header that all pages share, and what becomes of a page's errors."""

from typing import Any


def test_every_page_has_a_link_in_the_header(text_of: Any, visit: Any) -> None:
    page = visit()
    links = [link.proto.label for link in page.get("page_link")]
    assert links[0] == "Search"
    assert "Library" in links
    assert "24 photos" in text_of(page)


def broken_page() -> None:
    import streamlit as st  # noqa: PLC0415 - the function's source runs as a script of its own

    from app.ui import frame  # noqa: PLC0415
    from training.errors import GalleryError  # noqa: PLC0415

    def page() -> None:
        raise GalleryError("the shelf broke", hint="mend it")

    frame.run([st.Page(page, title="Broken", default=True)])


def test_an_error_of_a_page_is_said_in_words_below_the_header(text_of: Any, run_page: Any) -> None:
    said = text_of(run_page(broken_page))
    assert "the shelf broke" in said
    assert "mend it" in said
    assert "24 photos" in said


def test_a_gallery_that_is_gone_leaves_the_header(library: Any, text_of: Any, visit: Any) -> None:
    (library.folder / "catalogue.sqlite").unlink()
    page = visit()
    assert "The gallery cannot be used" in text_of(page)
    assert page.get("page_link")
