"""The Library page without a browser: what it says of a gallery. Clicks are in tests/browser."""

from pathlib import Path
from typing import Any

from app.ui import served


def test_the_page_tells_what_the_gallery_is(shape_folder: Path, text_of: Any, page_of: Any) -> None:
    (shape_folder / "copy.jpg").write_bytes((shape_folder / "cross" / "cross-002.jpg").read_bytes())
    said = text_of(page_of("library_page"))
    assert "24 different, and 1 exact copy of some" in said
    assert "toy encoder 0" in said
    assert "lookalike 0.1" in said
    assert "No file was skipped" in said
    assert str(shape_folder) in said


def test_skipped_files_are_listed_with_reasons_and_can_be_searched(
    shape_folder: Path, text_of: Any, page_of: Any
) -> None:
    (shape_folder / "broken.jpg").write_bytes(b"not an image")
    (shape_folder / "=formula.txt").write_bytes(b"text")
    page = page_of("library_page")
    assert "2 files skipped" in text_of(page)
    assert page.dataframe[0].value["Path"].tolist() == ["=formula.txt", "broken.jpg"]
    assert "not an image" in page.dataframe[0].value["Why"][1]
    page.text_input(key="skipped-search").set_value("BROKEN").run()
    assert page.dataframe[0].value["Path"].tolist() == ["broken.jpg"]
    page.text_input(key="skipped-search").set_value("nothing").run()
    assert "None of them has “nothing”" in text_of(page)


def test_an_update_of_the_page_is_told_with_its_counts(
    shape_folder: Path, text_of: Any, page_of: Any
) -> None:
    page = page_of("library_page")
    (shape_folder / "cross" / "cross-002.jpg").rename(shape_folder / "moved.jpg")
    served.library().update()
    served.library().updates.wait(60)
    said = text_of(page.run())
    assert "Up to date: 24 files seen" in said
    assert "<dd>1</dd><dt>Moved</dt>" in said
    assert page.button(key="update-start").label == "Update again"


def test_a_photo_folder_that_is_gone_is_said_in_words(
    shape_folder: Path, text_of: Any, page_of: Any
) -> None:
    page = page_of("library_page")
    shape_folder.rename(shape_folder.with_name("elsewhere"))
    said = text_of(page.button(key="update-start").click().run())
    assert "are not in" in said
    assert page.button(key="update-start").label == "Update now"
