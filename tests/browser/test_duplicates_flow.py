"""The Duplicates page in real Chromium: groups, their keeper, the list to take along."""

import csv
from typing import Any

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser


def test_exact_copies_are_listed_with_a_keeper_and_can_be_taken_along(
    parts: Any, page: Page, app: Any, shelf: Any
) -> None:
    page.goto(f"{app.url}/duplicates?alike=Exact+copies")
    expect(page.get_by_text("1 group: 1 file (")).to_be_visible()
    group = page.locator(".st-key-group-0")
    expect(group).to_contain_text("Keep exact copy.jpg: the shortest path")
    expect(group.locator(".tile")).to_have_count(2)
    expect(group.locator(".note").first).to_have_text("keep")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the list").click()
    with download.value.path().open(encoding="utf-8", newline="") as text:
        keep, extra = csv.DictReader(text)
    assert (keep["keep"], keep["path"]) == ("yes", "exact copy.jpg")
    assert (extra["keep"], extra["path"], extra["exact"]) == ("no", "circle/circle-000.jpg", "yes")
    assert (shelf.photos / "circle" / "circle-000.jpg").exists()

    tile = group.locator(".tile").first
    tile.hover()
    tile.get_by_role("button", name="Find photos similar").click()
    expect(parts.results(page)).to_be_visible()
    expect(page).to_have_url(f"{app.url}/?q={shelf.id_of('exact copy.jpg')}")


def test_looser_settings_find_more_and_pages_divide_them(page: Page, app: Any) -> None:
    page.goto(f"{app.url}/duplicates?alike=Exact+copies")
    expect(page.get_by_text("1 group: 1 file (")).to_be_visible()
    page.get_by_text("Loose", exact=True).click()
    expect(page).to_have_url(f"{app.url}/duplicates?alike=Loose")
    expect(page.get_by_text("1 group: 1 file (")).to_have_count(0)
    assert page.locator(".tile").count() > 2
