"""The real app as a process of its own, and Debian's chromium to look at it."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, Playwright, expect, sync_playwright

from indexer import layout
from indexer.build import BuildRequest, build
from indexer.gallery import Gallery
from training.progress import Silent

# Starts the app on a gallery with a log file, as tests/fixtures_app.py does.
Starter = Callable[..., AbstractContextManager[Any]]

# A name that would be markup, if a page took it for such.
MARKUP = "<img src=x onerror=alert(1)> & _it_.jpg"
TALL, COPY, GONE = "tall.jpg", "exact copy.jpg", "gone.jpg"


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


@dataclass(frozen=True)
class Shelf:
    """A small gallery on the disk and where its photos are."""

    photos: Path
    folder: Path

    def id_of(self, name: str) -> int:
        return self._ids[name.encode()]

    @cached_property
    def _ids(self) -> dict[bytes, int]:
        gallery = Gallery.open(self.folder, device="cpu")
        facts = [gallery.photo(photo_id) for photo_id in range(1, len(gallery) + 1)]
        return {path: f.id for f in facts for path in (f.path, *f.other_paths)}


class Parts:
    """Where things are on the Search page, and how well they can be read."""

    CONTRAST = CONTRAST

    @staticmethod
    def samples(page: Page) -> Locator:
        """The photos of the start page, once their pictures are there."""
        expect(page.locator(".st-key-start .tile.loaded").first).to_be_visible()
        return page.locator(".st-key-start .tile")

    @staticmethod
    def hits(page: Page) -> Locator:
        """The photos found, once their pictures are there."""
        expect(page.locator(".st-key-found .tile.loaded").first).to_be_visible()
        return page.locator(".st-key-found .tile")

    @staticmethod
    def ids(tiles: Locator) -> list[str | None]:
        return [tile.get_attribute("data-id") for tile in tiles.all()]

    @staticmethod
    def upload(page: Page, path: Path) -> None:
        page.locator("input[type=file]").set_input_files(path)

    @staticmethod
    def results(page: Page) -> Locator:
        return page.get_by_role("heading", name="Most similar photos")

    @staticmethod
    def dialog(page: Page) -> Locator:
        return page.get_by_role("dialog")

    @classmethod
    def open_photo(cls, page: Page, app: Any, shelf: Shelf, name: str) -> None:
        """Search with some photo and open the hit called `name`."""
        page.goto(f"{app.url}/?q={shelf.id_of('cross/cross-000.jpg')}&k=500")
        cls.hits(page)
        page.locator(f'.tile[data-id="{shelf.id_of(name)}"] .open').click()
        expect(cls.dialog(page)).to_be_visible()


@pytest.fixture(scope="session")
def shelf(
    tmp_path_factory: pytest.TempPathFactory,
    make_shape_folder: Callable[..., Path],
    draw_shape: Callable[..., Image.Image],
    pytestconfig: pytest.Config,
) -> Shelf:
    """Shapes in colours, with a portrait, an exact copy, an odd name and a photo that is gone."""
    root = tmp_path_factory.mktemp("shelf")
    photos = make_shape_folder(root / "photos", size=(160, 120))
    draw_shape("cross", "orchid", size=(400, 1600), seed=50).save(photos / TALL)
    draw_shape("circle", "orchid", size=(120, 120), seed=51).save(photos / MARKUP)
    draw_shape("square", "orchid", size=(120, 120), seed=52).save(photos / GONE)
    shutil.copy(photos / "circle" / "circle-000.jpg", photos / COPY)
    fixtures = pytestconfig.pluginmanager.get_plugin("fixtures_encoder")
    encoder = fixtures.write_toy_encoder(root / "toy.onnx")
    build(BuildRequest(photos, root / "gallery", encoder=encoder), progress=Silent())
    (photos / GONE).unlink()
    return Shelf(photos, root / "gallery")


@pytest.fixture(scope="session")
def crowd(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Shelf:
    """Two hundred and forty small photos, half of them in warm colours and half in cold ones."""
    root = tmp_path_factory.mktemp("crowd")
    draw = np.random.default_rng(5)
    for number in range(240):
        kind = ("warm", "cold")[number % 2]
        strong, weak = draw.integers(150, 255), draw.integers(0, 110, 2)
        colour = (strong, *weak) if kind == "warm" else (*weak, strong)
        cells = draw.integers(-25, 25, (6, 6, 3)) + np.array(colour)
        image = Image.fromarray(cells.clip(0, 255).astype(np.uint8)).resize((48, 40), 0)
        (root / "photos" / kind).mkdir(parents=True, exist_ok=True)
        image.save(root / "photos" / kind / f"{kind}-{number:03d}.png")
    fixtures = pytestconfig.pluginmanager.get_plugin("fixtures_encoder")
    encoder = fixtures.write_toy_encoder(root / "toy.onnx")
    build(BuildRequest(root / "photos", root / "gallery", encoder=encoder), progress=Silent())
    layout.drawn(root / "gallery")
    return Shelf(root / "photos", root / "gallery")


@pytest.fixture(scope="session")
def crowded(
    crowd: Shelf, started: Starter, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    """The app on that gallery; tests take back the labels they give."""
    with started(crowd.folder, tmp_path_factory.mktemp("crowded") / "log") as running:
        yield running


@pytest.fixture(scope="session")
def parts() -> type[Parts]:
    """Where things are on the Search page."""
    return Parts


@pytest.fixture(scope="session")
def started(pytestconfig: pytest.Config) -> Starter:
    """Starts the app for a block."""
    fixtures = pytestconfig.pluginmanager.get_plugin("fixtures_app")
    starter: Starter = fixtures.started
    return starter


@pytest.fixture(scope="session")
def command(pytestconfig: pytest.Config) -> Callable[..., list[str]]:
    """The command line of `ssl-app` with arguments."""
    fixtures = pytestconfig.pluginmanager.get_plugin("fixtures_app")
    line: Callable[..., list[str]] = fixtures.ssl_app
    return line


@pytest.fixture
def start_app(shelf: Shelf, started: Starter, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Starts an app of the test's own: `start_app()`, or `start_app(gallery_folder, *options)`."""
    with ExitStack() as running:
        yield lambda folder=shelf.folder, *options: running.enter_context(
            started(folder, tmp_path / "log", *options)
        )


@pytest.fixture(scope="session")
def app(shelf: Shelf, started: Starter, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The app that tests share; nothing they do in it lasts but uploads."""
    with started(shelf.folder, tmp_path_factory.mktemp("app") / "log") as running:
        yield running


@pytest.fixture(scope="session")
def seconds(pytestconfig: pytest.Config) -> float:
    """How long to wait for anything: for a slow machine, nothing waits that long on a usual one."""
    return float(pytestconfig.pluginmanager.get_plugin("fixtures_app").SECONDS)


@pytest.fixture(scope="session")
def playwright(seconds: float) -> Iterator[Playwright]:
    expect.set_options(timeout=seconds * 1000)
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def chromium(playwright: Playwright, pytestconfig: pytest.Config) -> Iterator[Browser]:
    """Debian's chromium; where there is none, tests skip loudly, and in CI they fail."""
    fixtures = pytestconfig.pluginmanager.get_plugin("fixtures_app")
    if not fixtures.CHROMIUM.exists():
        reason = f"there is no {fixtures.CHROMIUM}: install it with `apt-get install chromium`"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    browser = playwright.chromium.launch(
        executable_path=fixtures.CHROMIUM, args=[*fixtures.CHROMIUM_ARGUMENTS]
    )
    yield browser
    browser.close()


@pytest.fixture
def page(chromium: Browser, seconds: float) -> Iterator[Page]:
    """A fresh browser window; a script error or a refused request on its pages is a failure."""
    context = chromium.new_context(viewport={"width": 1400, "height": 900})
    context.set_default_timeout(seconds * 1000)
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    context.close()
    assert not errors
