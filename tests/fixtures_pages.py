"""Pages without a browser: Streamlit's own test runner on a gallery of shapes."""

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
def make_library(shape_folder: Path, toy_encoder: Path, tmp_path: Path) -> Callable[..., Library]:
    """Builds a gallery of the 24 shapes, and of what was put beside them; the pages serve it."""

    def make(**options: Any) -> Library:
        folder = tmp_path / "gallery"
        build(BuildRequest(shape_folder, folder, encoder=toy_encoder), progress=Silent())
        made = Library(folder, seconds_between_openings=0, **options)
        served.provide(made)
        return made

    return make


@pytest.fixture
def library(make_library: Callable[..., Library]) -> Library:
    return make_library()


@pytest.fixture
def visit(library: Library) -> Callable[..., AppTest]:
    """Opens the app as a link does: `visit(q="3", k="5")`; the Search page first."""
    assert served.library() is library

    def visit_page(**params: str) -> AppTest:
        page = AppTest.from_file(str(serving.SCRIPT), default_timeout=SECONDS)
        for name, value in params.items():
            page.query_params[name] = value
        return page.run()

    return visit_page


@pytest.fixture
def run_page(library: Library) -> Callable[[Callable[[], None]], AppTest]:
    """Runs a function as the app's script, one that shows a page of its own."""
    assert served.library() is library

    def run(script: Callable[[], None]) -> AppTest:
        return AppTest.from_function(script, default_timeout=SECONDS).run()

    return run


@pytest.fixture
def page_of(make_library: Callable[..., Library]) -> Callable[..., AppTest]:
    """Shows one page, by its module, of a library that was made: `page_of("map_page", library)`.

    Or of one that it makes with the options: `page_of("map_page", read_only=True)`.
    """

    def shown(name: str, library: Library | None = None, **options: Any) -> AppTest:
        assert (library or make_library(**options)) is served.library()
        script = (
            "import streamlit as st\n"
            f"from app.ui import frame, {name} as shown\n"
            "frame.run([st.Page(shown.page, title='Shown', default=True)])\n"
        )
        return AppTest.from_string(script, default_timeout=SECONDS).run()

    return shown


@pytest.fixture
def text_of() -> Callable[[AppTest], str]:
    """What a page says, as HTML."""

    def text(page: AppTest) -> str:
        assert not page.exception, page.exception
        return "\n".join(block.proto.body for block in page.get("html"))

    return text


@pytest.fixture
def grids_of() -> Callable[[AppTest], list[dict[str, Any]]]:
    """What each of a page's grids was given to draw."""

    def grids(page: AppTest) -> list[dict[str, Any]]:
        given = [json.loads(c.proto.json or "{}") for c in page.get("bidi_component")]
        return [data for data in given if "tiles" in data]

    return grids
