"""The Search page for everyone: by keyboard, by ear, in the dark and in a narrow window."""

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.browser

GONE = "gone.jpg"  # as the shelf has it

FOCUSED = """
() => {
  let at = document.activeElement;
  while (at.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
  return at.closest(".tile")?.dataset.index ?? null;
}
"""


def test_the_grid_is_used_by_keyboard(parts: Any, page: Page, app: Any) -> None:
    page.goto(f"{app.url}/?q=1")
    shown = parts.ids(parts.hits(page))
    parts.hits(page).first.locator(".open").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert page.evaluate(FOCUSED) == "2"
    page.keyboard.press("ArrowDown")
    below = int(page.evaluate(FOCUSED))
    assert below > 2
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Home")
    assert page.evaluate(FOCUSED) == "0"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(parts.dialog(page)).to_be_visible()
    page.keyboard.press("Escape")
    expect(parts.dialog(page)).to_have_count(0)
    page.wait_for_function(f"({FOCUSED})() === '1'")
    page.keyboard.press("f")
    expect(page).to_have_url(f"{app.url}/?q={shown[1]}")


def test_one_tile_at_a_time_is_in_the_tab_order(parts: Any, page: Page, app: Any) -> None:
    page.goto(f"{app.url}/?q=1")
    parts.hits(page)
    expect(page.locator('.tile .open[tabindex="0"]')).to_have_count(1)
    page.locator(".tile .open").first.focus()
    for _ in ("Select", "Find similar", "More like", "Less like"):
        page.keyboard.press("Tab")
        assert page.evaluate(FOCUSED) == "0"
    page.keyboard.press("Tab")
    assert page.evaluate(FOCUSED) is None


def test_every_photo_has_a_name_for_those_who_do_not_see_it(
    parts: Any, page: Page, app: Any
) -> None:
    page.goto(f"{app.url}/?q=1")
    parts.hits(page)
    for button in page.locator(".tile .open").all():
        name = button.get_attribute("aria-label") or ""
        assert re.match(r"Open .+\.jpg, score 0\.\d\d|Open .+\.jpg, score 1\.00", name)
    assert all(image.get_attribute("alt") for image in page.locator(".tile img").all())


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_both_themes(
    parts: Any, chromium: Browser, app: Any, shelf: Any, scheme: str
) -> None:
    with chromium.new_context(color_scheme=scheme) as context:
        page = context.new_page()
        parts.open_photo(page, app, shelf, GONE)
        dark = page.locator("[data-testid=stApp]").evaluate(
            "e => getComputedStyle(e).backgroundColor.match(/\\d+/g).every((c) => c < 60)"
        )
        assert dark == (scheme == "dark")
        for seen in (
            ".ll-name",
            ".ll-facts",
            ".ll-heading h1",
            ".ll-detail",
            ".ll-placeholder",
            ".tile .gone",
            "[role=dialog] .ll-facts-list dt",
            "[role=dialog] button[kind=primary] p",
        ):
            contrast = page.locator(seen).first.evaluate(parts.CONTRAST)
            assert contrast >= 4.5, f"{seen} has a contrast of {contrast:.1f}"


def test_a_narrow_window_shows_the_results_below_the_query(
    parts: Any, chromium: Browser, app: Any
) -> None:
    with chromium.new_context(viewport={"width": 420, "height": 800}) as context:
        page = context.new_page()
        page.goto(f"{app.url}/?q=1")
        parts.hits(page)
        query = page.locator(".st-key-query").bounding_box()
        found = page.locator(".st-key-found").bounding_box()
        assert query is not None
        assert found is not None
        assert found["y"] >= query["y"] + query["height"]
        assert page.evaluate("document.documentElement.scrollWidth") <= 420
