"""One photo in the dialog, in real Chromium: large, with its facts, whatever became of it."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

# As the shelf has them.
MARKUP = "<img src=x onerror=alert(1)> & _it_.jpg"
TALL, COPY, GONE = "tall.jpg", "exact copy.jpg", "gone.jpg"

QUERY = re.compile(r"\?q=\d+")


def test_the_dialog_tells_where_the_photo_is_and_finds_its_likes(
    parts: Any, page: Page, app: Any, shelf: Any
) -> None:
    parts.open_photo(page, app, shelf, TALL)
    expect(parts.dialog(page)).to_contain_text(str(shelf.photos / TALL))
    expect(parts.dialog(page)).to_contain_text("400 × 1,600 pixels")  # noqa: RUF001
    parts.dialog(page).get_by_role("button", name="Find similar", exact=True).click()
    expect(parts.dialog(page)).to_have_count(0)
    expect(page).to_have_url(QUERY)
    assert page.url.endswith(f"?q={shelf.id_of(TALL)}&k=500")


def test_a_portrait_photo_fits_into_the_window(
    parts: Any, page: Page, app: Any, shelf: Any
) -> None:
    parts.open_photo(page, app, shelf, TALL)
    picture = parts.dialog(page).locator(".ll-photo img")
    expect(picture).to_be_visible()
    page.wait_for_function(
        "document.querySelector('[role=dialog] .ll-photo img').naturalHeight > 0"
    )
    box = picture.bounding_box()
    assert box is not None
    assert box["height"] <= 900
    assert box["y"] + box["height"] <= 900
    assert box["height"] / box["width"] == pytest.approx(4, rel=0.02)


def test_exact_copies_are_one_photo_with_all_its_paths(
    parts: Any, page: Page, app: Any, shelf: Any
) -> None:
    page.goto(f"{app.url}/?q={shelf.id_of(COPY)}")
    parts.hits(page)
    page.get_by_role("button", name="Details").click()
    parts.dialog(page).get_by_text("1 exact copy").click()
    expect(parts.dialog(page)).to_contain_text(str(shelf.photos / COPY))
    expect(parts.dialog(page)).to_contain_text(str(shelf.photos / "circle" / "circle-000.jpg"))


def test_a_photo_that_vanished_is_said_to_have(
    parts: Any, page: Page, app: Any, shelf: Any
) -> None:
    parts.open_photo(page, app, shelf, GONE)
    gone = page.locator(f'.tile[data-id="{shelf.id_of(GONE)}"]')
    expect(gone).to_have_class(re.compile("missing"))
    expect(gone).to_contain_text("not on the disk any more")
    expect(parts.dialog(page)).to_contain_text("cannot be shown: the file vanished")


def test_a_file_name_is_text_wherever_it_is_shown(
    parts: Any, page: Page, app: Any, shelf: Any
) -> None:
    asked: list[str] = []
    page.on("dialog", lambda alert: (asked.append(alert.message), alert.dismiss()))
    parts.open_photo(page, app, shelf, MARKUP)
    expect(parts.dialog(page).get_by_role("heading", name=MARKUP)).to_be_visible()
    page.goto(f"{app.url}/?q={shelf.id_of(MARKUP)}")
    parts.hits(page)
    expect(page.locator(".st-key-query")).to_contain_text(MARKUP)
    assert asked == []
