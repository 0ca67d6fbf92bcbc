"""The Review page in real Chromium: from a cell to a correction, and what rejection would do."""

import csv
import getpass
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from app.answers import judged
from app.classifier import Classifier
from app.exports.labelled import labelled_photos
from app.exports.tables import as_csv, as_json_lines
from app.fitting import classifier_file
from app.labelling import Labelling
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
    # Not the judgement of another test's labels, which the page shows until there is this one.
    expect(page.locator(".ll-heading").first).to_contain_text("Judged on 54 labelled photos")
    expect(page.get_by_text("Being judged anew")).to_have_count(0)


def test_a_cell_opens_its_photos_and_a_correction_is_stored(
    page: Page, crowded: Any, labels: Labels
) -> None:
    open_review(page, crowded)
    page.get_by_role("button", name="labelled warm, answered cold").click()
    photos = page.locator(".st-key-cell-photos")
    # Until then the grid below stands in this place.
    expect(photos.locator(".tile.loaded")).to_have_count(3)
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


def test_the_model_is_right_about_labels_that_look_wrong_and_undo_takes_that_back(
    page: Page, crowded: Any, labels: Labels
) -> None:
    open_review(page, crowded)
    doubts = page.locator(".st-key-doubts")
    expect(doubts.locator(".tile.loaded").first).to_be_visible()
    ids = [int(tile.get_attribute("data-id") or 0) for tile in doubts.locator(".tile").all()]
    before = labels.of(ids)
    doubts.get_by_role("button", name=f"The model is right about all {len(ids)}").click()
    expect(doubts).to_contain_text("Took the model's class for")
    after = labels.of(ids)
    other = {"warm": "cold", "cold": "warm"}
    assert {i: of.name for i, of in after.items()} == {i: other[before[i].name] for i in ids}
    assert {of.source for of in after.values()} == {"review"}
    assert len({of.event for of in after.values()}) == 1
    doubts.get_by_role("button", name="Undo", exact=True).first.click()
    expect(doubts.locator(".tile")).to_have_count(len(ids))
    assert labels.of(ids) == before


def test_the_slider_tells_what_rejection_does(page: Page, crowded: Any, labels: Labels) -> None:
    open_review(page, crowded)
    rejection = page.locator(".st-key-rejection")
    expect(rejection).to_contain_text("of all 240 photos")
    slider = rejection.get_by_role("slider")
    slider.focus()
    page.keyboard.press("End")
    expect(rejection).to_contain_text("240 of all 240 photos (100 %) get a class")


def test_it_tells_whether_more_labels_help_and_how_far_to_believe_it(
    page: Page, crowded: Any, labels: Labels
) -> None:
    open_review(page, crowded)
    progress = page.locator(".st-key-progress")
    expect(progress).to_contain_text("The last doubling, from")
    tables = progress.get_by_role("table")
    expect(tables).to_have_count(2)
    steps, stretches = tables.all()
    expect(steps.get_by_role("row")).to_have_count(5)  # a head and four doublings
    # What the bars show is said in words beside them.
    told = stretches.get_by_role("row").nth(1)
    expect(told.get_by_role("rowheader")).to_contain_text("%")
    # Every label was asked once: the counts add up.
    counts = [
        row.get_by_role("cell").last.inner_text() for row in stretches.get_by_role("row").all()[1:]
    ]
    assert sum(map(int, counts)) == 54


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_bars_and_the_words_beside_them_can_be_seen_in_both_themes(
    parts: Any, chromium: Browser, crowded: Any, labels: Labels, scheme: str
) -> None:
    with chromium.new_context(color_scheme=scheme) as context:
        page = context.new_page()
        open_review(page, crowded)
        for seen in (".ll-measured td", ".ll-measured thead th", ".ll-measured tbody th"):
            contrast = page.locator(seen).first.evaluate(parts.CONTRAST)
            assert contrast >= 4.5, f"{seen} has a contrast of {contrast:.1f}"
        # A graphic needs three to one: the bar's colour as that of a text in its place.
        contrast = page.locator(".ll-fill").first.evaluate(
            "e => { e.style.color = getComputedStyle(e).backgroundColor;"
            f" e.style.background = 'none'; return ({parts.CONTRAST.strip()})(e); }}"
        )
        assert contrast >= 3, f"bars have a contrast of {contrast:.1f}"


def test_without_labels_the_page_says_what_is_missing(page: Page, crowded: Any) -> None:
    page.goto(f"{crowded.url}/review")
    expect(page.get_by_role("alert")).to_contain_text("There is nothing to judge yet")


def test_downloads_are_what_the_exports_write(
    page: Page, crowded: Any, labels: Labels, crowd: Any, tmp_path: Path
) -> None:
    open_review(page, crowded)
    gallery = Gallery.open(crowd.folder, device="cpu")
    labelling = Labelling(lambda: gallery, labels, quiet_seconds=1000)
    shots = labelling.answers().shots
    labelling.close()
    photos = labelled_photos(labels.path)
    expected = {
        "labels.csv": as_csv(photos),
        "labels.jsonl": as_json_lines(photos),
        "classifier.onnx": classifier_file(gallery, shots, judged(shots)),
    }
    for name, data in expected.items():
        with page.expect_download() as started:
            page.get_by_role("button", name=name).click()
        started.value.save_as(tmp_path / name)
        assert (tmp_path / name).read_bytes() == data, name
    rows = list(csv.DictReader((tmp_path / "labels.csv").read_text(encoding="utf-8").splitlines()))
    assert len(rows) == 54
    classifier = Classifier.open(tmp_path / "classifier.onnx", device="cpu")
    assert classifier.facts.classes == ("cold", "warm")
