"""Blur, solarize and the order of operations against torchvision."""

from typing import Any

import pytest
import torch
from torchvision.transforms.v2 import functional as vision

# torchvision's luma weights sum to 0.9999, ours to 1: they part by 1e-4 of full scale, and a
# chain of operations by a few times that.
LUMA_TOLERANCE = 4e-4

# float32 through a few sums of 255 terms.
ROUNDING = 2e-6

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize(("side", "kernel"), [(32, 3), (64, 7), (96, 9), (160, 17)])
@pytest.mark.parametrize("sigma", [0.1, 0.7, 2.0])
def test_blur_is_torchvisions(darkroom: Any, side: int, kernel: int, sigma: float) -> None:
    pixels = darkroom.photos(1, side)

    found = darkroom.view_of(pixels, blurred=torch.tensor([0]), sigma=torch.tensor([sigma]))

    expected = vision.gaussian_blur(
        darkroom.channels_first(pixels), [kernel, kernel], [sigma, sigma]
    )
    darkroom.assert_near(found, expected, 1e-5)


def test_only_the_chosen_views_are_blurred_each_by_its_own_sigma(darkroom: Any) -> None:
    pixels = darkroom.photos(4, 32)

    found = darkroom.view_of(pixels, blurred=torch.tensor([2, 0]), sigma=torch.tensor([0.5, 1.5]))

    images = darkroom.channels_first(pixels)
    darkroom.assert_near(found[2], vision.gaussian_blur(images[2], [3, 3], [0.5, 0.5]), 1e-5)
    darkroom.assert_near(found[0], vision.gaussian_blur(images[0], [3, 3], [1.5, 1.5]), 1e-5)
    darkroom.assert_near(found[[1, 3]], images[[1, 3]], ROUNDING)


def test_solarize_is_torchvisions_at_half(darkroom: Any) -> None:
    pixels = darkroom.photos(3, 16)

    found = darkroom.view_of(pixels, solarized=torch.tensor([1]))

    images = darkroom.channels_first(pixels)
    darkroom.assert_near(found[1], vision.solarize(images[1], 0.5), 1e-5)
    darkroom.assert_near(found[[0, 2]], images[[0, 2]], ROUNDING)


def test_the_operations_follow_in_torchvisions_order(darkroom: Any) -> None:
    pixels = darkroom.photos(1, 40, low=90, high=150)

    found = darkroom.view_of(
        pixels,
        40,
        flip=torch.tensor([True]),
        brightness=torch.tensor([1.2]),
        grayscale=torch.tensor([True]),
        blurred=torch.tensor([0]),
        sigma=torch.tensor([1.0]),
        solarized=torch.tensor([0]),
    )

    expected = vision.adjust_brightness(
        vision.horizontal_flip(darkroom.channels_first(pixels)), 1.2
    )
    expected = vision.gaussian_blur(vision.rgb_to_grayscale(expected, 3), [5, 5], [1.0, 1.0])
    darkroom.assert_near(found, vision.solarize(expected, 0.5), LUMA_TOLERANCE)
