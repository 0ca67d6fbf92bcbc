"""The header that all pages share, and what becomes of a page's errors."""

import warnings
from pathlib import Path

import pytest

from app.library import Library
from app.ui import served, serving
from indexer.build import BuildRequest, build
from training.progress import Silent

with warnings.catch_warnings():
    # Streamlit's own imports, not ours.
    warnings.simplefilter("ignore")
    from streamlit.testing.v1 import AppTest

SECONDS = 60.0  # a slow machine's first run imports a lot


@pytest.fixture
def library(shape_folder: Path, toy_encoder: Path, tmp_path: Path) -> Library:
    folder = tmp_path / "gallery"
    build(BuildRequest(shape_folder, folder, encoder=toy_encoder), progress=Silent())
    made = Library(folder)
    served.provide(made)
    return made


def text_of(page: AppTest) -> str:
    assert not page.exception, page.exception
    return "\n".join(block.proto.body for block in page.get("html"))


@pytest.mark.usefixtures("library")
def test_every_page_has_a_link_in_the_header() -> None:
    page = AppTest.from_file(str(serving.SCRIPT), default_timeout=SECONDS).run()
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


@pytest.mark.usefixtures("library")
def test_an_error_of_a_page_is_said_in_words_below_the_header() -> None:
    said = text_of(AppTest.from_function(broken_page, default_timeout=SECONDS).run())
    assert "the shelf broke" in said
    assert "mend it" in said
    assert "24 photos" in said


def test_a_gallery_that_is_gone_leaves_the_header(library: Library) -> None:
    (library.folder / "catalogue.sqlite").unlink()
    page = AppTest.from_file(str(serving.SCRIPT), default_timeout=SECONDS).run()
    assert "The gallery cannot be used" in text_of(page)
    assert page.get("page_link")
