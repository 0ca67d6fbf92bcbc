"""Colours of batched views against torchvision, one operation and one image at a time."""

import itertools
from typing import Any

import pytest
import torch
from torchvision.transforms.v2 import functional as vision

from training.image_ops import BRIGHTNESS, CONTRAST, HUE, SATURATION

# torchvision's luma weights sum to 0.9999, ours to 1: they part by 1e-4 of full scale, and a
# chain of operations by a few times that.
LUMA_TOLERANCE = 4e-4

# float32 through a few sums of 255 terms.
ROUNDING = 2e-6

pytestmark = pytest.mark.usefixtures("one_thread")


FACTORS = torch.tensor([0.6, 0.85, 1.0, 1.3])


@pytest.mark.parametrize(
    ("name", "operation"),
    [
        ("brightness", vision.adjust_brightness),
        ("contrast", vision.adjust_contrast),
        ("saturation", vision.adjust_saturation),
    ],
)
def test_each_factor_is_torchvisions(darkroom: Any, name: str, operation) -> None:  # type: ignore[no-untyped-def]
    pixels = darkroom.photos(4, 16, low=80, high=150)

    found = darkroom.view_of(pixels, **{name: FACTORS})

    for image, factor, view in zip(darkroom.channels_first(pixels), FACTORS, found, strict=True):
        darkroom.assert_near(view, operation(image, float(factor)), LUMA_TOLERANCE)


def test_grayscale_is_torchvisions(darkroom: Any) -> None:
    pixels = darkroom.photos(2, 16)

    found = darkroom.view_of(pixels, grayscale=torch.tensor([True, False]))

    expected = vision.rgb_to_grayscale(darkroom.channels_first(pixels)[0], num_output_channels=3)
    darkroom.assert_near(found[0], expected, LUMA_TOLERANCE)
    darkroom.assert_near(found[1], darkroom.channels_first(pixels)[1], ROUNDING)


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_jitter_in_every_order_is_torchvisions(darkroom: Any, order: tuple[int, ...]) -> None:
    # Low contrast, so that nothing is clamped in between; a third of a turn of hue, where the
    # rotation and HSV agree exactly.
    pixels = darkroom.photos(1, 16, low=100, high=140)
    operations = {
        BRIGHTNESS: lambda image: vision.adjust_brightness(image, 1.2),
        CONTRAST: lambda image: vision.adjust_contrast(image, 0.7),
        SATURATION: lambda image: vision.adjust_saturation(image, 1.3),
        HUE: lambda image: vision.adjust_hue(image, 1 / 3),
    }

    found = darkroom.view_of(
        pixels,
        order=torch.tensor([order]),
        brightness=torch.tensor([1.2]),
        contrast=torch.tensor([0.7]),
        saturation=torch.tensor([1.3]),
        hue=torch.tensor([1 / 3]),
    )

    expected = darkroom.channels_first(pixels)
    for step in order:
        expected = operations[step](expected)
    darkroom.assert_near(found, expected, LUMA_TOLERANCE)


@pytest.mark.parametrize("turns", [-1 / 3, 0.0, 1 / 3])
def test_hue_agrees_with_torchvision_at_whole_thirds_of_a_turn(darkroom: Any, turns: float) -> None:
    pixels = darkroom.photos(1, 16)

    found = darkroom.view_of(pixels, hue=torch.tensor([turns]))

    darkroom.assert_near(found, vision.adjust_hue(darkroom.channels_first(pixels), turns), 1e-4)


@pytest.mark.parametrize("turns", [-0.15, -0.1, 0.1, 0.15])
def test_hue_in_between_goes_torchvisions_way(darkroom: Any, turns: float) -> None:
    pixels = darkroom.photos(1, 64)
    before = darkroom.channels_first(pixels)

    found = darkroom.view_of(pixels, hue=torch.tensor([turns]))

    # HSV turns along a hexagon and keeps the largest channel, we turn along a circle and keep the
    # mean: on noise we come a third of the way nearer than doing nothing, hence the factor.
    expected, opposite = (vision.adjust_hue(before, t) for t in (turns, -turns))
    distance = (found - expected).abs().mean()
    assert distance < 0.75 * (before - expected).abs().mean()
    assert distance < 0.5 * (found - opposite).abs().mean()


def test_colours_are_clamped_to_black_and_white(darkroom: Any) -> None:
    pixels = darkroom.photos(2, 16)

    found = darkroom.view_of(pixels, brightness=torch.tensor([3.0, 0.0]))

    darkroom.assert_near(found[0], (darkroom.channels_first(pixels)[0] * 3).clamp(max=1), 1e-5)
    darkroom.assert_near(found[1], torch.zeros(3, 16, 16), ROUNDING)
