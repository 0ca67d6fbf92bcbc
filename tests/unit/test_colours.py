"""The colours of classes can be seen on both backgrounds, and told apart."""

import itertools

import pytest

from app.colours import GREY, PALETTE, colour_of

BACKGROUNDS = ("#ffffff", "#f2f5f9", "#10151d", "#1b232f")


def channels(colour: str) -> list[float]:
    return [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels(colour)]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("colour", [*PALETTE, GREY])
@pytest.mark.parametrize("background", BACKGROUNDS)
def test_a_swatch_has_the_contrast_that_graphics_need(colour: str, background: str) -> None:
    assert contrast(colour, background) >= 3


def test_no_two_colours_are_nearly_the_same() -> None:
    for one, other in itertools.combinations((*PALETTE, GREY), 2):
        far = sum((a - b) ** 2 for a, b in zip(channels(one), channels(other), strict=True)) ** 0.5
        assert far > 0.12, (one, other)


def test_colours_repeat_after_the_last() -> None:
    assert colour_of(len(PALETTE) + 1) == colour_of(1)
