"""The Duplicates page without a browser: what it lists. Clicks are in tests/browser."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.library import Library
from app.ui import served
from training.errors import GalleryError, Interrupted
from training.progress import Progress

SECONDS = 60.0


def test_exact_copies_are_one_group_with_its_keeper_and_why(
    shape_folder: Path, text_of: Any, page_of: Any
) -> None:
    original = shape_folder / "cross" / "cross-002.jpg"
    (shape_folder / "a.jpg").write_bytes(original.read_bytes())
    page = page_of("duplicates_page")
    said = text_of(page.segmented_control(key="alike").set_value("Exact copies").run())
    assert "1 group: 1 file (" in said
    assert "Keep a.jpg: the shortest path. 1 more" in said
    assert "nothing is ever deleted" in said


def test_where_nothing_is_twice_the_page_says_so(text_of: Any, page_of: Any) -> None:
    page = page_of("duplicates_page")
    said = text_of(page.segmented_control(key="alike").set_value("Exact copies").run())
    assert "No duplicates" in said
    assert not page.get("download_button")


def test_the_photos_most_alone_are_shown_with_their_scores(
    text_of: Any, page_of: Any, grids_of: Any
) -> None:
    page = page_of("duplicates_page")
    assert "Unlike all others" in text_of(page)
    [tiles] = [g["tiles"] for g in grids_of(page) if "Photos unlike all others" in g.values()]
    scores = [tile["score"] for tile in tiles]
    assert len(tiles) == 24
    assert scores == sorted(scores)


def test_a_large_gallery_is_compared_in_the_background(
    shape_folder: Path, text_of: Any, page_of: Any, grids_of: Any
) -> None:
    (shape_folder / "a.jpg").write_bytes((shape_folder / "cross" / "cross-002.jpg").read_bytes())
    page = page_of("duplicates_page", compared_at_once=0)
    for work in (served.library().comparing, served.library().singling_out):
        work.wait(SECONDS)
    assert "could go" in text_of(page.run())
    assert any("Photos unlike all others" in grid.values() for grid in grids_of(page))


def of_the_page(library: Library) -> tuple[int, float, bool]:
    """What the page first asks to be compared."""
    return (library.gallery().generation, 0.95, False)


def test_comparing_shows_its_progress_can_be_cancelled_and_begun_again(
    text_of: Any, make_library: Any, page_of: Any
) -> None:
    def endless(progress: Progress, stop: Callable[[], bool]) -> Any:
        progress.start("comparing", total=100, unit="photos")
        progress.advance(25)
        told.set()
        while not stop():
            stopped.wait(0.01)
        raise Interrupted("stopped", hint="")

    told, stopped = threading.Event(), threading.Event()
    library = make_library(compared_at_once=0)
    library.comparing.ask(of_the_page(library), endless)
    assert told.wait(SECONDS)
    page = page_of("duplicates_page", library)
    assert "No duplicates" not in text_of(page)
    assert page.get("progress")[0].proto.value == 25
    page.button(key="comparing-cancel").click().run()
    library.comparing.wait(SECONDS)
    assert "This was cancelled" in text_of(page.run())
    page.button(key="comparing-again").click().run()
    library.comparing.wait(SECONDS)
    assert "could go" in text_of(page.run())


def test_comparing_that_failed_is_told(text_of: Any, make_library: Any, page_of: Any) -> None:
    def failing(_progress: Progress, _stop: Callable[[], bool]) -> Any:
        raise GalleryError("the index is gone", hint="build it again")

    library = make_library(compared_at_once=0)
    library.comparing.ask(of_the_page(library), failing)
    library.comparing.wait(SECONDS)
    page = page_of("duplicates_page", library)
    assert "the index is gone" in text_of(page)
    assert "build it again" in text_of(page)
    assert page.button(key="comparing-again").label == "Begin again"
