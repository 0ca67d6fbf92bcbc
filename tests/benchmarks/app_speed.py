"""How quick is the app? First page, search, key presses on the Label page, and memory.

    python tests/benchmarks/app_speed.py GALLERY [--rounds 25] [--labels 500]

Works on a copy of GALLERY, which `ssl-index build` or large_gallery.py made; its photos must be
where it found them. The copy gets `--labels` labels in ten classes before the app is started. All
times are taken inside Chromium, from the event to the frame in which the result is drawn. Prints a
Markdown table: median, 95th percentile and slowest, and how busy the machine was.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, sync_playwright

from indexer.gallery import Gallery
from indexer.labels import Labels

sys.path.insert(0, str(Path(__file__).parents[1]))
from fixtures_app import CHROMIUM, CHROMIUM_ARGUMENTS, SECONDS, Running, started

CLASSES = 10

# Between two key presses of somebody who looks at each photo, and of somebody in a hurry.
LOOKING_MS, HURRY_MS = 700, 120

# All tiles that can be seen have their pictures.
PAINTED = """(before) => {
  const roots = [...document.querySelectorAll("*")].map((e) => e.shadowRoot).filter(Boolean);
  const tiles = roots.flatMap((root) => [...root.querySelectorAll(".tile")]);
  const ids = tiles.map((tile) => tile.dataset.id).join();
  const seen = tiles.filter((tile) => {
    const box = tile.getBoundingClientRect();
    return box.bottom > 0 && box.top < innerHeight;
  });
  const whole = seen.length && seen.every((tile) => tile.classList.contains("loaded"));
  return whole && ids !== before ? ids : false;
}"""

# Click `Find similar` on a photo, and give the milliseconds until its hits are painted.
SEARCH = f"""(which) => new Promise((done, fail) => {{
  setTimeout(() => fail("no other hits were painted"), 30000);
  const painted = {PAINTED};
  const before = painted("");
  const wall = [...document.querySelectorAll(".st-key-found *")].map((e) => e.shadowRoot)
    .find((root) => root?.querySelector(".tile"));
  const start = performance.now();
  wall.querySelectorAll(".tile")[which].querySelector(".similar").click();
  const look = () => painted(before)
    ? requestAnimationFrame(() => done(performance.now() - start)) : requestAnimationFrame(look);
  look();
}})"""

# From now on, note of every key press when it was painted, stored, and followed by suggestions
# that know of it.
WATCH = """() => {
  const desk = [...document.querySelectorAll("*")].map((e) => e.shadowRoot?.querySelector(".desk"))
    .find(Boolean);
  const first = Number(desk.dataset.stored ?? 0) + 1;
  const presses = (window.presses = []);
  document.addEventListener("keydown", () => {
    const one = { at: performance.now() };
    presses.push(one);
    requestAnimationFrame(() => setTimeout(() => (one.painted = performance.now() - one.at)));
  }, true);
  const look = () => {
    const now = performance.now();
    presses.forEach((one, index) => {
      if (Number(desk.dataset.stored ?? 0) >= first + index) one.stored ??= now - one.at;
      if (one.stored && desk.dataset.fresh !== "false") one.followed ??= now - one.at;
    });
    requestAnimationFrame(look);
  };
  look();
}"""
FOLLOWED = "(count) => presses.length === count && presses.every((one) => one.followed)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("gallery", type=Path)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--labels", type=int, default=500)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "gallery"
        shutil.copytree(options.gallery, folder)
        photos = _label(folder, options.labels)
        print(f"{photos:,} photos, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
        print("| what | median | 95 % | slowest | times |\n|---|---|---|---|---|")
        since = time.monotonic()
        with started(folder, Path(name) / "log") as app:
            _row("ssl-app starts", [1000 * (time.monotonic() - since)])
            _measure(app, options.rounds)
            print(f"\nserver: {_memory(app, 'VmRSS')} now, {_memory(app, 'VmHWM')} at most")
    print(f"load {os.getloadavg()[0]:.1f} at the end")


def _label(folder: Path, count: int) -> int:
    """Give photos drawn at random the class of the likest of ten; gives how many photos there are.

    So classes lie as they do in a gallery that somebody is half way through.
    """
    gallery = Gallery.open(folder, device="cpu")
    labels = Labels(gallery.catalogue_path)
    ids, rows = gallery.embeddings()
    drawn = np.random.default_rng(0).permutation(len(ids))
    examples, chosen = drawn[:CLASSES], drawn[:count]
    numbers = (rows[chosen] @ rows[examples].T).argmax(axis=1)
    for number in range(CLASSES):
        of_class = ids[chosen[numbers == number]].tolist()
        labels.put(of_class, f"class {number + 1}", source="import", who="somebody")
    return len(ids)


def _measure(app: Running, rounds: int) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=[*CHROMIUM_ARGUMENTS, "--no-sandbox"]
        )
        pages = []
        for _ in range(rounds):
            context = browser.new_context(viewport={"width": 1400, "height": 900})
            context.set_default_timeout(1000 * SECONDS)
            pages.append(_opened(context.new_page(), app.url))
            context.close()
        _row("first page", pages)
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.set_default_timeout(1000 * SECONDS)
        _opened(page, f"{app.url}/?q=17")
        searches = []
        for number in range(rounds):
            page.wait_for_timeout(500)
            searches.append(float(page.evaluate(SEARCH, 3 + number % 12)))
        _row("click on *Find similar* to painted grid", searches)
        _label_page(page, app, rounds)
        browser.close()


def _opened(page: Page, url: str) -> float:
    """Milliseconds until all visible pictures of a page are there."""
    start = time.perf_counter()
    page.goto(url)
    page.wait_for_function(PAINTED, arg="")
    return 1000 * (time.perf_counter() - start)


def _label_page(page: Page, app: Running, rounds: int) -> None:
    start = time.perf_counter()
    page.goto(f"{app.url}/label")
    page.locator(".desk .large.loaded").wait_for()
    _row("Label page, first visit of all", [1000 * (time.perf_counter() - start)])
    page.locator(".desk:not([data-fresh='false'])").wait_for()
    _row("... its typical photos and guesses", [1000 * (time.perf_counter() - start)])
    page.evaluate(WATCH)
    for press in range(2 * rounds):
        page.keyboard.press(str(1 + press % 9))
        page.wait_for_timeout(LOOKING_MS)
    page.wait_for_function(FOLLOWED, arg=2 * rounds)
    looked = page.evaluate("presses.splice(0)")
    page.evaluate(WATCH)
    for press in range(4 * rounds):
        page.keyboard.press(str(1 + press % 9))
        page.wait_for_timeout(HURRY_MS)
    page.wait_for_function(FOLLOWED, arg=4 * rounds)
    for how, presses in (("", looked), (", in a hurry", page.evaluate("presses"))):
        _row(f"key press{how} to painted frame", [one["painted"] for one in presses])
        _row(f"key press{how} to tick (stored)", [one["stored"] for one in presses])
    # Somebody in a hurry never waits for those that know of the very last press.
    _row("key press to new suggestions", [one["followed"] for one in looked])


def _row(what: str, milliseconds: list[float]) -> None:
    middle, high = np.percentile(milliseconds, [50, 95])
    figures = " | ".join(f"{f:,.0f} ms" for f in (middle, high, max(milliseconds)))
    print(f"| {what} | {figures} | {len(milliseconds)} |", flush=True)


def _memory(app: Running, kind: str) -> str:
    """Of the server, as Linux counts it: `VmRSS` or `VmHWM`."""
    status = Path(f"/proc/{app.process.pid}/status").read_text(encoding="ascii")
    kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith(kind))
    return f"{int(kilobytes) / 1000:,.0f} MB"


if __name__ == "__main__":
    main()
