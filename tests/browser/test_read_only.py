"""The app as `ssl-app --read-only` in real Chromium: one looks around, and nothing is stored."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from indexer.labels import Labels

pytestmark = pytest.mark.browser


@pytest.fixture
def labelled(crowd: Any) -> Iterator[Any]:
    """The crowd with twelve labels, which are taken back afterwards."""
    labels = Labels(crowd.folder / "catalogue.sqlite")
    for kind in ("warm", "cold"):
        ids = [crowd.id_of(f"{kind}/{kind}-{n:03d}.png") for n in range(kind == "cold", 12, 2)]
        labels.put(ids, kind, source="search", who="anna")
    yield crowd
    while labels.undo(who="anna"):
        pass


def content_of(folder: Path) -> dict[str, str]:
    files = [file for file in folder.rglob("*") if file.is_file()]
    return {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_one_can_look_at_everything_and_store_nothing(
    parts: Any, page: Page, labelled: Any, start_app: Callable[..., Any], tmp_path: Path
) -> None:
    before = content_of(labelled.folder)
    app = start_app(labelled.folder, "--read-only")

    page.goto(f"{app.url}/label")
    expect(page.locator(".tile.loaded").first).to_be_visible()
    expect(page.get_by_text("Read-only", exact=True)).to_be_visible()
    expect(page.get_by_role("textbox", name="Add a class")).to_be_hidden()
    expect(page.get_by_role("button", name="Rename")).to_have_count(0)
    expect(page.locator(".bar .accept")).to_be_hidden()
    expect(page.locator(".choose").first).to_be_disabled()
    whole = page.locator(".choose .name").first.evaluate("e => e.scrollWidth <= e.clientWidth")
    assert whole, "the name of a class is not cut off"
    page.locator(".wall .tile").first.click()
    for key in ("1", "0", "Enter", "s", "u", "Control+a", "ArrowRight", "2"):
        page.keyboard.press(key)
    expect(page.locator(".wall .tile.selected, .chip.pending, .chip.stored")).to_have_count(0)
    page.get_by_role("button", name="Next photos").click()
    expect(page.locator(".desk[data-stored='1']")).to_be_visible()

    page.goto(app.url)
    parts.samples(page)
    parts.upload(page, labelled.photos / "warm" / "warm-000.png")
    parts.hits(page)
    parts.hits(page).first.locator(".select").click()
    expect(page.get_by_text("1 selected")).to_be_visible()
    expect(page.get_by_role("button", name="Copy paths")).to_be_visible()
    expect(page.get_by_text("Label as… (choose or type)")).to_have_count(0)

    page.get_by_role("link", name="Library").click()
    expect(page.get_by_text("this is shown read-only")).to_be_visible()
    expect(page.get_by_role("button", name="Update now")).to_have_count(0)

    assert app.interrupt() == 0
    assert content_of(labelled.folder) == before
