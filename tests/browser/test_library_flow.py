"""The Library page in real Chromium: what was skipped, an update, and one that is cancelled."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from indexer.build import BuildRequest, build
from training.progress import Silent

pytestmark = pytest.mark.browser

# Enough to last until a click, on a fast machine as well: a PNG is decoded whole.
MANY = 2000


@pytest.fixture
def own_gallery(
    make_shape_folder: Callable[..., Path], toy_encoder: Path, tmp_path: Path
) -> tuple[Path, Path]:
    """A photo folder and its gallery that a test may change."""
    photos = make_shape_folder(tmp_path / "own", size=(160, 120))
    (photos / "=1+1 bad.jpg").write_bytes(b"not an image")
    build(BuildRequest(photos, tmp_path / "gallery", encoder=toy_encoder), progress=Silent())
    return photos, tmp_path / "gallery"


def test_a_bad_photo_is_listed_and_an_update_can_be_cancelled_and_goes_on(
    parts: Any,
    page: Page,
    start_app: Callable[..., Any],
    own_gallery: tuple[Path, Path],
    draw_shape: Callable[..., Any],
) -> None:
    photos, folder = own_gallery
    app = start_app(folder)
    page.goto(app.url)
    parts.samples(page)
    page.get_by_role("link", name="Library").click()
    expect(page.get_by_role("heading", name="1 file skipped")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as CSV", exact=True).click()
    with download.value.path().open(encoding="utf-8", newline="") as text:
        [head, row] = csv.reader(text)
    assert head == ["path", "reason"]
    assert row[0] == "'=1+1 bad.jpg"
    assert "not an image" in row[1]

    # The same large photo, made different by bytes after its end.
    draw_shape("cross", "orchid", size=(1600, 1200), seed=1).save(photos / "many.png")
    large = (photos / "many.png").read_bytes()
    for number in range(MANY):
        (photos / f"many-{number:03}.png").write_bytes(large + b"%d" % number)
    page.get_by_role("button", name="Update now").click()
    expect(page.get_by_text("Embedding: ").first).to_be_visible()
    second = page.context.new_page()
    second.goto(f"{app.url}/?q=1")
    assert len(parts.ids(parts.hits(second))) > 1
    # The panel redraws itself twice a second; waiting for it to hold still could take for ever.
    page.get_by_role("button", name="Cancel").dispatch_event("click")
    expect(page.get_by_text("The update was cancelled")).to_be_visible()

    # What is left is fewer than before, and ends well.
    for file in sorted(photos.glob("many-*.png"))[20:]:
        file.unlink()
    page.get_by_text("Take out photos that are gone").click()
    page.get_by_role("button", name="Update again").click()
    expect(page.get_by_text("Up to date: ")).to_be_visible()
    expect(page.locator(".ll-facts")).to_contain_text("45 photos")
