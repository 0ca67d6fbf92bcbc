"""What holds of every page: it asks no other computer for anything, and fits a narrow window."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

# Each page with something that is there once it is drawn.
PAGES = {
    "": ".st-key-start .tile.loaded",
    "label": ".desk .large.loaded",
    "review": ".ll-notice, .ll-scores",
    "map": ".map .over",
    "duplicates": ".tile.loaded",
    "library": ".ll-facts-list",
}


@pytest.mark.parametrize("path", PAGES)
def test_a_page_asks_nothing_of_another_computer(path: str, page: Page, crowded: Any) -> None:
    own = (crowded.url, crowded.url.replace("http", "ws"), "data:", "blob:")
    asked: list[str] = []
    refused: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: asked.append(socket.url))
    page.on(
        "console",
        lambda m: refused.append(m.text) if "Content Security Policy" in m.text else None,
    )
    page.goto(f"{crowded.url}/{path}")
    expect(page.locator(PAGES[path]).first).to_be_visible()
    page.wait_for_timeout(500)  # what a page does when it has nothing else to do
    assert asked
    assert [url for url in asked if not url.startswith(own)] == []
    assert refused == []


@pytest.mark.parametrize("path", PAGES)
def test_a_page_fits_a_narrow_window(path: str, page: Page, crowded: Any) -> None:
    page.set_viewport_size({"width": 700, "height": 900})
    page.goto(f"{crowded.url}/{path}")
    expect(page.locator(PAGES[path]).first).to_be_visible()
    wide = """() => {
      const main = document.querySelector("[data-testid=stMain]");
      return [document.documentElement.scrollWidth - innerWidth,
              main.scrollWidth - main.clientWidth];
    }"""
    page.wait_for_function(f"() => ({wide})().every((over) => over <= 0)")
