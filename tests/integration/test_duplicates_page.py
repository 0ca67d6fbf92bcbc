"""The Duplicates page without a browser: what it lists. Clicks are in tests/browser."""

import json
import warnings
from pathlib import Path

from app.library import Library
from app.ui import served
from indexer.build import BuildRequest, build
from training.progress import Silent

with warnings.catch_warnings():
    # Streamlit's own imports, not ours.
    warnings.simplefilter("ignore")
    from streamlit.testing.v1 import AppTest

SECONDS = 60.0  # a slow machine's first run imports a lot


def duplicates_page() -> None:
    import streamlit as st  # noqa: PLC0415 - the function's source runs as a script of its own

    from app.ui import duplicates_page, frame, search  # noqa: PLC0415

    pages = [
        st.Page(search.page, title="Search", url_path="search"),
        st.Page(duplicates_page.page, title="Duplicates", default=True),
    ]
    frame.run(pages)


def visit(shapes: Path, encoder: Path, folder: Path) -> AppTest:
    build(BuildRequest(shapes, folder, encoder=encoder), progress=Silent())
    served.provide(Library(folder))
    return AppTest.from_function(duplicates_page, default_timeout=SECONDS).run()


def text_of(page: AppTest) -> str:
    assert not page.exception, page.exception
    return "\n".join(block.proto.body for block in page.get("html"))


def test_exact_copies_are_one_group_with_its_keeper_and_why(
    shape_folder: Path, toy_encoder: Path, tmp_path: Path
) -> None:
    original = shape_folder / "cross" / "cross-002.jpg"
    (shape_folder / "a.jpg").write_bytes(original.read_bytes())
    page = visit(shape_folder, toy_encoder, tmp_path / "gallery")
    said = text_of(page.segmented_control(key="alike").set_value("Exact copies").run())
    assert "1 group: 1 file (" in said
    assert "Keep a.jpg: the shortest path. 1 more" in said
    assert "nothing is ever deleted" in said


def test_where_nothing_is_twice_the_page_says_so(
    shape_folder: Path, toy_encoder: Path, tmp_path: Path
) -> None:
    page = visit(shape_folder, toy_encoder, tmp_path / "gallery")
    said = text_of(page.segmented_control(key="alike").set_value("Exact copies").run())
    assert "No duplicates" in said
    assert not page.get("download_button")


def test_the_photos_most_alone_are_shown_with_their_scores(
    shape_folder: Path, toy_encoder: Path, tmp_path: Path
) -> None:
    page = visit(shape_folder, toy_encoder, tmp_path / "gallery")
    assert "Unlike all others" in text_of(page)
    [tiles] = [
        json.loads(component.proto.json)["tiles"]
        for component in page.get("bidi_component")
        if "Photos unlike all others" in component.proto.json
    ]
    scores = [tile["score"] for tile in tiles]
    assert len(tiles) == 24
    assert scores == sorted(scores)
