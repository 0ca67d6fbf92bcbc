"""The Map page in real Chromium: walk over it, draw around photos, label what was drawn around."""

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from indexer.labels import Labels

pytestmark = pytest.mark.browser


def open_map(page: Page, crowded: Any) -> Locator:
    page.goto(f"{crowded.url}/map")
    canvas = page.locator(".map .over")
    expect(page.locator(".map[data-paint-ms]")).to_be_visible()
    return canvas


def draw_around_all(page: Page, canvas: Locator) -> None:
    box = canvas.bounding_box()
    assert box is not None
    left, top = box["x"] + 3, box["y"] + 70
    right, bottom = box["x"] + box["width"] - 3, box["y"] + box["height"] - 3
    page.keyboard.down("Shift")
    page.mouse.move(left, top)
    page.mouse.down()
    for x, y in ((right, top), (right, bottom), (left, bottom), (left, top)):
        page.mouse.move(x, y, steps=3)
    page.mouse.up()
    page.keyboard.up("Shift")


def test_photos_that_are_drawn_around_can_be_labelled(page: Page, crowded: Any, crowd: Any) -> None:
    canvas = open_map(page, crowded)
    draw_around_all(page, canvas)
    side = page.locator(".st-key-map-side")
    heading = side.get_by_role("heading", name="photos in the outline")
    expect(heading).to_be_visible()
    count = int(heading.inner_text().split()[0].replace(",", ""))
    assert count > 20
    expect(side.locator(".tile.loaded").first).to_be_visible()
    side.get_by_role("button", name="New class").click()
    page.get_by_placeholder("Name of a new class").fill("everything")
    page.keyboard.press("Enter")
    expect(side.locator(".tile .note").first).to_have_text("everything")
    labels = Labels(crowd.folder / "catalogue.sqlite").current()
    assert [of.source for of in labels.values()] == ["lasso"] * count
    assert {of.name for of in labels.values()} == {"everything"}
    expect(page.locator(".legend")).to_contain_text("everything")
    side.get_by_role("button", name="Undo").click()
    expect(side.get_by_role("alert")).to_contain_text("Took back what you said of")
    assert Labels(crowd.folder / "catalogue.sqlite").current() == {}


def test_the_keyboard_alone_selects_and_opens(page: Page, crowded: Any) -> None:
    canvas = open_map(page, crowded)
    canvas.focus()
    said = page.locator(".map .announcer")
    for _ in range(12):  # to the right, until there is something in the ring
        page.keyboard.press("Enter")
        if said.inner_text()[:8] != "0 photos":
            break
        page.keyboard.press("ArrowRight")
    side = page.locator(".st-key-map-side")
    expect(side.locator(".tile.loaded").first).to_be_visible()
    expect(side.get_by_role("img").first).to_have_attribute("alt", re.compile("png"))
    page.keyboard.press("Escape")
    expect(side).to_have_count(0)
    page.keyboard.press("o")
    expect(page.get_by_role("dialog")).to_be_visible()


def test_the_wheel_zooms_and_show_all_returns(page: Page, crowded: Any) -> None:
    canvas = open_map(page, crowded)
    picture = "canvas => canvas.toDataURL()"
    under = page.locator(".map .under")
    before = under.evaluate(picture)
    box = canvas.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.wheel(0, -300)
    expect(page.locator(".map")).to_be_visible()
    page.wait_for_timeout(300)
    assert under.evaluate(picture) != before
    page.get_by_role("button", name="Show all").click()
    page.mouse.move(5, 5)
    page.wait_for_timeout(300)
    assert under.evaluate(picture) == before
