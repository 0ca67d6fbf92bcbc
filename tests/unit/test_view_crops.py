"""Crop and flip in batches against torchvision, one image at a time."""

import math
from typing import Any

import pytest
import torch
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as vision

# float32 through a few sums of 255 terms.
ROUNDING = 2e-6

pytestmark = pytest.mark.usefixtures("one_thread")


def test_the_whole_photo_at_its_own_size_is_the_photo(darkroom: Any) -> None:
    pixels = darkroom.photos(2, 24)

    darkroom.assert_near(darkroom.view_of(pixels), darkroom.channels_first(pixels), ROUNDING)


def test_enlarging_the_whole_photo_is_torchvisions_resize(darkroom: Any) -> None:
    pixels = darkroom.photos(2, 24)

    expected = vision.resize(darkroom.channels_first(pixels), [40, 40], antialias=False)

    darkroom.assert_near(darkroom.view_of(pixels, 40), expected, 1e-5)


@pytest.mark.parametrize(("top", "left", "height", "width"), [(3, 5, 16, 12), (0, 10, 8, 20)])
def test_a_crop_is_torchvisions_resized_crop(
    darkroom: Any, top: int, left: int, height: int, width: int
) -> None:
    pixels = darkroom.photos(1, 32)
    box = torch.tensor([[left, top, width, height]]) / 32

    found = darkroom.view_of(pixels, 48, box=box)
    expected = vision.resized_crop(
        darkroom.channels_first(pixels), top, left, height, width, [48, 48], antialias=False
    )

    # At the border of the crop torchvision repeats its last pixel; we still see the next one of
    # the photo. That is half a pixel of the crop, at most 3 of the view (48 / 8 / 2).
    darkroom.assert_near(found[..., 3:-3, 3:-3], expected[..., 3:-3, 3:-3], 1e-4)


def test_a_reduced_crop_stays_near_torchvisions_antialiased_one_on_a_smooth_photo(
    darkroom: Any,
) -> None:
    wave = torch.sin(torch.arange(64) * (2 * math.pi / 24))
    smooth = (127 + 90 * wave[:, None] * wave).to(torch.uint8)
    pixels = smooth[None, :, :, None].repeat(1, 1, 1, 3)

    found = darkroom.view_of(pixels, 48)
    expected = vision.resize(darkroom.channels_first(pixels), [48, 48], antialias=True)

    # Both smooth a little, not alike: 2 % of full scale where the wave bends most.
    darkroom.assert_near(found, expected, 0.02)


def test_a_crop_of_a_squashed_photo_is_the_crop_of_the_photo_itself(darkroom: Any) -> None:
    across = torch.arange(96) / 96
    down = torch.arange(48) / 48
    photo = torch.stack(
        (across.expand(48, 96), down[:, None].expand(48, 96), torch.full((48, 96), 0.5))
    )
    squashed = vision.resize(photo, [64, 64], antialias=True)
    pixels = (squashed * 255).round().to(torch.uint8).permute(1, 2, 0)[None]
    left, top, side = 40, 12, 24

    found = darkroom.view_of(
        pixels, 24, box=torch.tensor([[left / 96, top / 48, side / 96, side / 48]])
    )
    expected = vision.resized_crop(photo, top, left, side, side, [24, 24])

    # One step of 8 bits from the cache, and half of one of its pixels where it was resampled.
    darkroom.assert_near(found[0], expected, 2 / 255)


def test_flipping_mirrors_the_crop(darkroom: Any) -> None:
    pixels = darkroom.photos(2, 32)
    box = torch.tensor([[0.1, 0.2, 0.6, 0.5]]).expand(2, 4)

    plain = darkroom.view_of(pixels, 20, box=box)
    flipped = darkroom.view_of(pixels, 20, box=box, flip=torch.tensor([True, False]))

    assert torch.equal(flipped[0], plain[0].flip(-1))
    assert torch.equal(flipped[1], plain[1])


def test_interpolation_is_bilinear(darkroom: Any) -> None:
    # A step from black to white, enlarged: the ramp between the two is straight.
    pixels = torch.zeros((1, 8, 8, 3), dtype=torch.uint8)
    pixels[:, :, 4:] = 255

    found = darkroom.view_of(pixels, 32)

    expected = vision.resize(
        darkroom.channels_first(pixels), [32, 32], InterpolationMode.BILINEAR, antialias=False
    )
    darkroom.assert_near(found, expected, 1e-5)
