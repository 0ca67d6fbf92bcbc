"""The Search page in real Chromium: what a visitor does, and what it must never cause."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.browser

UPLOAD = re.compile(r"\?u=[0-9a-f]{64}")

PASTE = """
async ([url, where]) => {
  const data = new DataTransfer();
  const image = await (await fetch(url)).blob();
  data.items.add(new File([image], "pasted.jpg", { type: "image/jpeg" }));
  document.querySelector(where).dispatchEvent(
    new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
}
"""


def test_an_uploaded_photo_is_found_and_named_by_the_link(
    parts: Any, page: Page, app: Any, shelf: Any
) -> None:
    page.goto(app.url)
    parts.samples(page)
    parts.upload(page, shelf.photos / "cross" / "cross-002.jpg")
    expect(parts.results(page)).to_be_visible()
    expect(page).to_have_url(UPLOAD)
    first = parts.hits(page).first
    assert first.get_attribute("data-id") == str(shelf.id_of("cross/cross-002.jpg"))
    expect(first.locator(".score")).to_have_text("1.00")


def test_the_link_of_an_upload_shows_the_same_to_another_visitor(
    parts: Any, page: Page, app: Any, shelf: Any, chromium: Browser
) -> None:
    page.goto(app.url)
    parts.upload(page, shelf.photos / "cross" / "cross-003.jpg")
    expect(parts.results(page)).to_be_visible()
    with chromium.new_context() as other:
        second = other.new_page()
        second.goto(page.url)
        expect(parts.results(second)).to_be_visible()
        assert parts.ids(parts.hits(second)) == parts.ids(parts.hits(page))


def test_a_start_photo_finds_its_likes(parts: Any, page: Page, app: Any) -> None:
    page.goto(app.url)
    chosen = parts.ids(parts.samples(page))[0]
    parts.samples(page).first.locator(".open").click()
    expect(parts.results(page)).to_be_visible()
    expect(page).to_have_url(f"{app.url}/?q={chosen}")
    expect(page.locator(f'.tile[data-id="{chosen}"]')).to_have_count(0)
    assert len(parts.ids(parts.hits(page))) > 1


def test_a_second_click_while_the_page_changes_does_no_harm(
    parts: Any, page: Page, app: Any
) -> None:
    page.goto(app.url)
    photo = parts.samples(page).first.locator(".open")
    photo.evaluate(
        "(button) => { for (const wait of [0, 40, 80, 160]) "
        "setTimeout(() => button.click(), wait); }"
    )
    expect(parts.results(page)).to_be_visible()
    parts.hits(page)
    page.wait_for_timeout(500)  # for the answers to the later clicks
    expect(page.get_by_role("alert")).to_have_count(0)


def test_find_similar_on_a_result_searches_and_back_returns(
    parts: Any, page: Page, app: Any
) -> None:
    page.goto(f"{app.url}/?q=1")
    before = parts.ids(parts.hits(page))
    third = parts.hits(page).nth(2)
    third.hover()
    third.get_by_role("button", name="Find photos similar").click()
    expect(page).to_have_url(f"{app.url}/?q={before[2]}")
    expect(page.locator(f'.tile[data-id="{before[2]}"]')).to_have_count(0)
    page.go_back()
    expect(page).to_have_url(f"{app.url}/?q=1")
    expect(page.locator(f'.tile[data-id="{before[2]}"]')).to_have_count(1)
    assert parts.ids(parts.hits(page)) == before


def test_the_controls_write_the_link(parts: Any, page: Page, app: Any) -> None:
    page.goto(f"{app.url}/?q=1&k=7")
    expect(parts.hits(page)).to_have_count(7)
    page.get_by_text("24", exact=True).click()
    expect(parts.hits(page)).to_have_count(24)
    expect(page).to_have_url(f"{app.url}/?q=1&k=24")
    page.get_by_role("slider").focus()
    page.keyboard.press("End")
    expect(page.get_by_role("heading", name="No photo reaches a score of 1.00")).to_be_visible()
    expect(page).to_have_url(f"{app.url}/?q=1&k=24&min=1")


def test_ctrl_v_anywhere_searches(parts: Any, page: Page, app: Any) -> None:
    page.goto(app.url)
    parts.samples(page)
    page.evaluate(PASTE, ["/thumb/5", "body"])
    expect(parts.results(page)).to_be_visible()
    expect(page).to_have_url(UPLOAD)


def test_ctrl_v_on_the_drop_zone_searches_once(parts: Any, page: Page, app: Any) -> None:
    page.goto(app.url)
    parts.samples(page)
    page.evaluate(PASTE, ["/thumb/6", '[data-testid="stFileUploaderDropzone"]'])
    expect(parts.results(page)).to_be_visible()
    expect(page).to_have_url(UPLOAD)


@pytest.mark.parametrize(
    ("data", "said"),
    [(b"not an image", "not an image"), (b"\xff\xd8" + bytes(21 << 20), "at most 20 MB")],
    ids=["text", "large"],
)
def test_a_bad_upload_is_said_in_words(
    parts: Any, page: Page, app: Any, tmp_path: Path, data: bytes, said: str
) -> None:
    bad = tmp_path / "holiday.jpg"
    bad.write_bytes(data)
    page.goto(app.url)
    parts.samples(page)
    parts.upload(page, bad)
    expect(page.get_by_role("alert")).to_contain_text("holiday.jpg: ")
    expect(page.get_by_role("alert")).to_contain_text(said)
    expect(page).to_have_url(f"{app.url}/")


def test_an_expired_upload_is_said_in_words(parts: Any, page: Page, app: Any) -> None:
    page.goto(f"{app.url}/?u={'0' * 64}")
    expect(page.get_by_role("alert")).to_contain_text("no longer kept")
    parts.samples(page)


def test_nothing_is_asked_of_another_computer(parts: Any, page: Page, app: Any, shelf: Any) -> None:
    elsewhere: list[str] = []
    own = (app.url, app.url.replace("http", "ws"), "data:", "blob:")
    page.on("request", lambda r: None if r.url.startswith(own) else elsewhere.append(r.url))
    page.on("websocket", lambda s: None if s.url.startswith(own) else elsewhere.append(s.url))
    refused: list[str] = []
    page.on(
        "console",
        lambda m: refused.append(m.text) if "Content Security Policy" in m.text else None,
    )
    page.goto(app.url)
    parts.samples(page)
    parts.upload(page, shelf.photos / "cross" / "cross-004.jpg")
    expect(parts.results(page)).to_be_visible()
    parts.hits(page).first.locator(".open").click()
    expect(parts.dialog(page)).to_be_visible()
    page.wait_for_timeout(1000)  # what a page does when it has nothing else to do
    assert elsewhere == []
    assert refused == []


def test_ctrl_c_ends_the_server_with_a_page_open(
    parts: Any, page: Page, start_app: Callable[[], Any]
) -> None:
    running = start_app()
    page.goto(running.url)
    parts.samples(page)
    assert running.interrupt() == 0
    assert "Traceback" not in running.log.read_text()
