"""The blind comparison, judged by really clicking: what is counted, what is told, what stays."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from scipy.stats import binomtest

from training.comparison import Comparison, ask, compare_page
from training.photos import FoundFile, walk

pytestmark = pytest.mark.browser

NAMES = ("<b>run one</b>", "run two")
COUNT = 6


@pytest.fixture(scope="module")
def comparison(
    tmp_path_factory: pytest.TempPathFactory, make_shape_folder: Callable[..., Path]
) -> Comparison:
    root = make_shape_folder(tmp_path_factory.mktemp("compared") / "photos")
    paths = tuple(file.path for file in walk(root) if isinstance(file, FoundFile))
    draws = np.random.default_rng(0)
    first, second = (draws.normal(size=(len(paths), 6)) for _ in range(2))
    questions, same = ask(first, second, COUNT, seed=0)
    return Comparison(root, paths, NAMES, questions, same)


@pytest.fixture
def address(comparison: Comparison, tmp_path: Path) -> str:
    file = tmp_path / "compare.html"
    file.write_text(compare_page(comparison), encoding="utf-8")
    return file.as_uri()


def prefer(page: Page, comparison: Comparison, name: int) -> None:
    """Click the side that shows what the first (0) or second (1) encoder found."""
    number = int(page.locator("#number").inner_text()) - 1
    left_is_first = comparison.questions[number].left_is_first
    page.locator("#left" if left_is_first == (name == 0) else "#right").click()


def test_clicks_are_counted_for_the_encoder_and_not_for_the_side(
    page: Page, address: str, comparison: Comparison
) -> None:
    page.goto(address)
    for name in (0, 0, 0, 0, 0, 1):
        prefer(page, comparison, name)

    expect(page.locator("#result")).to_be_visible()
    expect(page.locator("#bars div").nth(0)).to_contain_text("5")
    expect(page.locator("#bars div").nth(1)).to_contain_text("1")
    expect(page.locator("#verdict")).to_contain_text("can well be chance")
    expect(page.locator("#test")).to_contain_text(f"p = {binomtest(5, 6).pvalue:.3f}")


def test_a_clear_preference_is_told_as_one_and_names_are_text(
    page: Page, address: str, comparison: Comparison
) -> None:
    page.goto(address)
    for _ in range(COUNT):
        prefer(page, comparison, 0)

    expect(page.locator("#verdict")).to_contain_text("You prefer <b>run one</b>: 6 times")
    expect(page.locator("#test")).to_contain_text(f"p = {binomtest(6, 6).pvalue:.3f}")


def test_the_page_is_blind_until_the_end(page: Page, address: str) -> None:
    page.goto(address)

    for _ in range(COUNT - 1):
        assert "run one" not in page.locator("body").inner_text()
        assert "run two" not in page.locator("body").inner_text()
        page.locator("#tie").click()
    page.locator("#tie").click()

    assert "run two" in page.locator("body").inner_text()
    expect(page.locator("#verdict")).to_have_text("You saw no difference.")


def test_the_keys_answer_and_backspace_goes_back_to_change_an_answer(
    page: Page, address: str, comparison: Comparison
) -> None:
    page.goto(address)
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#number")).to_have_text("2")
    page.keyboard.press("Backspace")
    expect(page.locator("#left")).to_have_class("side chosen")
    page.keyboard.press("ArrowRight")
    for _ in range(COUNT - 1):
        page.keyboard.press("ArrowDown")

    expect(page.locator("#result")).to_be_visible()
    won = 1 if comparison.questions[0].left_is_first else 0
    expect(page.locator("#bars div").nth(won)).to_contain_text("1")
    expect(page.locator("#bars div").nth(1 - won)).to_contain_text("0")


def test_a_reload_keeps_the_answers_and_starting_over_forgets_them(
    page: Page, address: str
) -> None:
    page.goto(address)
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowDown")
    page.reload()
    expect(page.locator("#number")).to_have_text("3")

    page.locator("#finish").click()
    page.locator("#restart").click()
    page.reload()
    expect(page.locator("#number")).to_have_text("1")


def test_the_answers_can_be_saved(page: Page, address: str, comparison: Comparison) -> None:
    page.goto(address)
    prefer(page, comparison, 1)
    page.locator("#finish").click()
    with page.expect_download() as saving:
        page.locator("#save").click()

    kept = json.loads(Path(saving.value.path()).read_text())
    assert kept["answers"] == ["second"]
    assert (kept["first"], kept["second"], kept["ties"]) == (0, 1, 0)
    assert kept["names"] == list(NAMES)


def test_the_sign_test_is_the_binomial_one(page: Page, address: str) -> None:
    page.goto(address)
    cases = [(0, 0), (1, 0), (3, 3), (9, 2), (2, 9), (30, 12), (600, 500), (1500, 0)]

    found = page.evaluate("cases => cases.map(([a, b]) => signTest(a, b))", cases)

    for (first, second), p in zip(cases, found, strict=True):
        known = binomtest(first, first + second).pvalue if first + second else 1.0
        assert p == pytest.approx(known, rel=1e-9)


def test_the_page_asks_nobody_for_anything(page: Page, address: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))

    page.goto(address)
    page.keyboard.press("ArrowLeft")

    assert [url for url in asked if not url.startswith("data:")] == [address]
    assert said == []
    width = page.evaluate("document.querySelector('.query img').naturalWidth")
    assert width == 320
