"""The Label page in real Chromium: keys, classes, two people at once; nothing is lost."""

import getpass
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from indexer.labels import NONE, Labels

pytestmark = pytest.mark.browser


@pytest.fixture
def labels(crowd: Any) -> Iterator[Labels]:
    """The labels of the gallery; they are taken back when a test is over."""
    stored = Labels(crowd.folder / "catalogue.sqlite")
    yield stored
    for who in ("ann", "bob", getpass.getuser()):
        while stored.undo(who=who):
            pass


def open_desk(page: Page, crowded: Any) -> None:
    page.goto(f"{crowded.url}/label")
    expect(page.locator(".desk .large.loaded")).to_be_visible()


def add_classes(page: Page, *names: str) -> None:
    field = page.get_by_role("textbox", name="Add a class")
    for number, name in enumerate(names, start=1):
        field.fill(name)
        field.press("Enter")
        row = page.locator(f".classes li[data-name='{name}'] kbd")
        expect(row).to_have_text(str(number))
    page.locator(".stage").focus()


def be(page: Page, name: str) -> None:
    page.get_by_role("button", name="Labelling as").click()
    page.get_by_role("textbox", name="Your name").fill(name)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name=f"Labelling as {name}")).to_be_visible()
    page.keyboard.press("Escape")
    # Until it has closed it takes the focus, and with it the next keys.
    expect(page.get_by_role("textbox", name="Your name")).to_have_count(0)


def all_stored(page: Page, number: int) -> None:
    expect(page.locator(f".desk[data-stored='{number}']")).to_be_visible()


def test_two_hundred_fast_key_presses_are_all_stored(
    page: Page, crowded: Any, labels: Labels
) -> None:
    open_desk(page, crowded)
    add_classes(page, "warm", "cold")
    shown = []
    for press in range(200):
        expect(page.locator(".queue:not(.over)")).to_be_visible()
        shown.append(int(page.locator(".frame.here").get_attribute("data-id") or 0))
        page.keyboard.press("12"[press % 2])
    all_stored(page, 202)  # two of them made the classes
    assert len(set(shown)) == 200
    expected = {photo: ("warm", "cold")[press % 2] for press, photo in enumerate(shown)}
    assert {photo: of.name for photo, of in labels.current().items()} == expected
    expect(page.locator(".classes li[data-name='warm'] .count")).to_have_text("100")


def test_the_keyboard_alone_names_answers_skips_and_takes_back(
    page: Page, crowded: Any, labels: Labels
) -> None:
    open_desk(page, crowded)
    expect(page.locator(".ask p")).to_contain_text("name two classes")
    page.keyboard.press("n")
    for name in ("warm", "cold"):
        page.keyboard.type(name)
        page.keyboard.press("Enter")
    expect(page.locator(".classes li")).to_have_count(3)
    page.keyboard.press("Escape")
    expect(page.locator(".classes li[data-name='cold'] kbd")).to_have_text("2")
    for key in ("1", "s", "0", "2", "u"):
        page.keyboard.press(key)
    all_stored(page, 7)
    stored = labels.current()
    assert sorted(of.name for of in stored.values()) == sorted(["warm", NONE])
    expect(page.locator(".notes")).to_contain_text("Took back")
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".large .chip")).to_have_text(NONE)
    page.keyboard.press("2")
    all_stored(page, 8)
    assert sorted(of.name for of in labels.current().values()) == ["cold", "warm"]


def test_a_class_is_renamed_where_it_stands(page: Page, crowded: Any, labels: Labels) -> None:
    open_desk(page, crowded)
    add_classes(page, "wram", "cold")
    page.keyboard.press("1")
    page.locator(".classes li[data-name='wram']").hover()
    page.get_by_role("button", name="Rename wram").click()
    field = page.get_by_role("textbox", name="New name of wram")
    field.fill("warm")
    field.press("Enter")
    expect(page.locator(".classes li[data-name='warm'] .count")).to_have_text("1")
    assert [of.name for of in labels.current().values()] == ["warm"]


def test_a_wall_takes_corrections_and_accepts_the_rest(
    page: Page, crowded: Any, labels: Labels
) -> None:
    open_desk(page, crowded)
    add_classes(page, "warm", "cold")
    for key in "12121212":
        page.keyboard.press(key)
    all_stored(page, 10)
    page.get_by_text("A wall", exact=True).click()
    tiles = page.locator(".board .tile")
    expect(page.locator(".board .tile.loaded").nth(5)).to_be_visible()
    expect(page.locator(".about")).to_contain_text("Guessed to be “warm”")
    order = [tile.get_attribute("data-id") for tile in tiles.all()]
    tiles.nth(1).click()
    tiles.nth(3).click(modifiers=["Shift"])
    expect(page.locator(".about")).to_contain_text("3 selected")
    page.keyboard.press("2")
    page.keyboard.press("Enter")
    all_stored(page, 12)
    assert [tile.get_attribute("data-id") for tile in tiles.all()] == order
    stored = labels.current()
    said = [stored[int(photo or 0)].name for photo in order]
    assert said == ["cold" if at in (1, 2, 3) else "warm" for at in range(len(order))]
    page.keyboard.press("PageDown")
    expect(tiles.first).not_to_have_attribute("data-id", order[0] or "")


def test_a_wall_of_all_kinds_stays_while_its_first_answers_are_learned_from(
    page: Page, crowded: Any, labels: Labels
) -> None:
    open_desk(page, crowded)
    add_classes(page, "warm", "cold")
    page.get_by_text("A wall", exact=True).click()
    tiles = page.locator(".board .tile")
    expect(page.locator(".board .tile.loaded").nth(5)).to_be_visible()
    order = [tile.get_attribute("data-id") for tile in tiles.all()]
    for at, key in enumerate("1212"):
        tiles.nth(at).click()
        page.keyboard.press(key)
    all_stored(page, 6)
    # They can be seen sorted by now, where one asks for it.
    expect(page.get_by_role("radio", name="warm")).to_be_visible()
    expect(page.get_by_role("radio", name="All kinds")).to_be_checked()
    assert [tile.get_attribute("data-id") for tile in tiles.all()] == order
    stored = labels.current()
    assert [stored[int(photo or 0)].name for photo in order[:4]] == ["warm", "cold"] * 2
    # The click on a choice leaves the keys to the wall.
    page.get_by_role("radiogroup", name="Guessed to be").get_by_text("cold").click()
    expect(page.locator(".about")).to_contain_text("Guessed to be “cold”")
    page.keyboard.press("Enter")
    all_stored(page, 7)
    assert len(labels.current()) > 20


def test_two_people_lose_nothing_and_are_told_of_each_other(
    page: Page, crowded: Any, labels: Labels, chromium: Browser
) -> None:
    open_desk(page, crowded)
    be(page, "ann")
    add_classes(page, "warm", "cold")
    all_stored(page, 2)
    with chromium.new_context() as other:
        second = other.new_page()
        open_desk(second, crowded)
        be(second, "bob")
        same = page.locator(".frame.here").get_attribute("data-id")
        expect(second.locator(f".frame.here[data-id='{same}']")).to_be_visible()
        for _ in range(10):
            page.keyboard.press("1")
            second.locator(".stage").press("2")
        all_stored(page, 12)
        all_stored(second, 10)
        # Whoever came second on the first photo is told.
        told = page.locator(".notes").inner_text() + second.locator(".notes").inner_text()
        assert "Both are kept" in told
    said = {(of.who, of.name) for of in labels.current().values()}
    assert said <= {("ann", "warm"), ("bob", "cold")}
    assert int(same or 0) in {conflict.photo_id for conflict in labels.conflicts()}
