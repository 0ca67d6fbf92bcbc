"""Batched views against torchvision, one operation and one image at a time."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as vision

from training.augment import (
    ViewParameters,
    ViewRecipe,
    apply_views,
    byol_recipes,
    draw_parameters,
    make_views,
    simclr_recipe,
)
from training.image_ops import BRIGHTNESS, CONTRAST, HUE, SATURATION, Jitter

# torchvision's luma weights sum to 0.9999, ours to 1: they part by 1e-4 of full scale, and a
# chain of operations by a few times that.
LUMA_TOLERANCE = 4e-4

# float32 through a few sums of 255 terms.
ROUNDING = 2e-6

NOTHING_RANDOM = ViewRecipe(
    image_size=32,
    crop_scale=(1.0, 1.0),
    crop_ratio=(1.0, 1.0),
    flip=0,
    jitter=0,
    grayscale=0,
    blur=0,
    solarize=0,
)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Tensors this small only wait for a second thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def photos(count: int, side: int, *, low: int = 0, high: int = 256, seed: int = 0) -> Tensor:
    """Noise of `low` to `high`, `(count, side, side, 3)` uint8: the hardest photo to resample."""
    generator = torch.Generator().manual_seed(seed)
    shape = (count, side, side, 3)
    return torch.randint(low, high, shape, generator=generator, dtype=torch.uint8)


def channels_first(pixels: Tensor) -> Tensor:
    return pixels.permute(0, 3, 1, 2).float() / 255


def as_pixels(views: Tensor, recipe: ViewRecipe) -> Tensor:
    """Normalisation taken back: `(B, 3, s, s)` in [0, 1]."""
    mean = torch.tensor(recipe.mean)[:, None, None]
    return views * torch.tensor(recipe.std)[:, None, None] + mean


def still(count: int, **changes: Tensor) -> ViewParameters:
    """Parameters that change nothing, with some of them replaced."""
    nothing = torch.ones(count)
    colours = {name: value for name, value in changes.items() if name in Jitter.__annotations__}
    jitter = Jitter(
        order=torch.arange(4).expand(count, 4),
        brightness=nothing,
        contrast=nothing,
        saturation=nothing,
        hue=torch.zeros(count),
        grayscale=torch.zeros(count, dtype=torch.bool),
    )
    none = torch.zeros(0, dtype=torch.int64)
    parameters = ViewParameters(
        box=torch.tensor([0.0, 0.0, 1.0, 1.0]).expand(count, 4),
        flip=torch.zeros(count, dtype=torch.bool),
        jitter=replace(jitter, **colours),
        blurred=none,
        sigma=torch.zeros(0),
        solarized=none,
    )
    others = {name: value for name, value in changes.items() if name not in colours}
    return replace(parameters, **others)


def view_of(pixels: Tensor, size: int | None = None, **changes: Tensor) -> Tensor:
    """The view of chosen parameters, back in [0, 1]."""
    recipe = replace(NOTHING_RANDOM, image_size=size or pixels.shape[1])
    return as_pixels(apply_views(pixels, still(len(pixels), **changes), recipe), recipe)


def assert_near(found: Tensor, expected: Tensor, tolerance: float) -> None:
    torch.testing.assert_close(found, expected, atol=tolerance, rtol=0)


# ---- crop and flip


def test_the_whole_photo_at_its_own_size_is_the_photo() -> None:
    pixels = photos(2, 24)

    assert_near(view_of(pixels), channels_first(pixels), ROUNDING)


def test_enlarging_the_whole_photo_is_torchvisions_resize() -> None:
    pixels = photos(2, 24)

    expected = vision.resize(channels_first(pixels), [40, 40], antialias=False)

    assert_near(view_of(pixels, 40), expected, 1e-5)


@pytest.mark.parametrize(("top", "left", "height", "width"), [(3, 5, 16, 12), (0, 10, 8, 20)])
def test_a_crop_is_torchvisions_resized_crop(top: int, left: int, height: int, width: int) -> None:
    pixels = photos(1, 32)
    box = torch.tensor([[left, top, width, height]]) / 32

    found = view_of(pixels, 48, box=box)
    expected = vision.resized_crop(
        channels_first(pixels), top, left, height, width, [48, 48], antialias=False
    )

    # At the border of the crop torchvision repeats its last pixel; we still see the next one of
    # the photo. That is half a pixel of the crop, at most 3 of the view (48 / 8 / 2).
    assert_near(found[..., 3:-3, 3:-3], expected[..., 3:-3, 3:-3], 1e-4)


def test_a_reduced_crop_stays_near_torchvisions_antialiased_one_on_a_smooth_photo() -> None:
    wave = torch.sin(torch.arange(64) * (2 * math.pi / 24))
    smooth = (127 + 90 * wave[:, None] * wave).to(torch.uint8)
    pixels = smooth[None, :, :, None].repeat(1, 1, 1, 3)

    found = view_of(pixels, 48)
    expected = vision.resize(channels_first(pixels), [48, 48], antialias=True)

    # Both smooth a little, not alike: 2 % of full scale where the wave bends most.
    assert_near(found, expected, 0.02)


def test_a_crop_of_a_squashed_photo_is_the_crop_of_the_photo_itself() -> None:
    across = torch.arange(96) / 96
    down = torch.arange(48) / 48
    photo = torch.stack(
        (across.expand(48, 96), down[:, None].expand(48, 96), torch.full((48, 96), 0.5))
    )
    squashed = vision.resize(photo, [64, 64], antialias=True)
    pixels = (squashed * 255).round().to(torch.uint8).permute(1, 2, 0)[None]
    left, top, side = 40, 12, 24

    found = view_of(pixels, 24, box=torch.tensor([[left / 96, top / 48, side / 96, side / 48]]))
    expected = vision.resized_crop(photo, top, left, side, side, [24, 24])

    # One step of 8 bits from the cache, and half of one of its pixels where it was resampled.
    assert_near(found[0], expected, 2 / 255)


def test_flipping_mirrors_the_crop() -> None:
    pixels = photos(2, 32)
    box = torch.tensor([[0.1, 0.2, 0.6, 0.5]]).expand(2, 4)

    plain = view_of(pixels, 20, box=box)
    flipped = view_of(pixels, 20, box=box, flip=torch.tensor([True, False]))

    assert torch.equal(flipped[0], plain[0].flip(-1))
    assert torch.equal(flipped[1], plain[1])


# ---- colour

FACTORS = torch.tensor([0.6, 0.85, 1.0, 1.3])


@pytest.mark.parametrize(
    ("name", "operation"),
    [
        ("brightness", vision.adjust_brightness),
        ("contrast", vision.adjust_contrast),
        ("saturation", vision.adjust_saturation),
    ],
)
def test_each_factor_is_torchvisions(name: str, operation) -> None:  # type: ignore[no-untyped-def]
    pixels = photos(4, 16, low=80, high=150)

    found = view_of(pixels, **{name: FACTORS})

    for image, factor, view in zip(channels_first(pixels), FACTORS, found, strict=True):
        assert_near(view, operation(image, float(factor)), LUMA_TOLERANCE)


def test_grayscale_is_torchvisions() -> None:
    pixels = photos(2, 16)

    found = view_of(pixels, grayscale=torch.tensor([True, False]))

    expected = vision.rgb_to_grayscale(channels_first(pixels)[0], num_output_channels=3)
    assert_near(found[0], expected, LUMA_TOLERANCE)
    assert_near(found[1], channels_first(pixels)[1], ROUNDING)


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_jitter_in_every_order_is_torchvisions(order: tuple[int, ...]) -> None:
    # Low contrast, so that nothing is clamped in between; a third of a turn of hue, where the
    # rotation and HSV agree exactly.
    pixels = photos(1, 16, low=100, high=140)
    operations = {
        BRIGHTNESS: lambda image: vision.adjust_brightness(image, 1.2),
        CONTRAST: lambda image: vision.adjust_contrast(image, 0.7),
        SATURATION: lambda image: vision.adjust_saturation(image, 1.3),
        HUE: lambda image: vision.adjust_hue(image, 1 / 3),
    }

    found = view_of(
        pixels,
        order=torch.tensor([order]),
        brightness=torch.tensor([1.2]),
        contrast=torch.tensor([0.7]),
        saturation=torch.tensor([1.3]),
        hue=torch.tensor([1 / 3]),
    )

    expected = channels_first(pixels)
    for step in order:
        expected = operations[step](expected)
    assert_near(found, expected, LUMA_TOLERANCE)


@pytest.mark.parametrize("turns", [-1 / 3, 0.0, 1 / 3])
def test_hue_agrees_with_torchvision_at_whole_thirds_of_a_turn(turns: float) -> None:
    pixels = photos(1, 16)

    found = view_of(pixels, hue=torch.tensor([turns]))

    assert_near(found, vision.adjust_hue(channels_first(pixels), turns), 1e-4)


@pytest.mark.parametrize("turns", [-0.15, -0.1, 0.1, 0.15])
def test_hue_in_between_goes_torchvisions_way(turns: float) -> None:
    pixels = photos(1, 64)
    before = channels_first(pixels)

    found = view_of(pixels, hue=torch.tensor([turns]))

    # HSV turns along a hexagon and keeps the largest channel, we turn along a circle and keep the
    # mean: on noise we come a third of the way nearer than doing nothing, hence the factor.
    expected, opposite = (vision.adjust_hue(before, t) for t in (turns, -turns))
    distance = (found - expected).abs().mean()
    assert distance < 0.75 * (before - expected).abs().mean()
    assert distance < 0.5 * (found - opposite).abs().mean()


def test_colours_are_clamped_to_black_and_white() -> None:
    pixels = photos(2, 16)

    found = view_of(pixels, brightness=torch.tensor([3.0, 0.0]))

    assert_near(found[0], (channels_first(pixels)[0] * 3).clamp(max=1), 1e-5)
    assert_near(found[1], torch.zeros(3, 16, 16), ROUNDING)


# ---- blur and solarize


@pytest.mark.parametrize(("side", "kernel"), [(32, 3), (64, 7), (96, 9), (160, 17)])
@pytest.mark.parametrize("sigma", [0.1, 0.7, 2.0])
def test_blur_is_torchvisions(side: int, kernel: int, sigma: float) -> None:
    pixels = photos(1, side)

    found = view_of(pixels, blurred=torch.tensor([0]), sigma=torch.tensor([sigma]))

    expected = vision.gaussian_blur(channels_first(pixels), [kernel, kernel], [sigma, sigma])
    assert_near(found, expected, 1e-5)


def test_only_the_chosen_views_are_blurred_each_by_its_own_sigma() -> None:
    pixels = photos(4, 32)

    found = view_of(pixels, blurred=torch.tensor([2, 0]), sigma=torch.tensor([0.5, 1.5]))

    images = channels_first(pixels)
    assert_near(found[2], vision.gaussian_blur(images[2], [3, 3], [0.5, 0.5]), 1e-5)
    assert_near(found[0], vision.gaussian_blur(images[0], [3, 3], [1.5, 1.5]), 1e-5)
    assert_near(found[[1, 3]], images[[1, 3]], ROUNDING)


def test_solarize_is_torchvisions_at_half() -> None:
    pixels = photos(3, 16)

    found = view_of(pixels, solarized=torch.tensor([1]))

    images = channels_first(pixels)
    assert_near(found[1], vision.solarize(images[1], 0.5), 1e-5)
    assert_near(found[[0, 2]], images[[0, 2]], ROUNDING)


def test_the_operations_follow_in_torchvisions_order() -> None:
    pixels = photos(1, 40, low=90, high=150)

    found = view_of(
        pixels,
        40,
        flip=torch.tensor([True]),
        brightness=torch.tensor([1.2]),
        grayscale=torch.tensor([True]),
        blurred=torch.tensor([0]),
        sigma=torch.tensor([1.0]),
        solarized=torch.tensor([0]),
    )

    expected = vision.adjust_brightness(vision.horizontal_flip(channels_first(pixels)), 1.2)
    expected = vision.gaussian_blur(vision.rgb_to_grayscale(expected, 3), [5, 5], [1.0, 1.0])
    assert_near(found, vision.solarize(expected, 0.5), LUMA_TOLERANCE)


# ---- what is random


def test_with_all_probabilities_zero_a_view_is_the_photo() -> None:
    pixels = photos(3, 32)

    views = make_views(pixels, torch.ones(3), NOTHING_RANDOM, torch.Generator().manual_seed(1))

    assert_near(as_pixels(views, NOTHING_RANDOM), channels_first(pixels), ROUNDING)


@pytest.mark.parametrize("name", ["flip", "jitter", "grayscale", "blur", "solarize"])
def test_a_transform_of_probability_one_changes_every_view(name: str) -> None:
    pixels = photos(64, 32)
    recipe = replace(NOTHING_RANDOM, blur_sigma=(0.5, 2.0), **{name: 1.0})

    views = make_views(pixels, torch.ones(64), recipe, torch.Generator().manual_seed(1))

    changes = (as_pixels(views, recipe) - channels_first(pixels)).abs().amax(dim=(1, 2, 3))
    assert (changes > 1e-4).all()


def test_a_crop_of_a_part_changes_every_view() -> None:
    pixels = photos(64, 32)
    recipe = replace(NOTHING_RANDOM, crop_scale=(0.2, 0.8))

    views = make_views(pixels, torch.ones(64), recipe, torch.Generator().manual_seed(1))

    changes = (as_pixels(views, recipe) - channels_first(pixels)).abs().amax(dim=(1, 2, 3))
    assert (changes > 1e-2).all()


def test_exactly_the_wanted_number_of_views_is_blurred_and_solarized() -> None:
    recipe = replace(NOTHING_RANDOM, blur=0.5, solarize=0.2)

    drawn = draw_parameters(recipe, torch.ones(31), torch.Generator().manual_seed(1))

    assert len(set(drawn.blurred.tolist())) == len(drawn.sigma) == 16
    assert len(set(drawn.solarized.tolist())) == 6


def test_the_same_seed_gives_the_same_views_and_another_seed_others() -> None:
    pixels, aspect = photos(6, 90), torch.linspace(0.5, 2, 6)
    recipe = byol_recipes(64)[1]

    first, again, other = (
        make_views(pixels, aspect, recipe, torch.Generator().manual_seed(seed))
        for seed in (1, 1, 2)
    )

    assert torch.equal(first, again)
    assert not torch.isclose(first, other).flatten(1).all(dim=1).any()


def test_two_views_from_one_generator_differ() -> None:
    pixels, generator = photos(6, 90), torch.Generator().manual_seed(0)

    first, second = (
        make_views(pixels, torch.ones(6), simclr_recipe(64), generator) for _ in range(2)
    )

    assert not torch.isclose(first, second).flatten(1).all(dim=1).any()


def test_a_view_depends_on_its_own_photo_only() -> None:
    # Large enough that the batch is worked on in several blocks.
    pixels, recipe = photos(8, 256), simclr_recipe(64)
    drawn = draw_parameters(recipe, torch.ones(8), torch.Generator().manual_seed(3))
    others = pixels.clone()
    others[:7] = photos(7, 256, seed=5)

    views, views_among_others = (apply_views(p, drawn, recipe) for p in (pixels, others))

    assert torch.equal(views[7], views_among_others[7])


def test_views_are_float32_under_autocast_and_take_no_gradient() -> None:
    pixels, recipe = photos(4, 80), byol_recipes(64)[0]

    plain = make_views(pixels, torch.ones(4), recipe, torch.Generator().manual_seed(0))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = make_views(pixels, torch.ones(4), recipe, torch.Generator().manual_seed(0))

    assert torch.equal(plain, cast)
    assert plain.shape == (4, 3, 64, 64)
    assert plain.dtype == torch.float32
    assert plain.is_contiguous()
    assert not plain.requires_grad


def test_nothing_waits_for_a_gpu() -> None:
    # Fake tensors know shapes and no values: reading one, or a shape that depends on one, raises.
    with FakeTensorMode():
        pixels = torch.empty((8, 128, 128, 3), dtype=torch.uint8, device="cuda")
        aspect = torch.ones(8, device="cuda")

        views = make_views(pixels, aspect, byol_recipes(96)[1], torch.Generator())

    assert views.device.type == "cuda"
    assert views.shape == (8, 3, 96, 96)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_makes_the_views_that_the_cpu_makes_without_waiting() -> None:
    pixels, aspect, recipe = photos(16, 128), torch.linspace(0.5, 2, 16), byol_recipes(96)[1]
    on_gpu = pixels.cuda(), aspect.cuda()

    expected = make_views(pixels, aspect, recipe, torch.Generator().manual_seed(0))
    torch.cuda.set_sync_debug_mode("error")
    try:
        found = make_views(*on_gpu, recipe, torch.Generator().manual_seed(0))
    finally:
        torch.cuda.set_sync_debug_mode("default")

    torch.testing.assert_close(found.cpu(), expected, atol=1e-3, rtol=0)


# ---- recipes


def test_tiny_images_are_never_blurred() -> None:
    assert simclr_recipe(32).blur == 0
    assert [recipe.blur for recipe in byol_recipes(63)] == [0, 0]


def test_recipes_follow_the_papers() -> None:
    first, second = byol_recipes(96)

    assert simclr_recipe(96, strength=1.0).hue == 0.2
    assert (first.blur, first.solarize) == (1.0, 0.0)
    assert (second.blur, second.solarize) == (0.1, 0.2)
    assert (first.brightness, first.contrast, first.saturation, first.hue) == (0.4, 0.4, 0.2, 0.1)


def test_recipes_pass_on_what_is_chosen() -> None:
    for recipe in (
        simclr_recipe(96, crop_min=0.4, flip=0),
        *byol_recipes(96, crop_min=0.4, flip=0),
    ):
        assert recipe.crop_scale == (0.4, 1.0)
        assert recipe.flip == 0


def test_interpolation_is_bilinear() -> None:
    # A step from black to white, enlarged: the ramp between the two is straight.
    pixels = torch.zeros((1, 8, 8, 3), dtype=torch.uint8)
    pixels[:, :, 4:] = 255

    found = view_of(pixels, 32)

    expected = vision.resize(
        channels_first(pixels), [32, 32], InterpolationMode.BILINEAR, antialias=False
    )
    assert_near(found, expected, 1e-5)
