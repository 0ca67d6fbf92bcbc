"""The Duplicates page without a browser: what it lists. Clicks are in tests/browser."""

from pathlib import Path
from typing import Any


def duplicates_page() -> None:
    import streamlit as st  # noqa: PLC0415 - the function's source runs as a script of its own

    from app.ui import duplicates_page, frame, search  # noqa: PLC0415

    pages = [
        st.Page(search.page, title="Search", url_path="search"),
        st.Page(duplicates_page.page, title="Duplicates", default=True),
    ]
    frame.run(pages)


def test_exact_copies_are_one_group_with_its_keeper_and_why(
    shape_folder: Path, text_of: Any, run_page: Any
) -> None:
    original = shape_folder / "cross" / "cross-002.jpg"
    (shape_folder / "a.jpg").write_bytes(original.read_bytes())
    page = run_page(duplicates_page)
    said = text_of(page.segmented_control(key="alike").set_value("Exact copies").run())
    assert "1 group: 1 file (" in said
    assert "Keep a.jpg: the shortest path. 1 more" in said
    assert "nothing is ever deleted" in said


def test_where_nothing_is_twice_the_page_says_so(text_of: Any, run_page: Any) -> None:
    page = run_page(duplicates_page)
    said = text_of(page.segmented_control(key="alike").set_value("Exact copies").run())
    assert "No duplicates" in said
    assert not page.get("download_button")


def test_the_photos_most_alone_are_shown_with_their_scores(
    text_of: Any, run_page: Any, grids_of: Any
) -> None:
    page = run_page(duplicates_page)
    assert "Unlike all others" in text_of(page)
    [tiles] = [g["tiles"] for g in grids_of(page) if "Photos unlike all others" in g.values()]
    scores = [tile["score"] for tile in tiles]
    assert len(tiles) == 24
    assert scores == sorted(scores)
