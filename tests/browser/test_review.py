"""The Review page in real Chromium: from a cell to a correction, and what rejection would do."""

import getpass
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from indexer.gallery import Gallery
from indexer.labels import Labels

pytestmark = pytest.mark.browser


@pytest.fixture
def labels(crowd: Any) -> Iterator[Labels]:
    """Warm and cold photos, a few of them labelled as the other; taken back afterwards."""
    gallery = Gallery.open(crowd.folder, device="cpu")
    stored = Labels(crowd.folder / "catalogue.sqlite")
    ids, _ = gallery.embeddings()
    photos = gallery.photos(ids.tolist())
    warm = [i for i, facts in photos.items() if facts.path.startswith(b"warm")]
    cold = [i for i, facts in photos.items() if facts.path.startswith(b"cold")]
    stored.put([*warm[:24], *cold[24:27]], "warm", source="suggested", who="ann")
    stored.put([*cold[:24], *warm[24:27]], "cold", source="random", who="ann")
    yield stored
    for who in ("ann", getpass.getuser()):
        while stored.undo(who=who):
            pass


def open_review(page: Page, crowded: Any) -> None:
    page.goto(f"{crowded.url}/review")
    expect(page.get_by_role("heading", name="Class by class")).to_be_visible()


def test_a_cell_opens_its_photos_and_a_correction_is_stored(
    page: Page, crowded: Any, labels: Labels
) -> None:
    open_review(page, crowded)
    page.get_by_role("button", name="labelled warm, answered cold").click()
    photos = page.locator(".st-key-cell-photos")
    expect(photos.locator(".tile.loaded").first).to_be_visible()
    first = photos.locator(".tile").first
    chosen = int(first.get_attribute("data-id") or 0)
    assert labels.of([chosen])[chosen].name == "warm"
    first.hover()
    first.get_by_role("button", name="Select").click()
    expect(photos.get_by_text("The 1 selected are")).to_be_visible()
    photos.get_by_role("button", name="cold", exact=True).click()
    expect(first.locator(".note")).to_have_text("cold")
    corrected = labels.of([chosen])[chosen]
    assert (corrected.name, corrected.source) == ("cold", "cell")


def test_the_slider_tells_what_rejection_does(page: Page, crowded: Any, labels: Labels) -> None:
    open_review(page, crowded)
    rejection = page.locator(".st-key-rejection")
    expect(rejection).to_contain_text("keep a class")
    slider = rejection.get_by_role("slider")
    slider.focus()
    page.keyboard.press("End")
    expect(rejection).to_contain_text("240 of all 240 photos would get a class")


def test_without_labels_the_page_says_what_is_missing(page: Page, crowded: Any) -> None:
    page.goto(f"{crowded.url}/review")
    expect(page.get_by_role("alert")).to_contain_text("There is nothing to judge yet")
