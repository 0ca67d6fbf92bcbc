"""The Search page in real Chromium: what a visitor does, sees and must never cause."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

pytestmark = pytest.mark.browser

MARKUP = "<img src=x onerror=alert(1)> & _it_.jpg"
TALL, COPY, GONE = "tall.jpg", "exact copy.jpg", "gone.jpg"
QUERY = re.compile(r"\?q=\d+")
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

FOCUSED = """
() => {
  let at = document.activeElement;
  while (at.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
  return at.closest(".tile")?.dataset.index ?? null;
}
"""

# The contrast of WCAG 2.2 between a text and what lies behind it.
CONTRAST = """
(element) => {
  const parse = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const over = (top, below) => {
    const alpha = top[3] ?? 1;
    return [0, 1, 2].map((i) => top[i] * alpha + below[i] * (1 - alpha));
  };
  const layers = [];
  let opacity = 1;
  for (let at = element; at; at = at.parentElement ?? at.getRootNode().host) {
    opacity *= Number(getComputedStyle(at).opacity);
    layers.push(parse(getComputedStyle(at).backgroundColor));
  }
  const back = layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255]);
  const ink = parse(getComputedStyle(element).color);
  const text = over([ink[0], ink[1], ink[2], (ink[3] ?? 1) * opacity], back);
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((c) => c / 255)
      .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const [high, low] = [luminance(text), luminance(back)].sort((a, b) => b - a);
  return (high + 0.05) / (low + 0.05);
}
"""


def samples(page: Page) -> Locator:
    """The photos of the start page, once their pictures are there."""
    expect(page.locator(".st-key-start .tile.loaded").first).to_be_visible()
    return page.locator(".st-key-start .tile")


def hits(page: Page) -> Locator:
    """The photos found, once their pictures are there."""
    expect(page.locator(".st-key-found .tile.loaded").first).to_be_visible()
    return page.locator(".st-key-found .tile")


def ids(found: Locator) -> list[str | None]:
    return [tile.get_attribute("data-id") for tile in found.all()]


def upload(page: Page, path: Path) -> None:
    page.locator("input[type=file]").set_input_files(path)


def results(page: Page) -> Locator:
    return page.get_by_role("heading", name="Most similar photos")


def dialog(page: Page) -> Locator:
    return page.get_by_role("dialog")


def open_photo(page: Page, app: Any, shelf: Any, name: str) -> None:
    """Search with some photo and open the hit called `name`."""
    page.goto(f"{app.url}/?q={shelf.id_of('cross/cross-000.jpg')}&k=500")
    hits(page)
    page.locator(f'.tile[data-id="{shelf.id_of(name)}"] .open').click()
    expect(dialog(page)).to_be_visible()


def test_an_uploaded_photo_is_found_and_named_by_the_link(page: Page, app: Any, shelf: Any) -> None:
    page.goto(app.url)
    samples(page)
    upload(page, shelf.photos / "cross" / "cross-002.jpg")
    expect(results(page)).to_be_visible()
    expect(page).to_have_url(UPLOAD)
    first = hits(page).first
    assert first.get_attribute("data-id") == str(shelf.id_of("cross/cross-002.jpg"))
    expect(first.locator(".score")).to_have_text("1.00")


def test_the_link_of_an_upload_shows_the_same_to_another_visitor(
    page: Page, app: Any, shelf: Any, chromium: Browser
) -> None:
    page.goto(app.url)
    upload(page, shelf.photos / "cross" / "cross-003.jpg")
    expect(results(page)).to_be_visible()
    with chromium.new_context() as other:
        second = other.new_page()
        second.goto(page.url)
        expect(results(second)).to_be_visible()
        assert ids(hits(second)) == ids(hits(page))


def test_a_start_photo_finds_its_likes(page: Page, app: Any) -> None:
    page.goto(app.url)
    chosen = ids(samples(page))[0]
    samples(page).first.locator(".open").click()
    expect(results(page)).to_be_visible()
    expect(page).to_have_url(f"{app.url}/?q={chosen}")
    expect(page.locator(f'.tile[data-id="{chosen}"]')).to_have_count(0)
    assert len(ids(hits(page))) > 1


def test_a_second_click_while_the_page_changes_does_no_harm(page: Page, app: Any) -> None:
    page.goto(app.url)
    photo = samples(page).first.locator(".open")
    photo.evaluate(
        "(button) => { for (const wait of [0, 40, 80, 160]) "
        "setTimeout(() => button.click(), wait); }"
    )
    expect(results(page)).to_be_visible()
    hits(page)
    page.wait_for_timeout(500)  # for the answers to the later clicks
    expect(page.get_by_role("alert")).to_have_count(0)


def test_find_similar_on_a_result_searches_and_back_returns(page: Page, app: Any) -> None:
    page.goto(f"{app.url}/?q=1")
    before = ids(hits(page))
    third = hits(page).nth(2)
    third.hover()
    third.get_by_role("button", name="Find photos similar").click()
    expect(page).to_have_url(f"{app.url}/?q={before[2]}")
    expect(page.locator(f'.tile[data-id="{before[2]}"]')).to_have_count(0)
    page.go_back()
    expect(page).to_have_url(f"{app.url}/?q=1")
    expect(page.locator(f'.tile[data-id="{before[2]}"]')).to_have_count(1)
    assert ids(hits(page)) == before


def test_the_controls_write_the_link(page: Page, app: Any) -> None:
    page.goto(f"{app.url}/?q=1&k=7")
    expect(hits(page)).to_have_count(7)
    page.get_by_text("24", exact=True).click()
    expect(hits(page)).to_have_count(24)
    expect(page).to_have_url(f"{app.url}/?q=1&k=24")
    page.get_by_role("slider").focus()
    page.keyboard.press("End")
    expect(page.get_by_role("heading", name="No photo reaches a score of 1.00")).to_be_visible()
    expect(page).to_have_url(f"{app.url}/?q=1&k=24&min=1")


def test_ctrl_v_anywhere_searches(page: Page, app: Any) -> None:
    page.goto(app.url)
    samples(page)
    page.evaluate(PASTE, ["/thumb/5", "body"])
    expect(results(page)).to_be_visible()
    expect(page).to_have_url(UPLOAD)


def test_ctrl_v_on_the_drop_zone_searches_once(page: Page, app: Any) -> None:
    page.goto(app.url)
    samples(page)
    page.evaluate(PASTE, ["/thumb/6", '[data-testid="stFileUploaderDropzone"]'])
    expect(results(page)).to_be_visible()
    expect(page).to_have_url(UPLOAD)


@pytest.mark.parametrize(
    ("data", "said"),
    [(b"not an image", "not an image"), (b"\xff\xd8" + bytes(21 << 20), "at most 20 MB")],
    ids=["text", "large"],
)
def test_a_bad_upload_is_said_in_words(
    page: Page, app: Any, tmp_path: Path, data: bytes, said: str
) -> None:
    bad = tmp_path / "holiday.jpg"
    bad.write_bytes(data)
    page.goto(app.url)
    samples(page)
    upload(page, bad)
    expect(page.get_by_role("alert")).to_contain_text("holiday.jpg: ")
    expect(page.get_by_role("alert")).to_contain_text(said)
    expect(page).to_have_url(f"{app.url}/")


def test_an_expired_upload_is_said_in_words(page: Page, app: Any) -> None:
    page.goto(f"{app.url}/?u={'0' * 64}")
    expect(page.get_by_role("alert")).to_contain_text("no longer kept")
    samples(page)


def test_the_grid_is_used_by_keyboard(page: Page, app: Any) -> None:
    page.goto(f"{app.url}/?q=1")
    shown = ids(hits(page))
    hits(page).first.locator(".open").focus()
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
    expect(dialog(page)).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog(page)).to_have_count(0)
    page.wait_for_function(f"({FOCUSED})() === '1'")
    page.keyboard.press("f")
    expect(page).to_have_url(f"{app.url}/?q={shown[1]}")


def test_one_tile_at_a_time_is_in_the_tab_order(page: Page, app: Any) -> None:
    page.goto(f"{app.url}/?q=1")
    hits(page)
    expect(page.locator('.tile .open[tabindex="0"]')).to_have_count(1)
    page.locator(".tile .open").first.focus()
    page.keyboard.press("Tab")
    assert page.evaluate(FOCUSED) == "0"  # its own "Find similar"
    page.keyboard.press("Tab")
    assert page.evaluate(FOCUSED) is None


def test_every_photo_has_a_name_for_those_who_do_not_see_it(page: Page, app: Any) -> None:
    page.goto(f"{app.url}/?q=1")
    hits(page)
    for button in page.locator(".tile .open").all():
        name = button.get_attribute("aria-label") or ""
        assert re.match(r"Open .+\.jpg, score 0\.\d\d|Open .+\.jpg, score 1\.00", name)
    assert all(image.get_attribute("alt") for image in page.locator(".tile img").all())


def test_the_dialog_tells_where_the_photo_is_and_finds_its_likes(
    page: Page, app: Any, shelf: Any
) -> None:
    open_photo(page, app, shelf, TALL)
    expect(dialog(page)).to_contain_text(str(shelf.photos / TALL))
    expect(dialog(page)).to_contain_text("400 × 1,600 pixels")  # noqa: RUF001
    dialog(page).get_by_role("button", name="Find similar", exact=True).click()
    expect(dialog(page)).to_have_count(0)
    expect(page).to_have_url(QUERY)
    assert page.url.endswith(f"?q={shelf.id_of(TALL)}&k=500")


def test_a_portrait_photo_fits_into_the_window(page: Page, app: Any, shelf: Any) -> None:
    open_photo(page, app, shelf, TALL)
    picture = dialog(page).locator(".ll-photo img")
    expect(picture).to_be_visible()
    page.wait_for_function(
        "document.querySelector('[role=dialog] .ll-photo img').naturalHeight > 0"
    )
    box = picture.bounding_box()
    assert box is not None
    assert box["height"] <= 900
    assert box["y"] + box["height"] <= 900
    assert box["height"] / box["width"] == pytest.approx(4, rel=0.02)


def test_exact_copies_are_one_photo_with_all_its_paths(page: Page, app: Any, shelf: Any) -> None:
    page.goto(f"{app.url}/?q={shelf.id_of(COPY)}")
    hits(page)
    page.get_by_role("button", name="Details").click()
    dialog(page).get_by_text("1 exact copy").click()
    expect(dialog(page)).to_contain_text(str(shelf.photos / COPY))
    expect(dialog(page)).to_contain_text(str(shelf.photos / "circle" / "circle-000.jpg"))


def test_a_photo_that_vanished_is_said_to_have(page: Page, app: Any, shelf: Any) -> None:
    open_photo(page, app, shelf, GONE)
    gone = page.locator(f'.tile[data-id="{shelf.id_of(GONE)}"]')
    expect(gone).to_have_class(re.compile("missing"))
    expect(gone).to_contain_text("not on the disk any more")
    expect(dialog(page)).to_contain_text("cannot be shown: the file vanished")


def test_a_file_name_is_text_wherever_it_is_shown(page: Page, app: Any, shelf: Any) -> None:
    asked: list[str] = []
    page.on("dialog", lambda alert: (asked.append(alert.message), alert.dismiss()))
    open_photo(page, app, shelf, MARKUP)
    expect(dialog(page).get_by_role("heading", name=MARKUP)).to_be_visible()
    page.goto(f"{app.url}/?q={shelf.id_of(MARKUP)}")
    hits(page)
    expect(page.locator(".st-key-query")).to_contain_text(MARKUP)
    assert asked == []


def test_nothing_is_asked_of_another_computer(page: Page, app: Any, shelf: Any) -> None:
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
    samples(page)
    upload(page, shelf.photos / "cross" / "cross-004.jpg")
    expect(results(page)).to_be_visible()
    hits(page).first.locator(".open").click()
    expect(dialog(page)).to_be_visible()
    page.wait_for_timeout(1000)  # what a page does when it has nothing else to do
    assert elsewhere == []
    assert refused == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_both_themes(
    chromium: Browser, app: Any, shelf: Any, scheme: str
) -> None:
    with chromium.new_context(color_scheme=scheme) as context:
        page = context.new_page()
        open_photo(page, app, shelf, GONE)
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
            contrast = page.locator(seen).first.evaluate(CONTRAST)
            assert contrast >= 4.5, f"{seen} has a contrast of {contrast:.1f}"


def test_a_narrow_window_shows_the_results_below_the_query(chromium: Browser, app: Any) -> None:
    with chromium.new_context(viewport={"width": 420, "height": 800}) as context:
        page = context.new_page()
        page.goto(f"{app.url}/?q=1")
        hits(page)
        query = page.locator(".st-key-query").bounding_box()
        found = page.locator(".st-key-found").bounding_box()
        assert query is not None
        assert found is not None
        assert found["y"] >= query["y"] + query["height"]
        assert page.evaluate("document.documentElement.scrollWidth") <= 420


def test_ctrl_c_ends_the_server_with_a_page_open(page: Page, start_app: Callable[[], Any]) -> None:
    running = start_app()
    page.goto(running.url)
    samples(page)
    assert running.interrupt() == 0
    assert "Traceback" not in running.log.read_text()
