"""What is random in a view, and what never is."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from training.augment import apply_views, draw_parameters, make_views
from training.recipes import ViewRecipe, byol_recipes, simclr_recipe

# float32 through a few sums of 255 terms.
ROUNDING = 2e-6

pytestmark = pytest.mark.usefixtures("one_thread")


def test_with_all_probabilities_zero_a_view_is_the_photo(darkroom: Any) -> None:
    pixels = darkroom.photos(3, 32)

    views = make_views(
        pixels, torch.ones(3), darkroom.nothing_random, torch.Generator().manual_seed(1)
    )

    darkroom.assert_near(
        darkroom.as_pixels(views, darkroom.nothing_random),
        darkroom.channels_first(pixels),
        ROUNDING,
    )


def changes(darkroom: Any, recipe: ViewRecipe) -> torch.Tensor:
    """By how much each of 64 views differs from its photo, at the pixel where it does most."""
    pixels = darkroom.photos(64, 32)
    views = make_views(pixels, torch.ones(64), recipe, torch.Generator().manual_seed(1))
    difference = darkroom.as_pixels(views, recipe) - darkroom.channels_first(pixels)
    return difference.abs().amax(dim=(1, 2, 3))


@pytest.mark.parametrize("name", ["flip", "jitter", "grayscale", "blur", "solarize"])
def test_a_transform_of_probability_one_changes_every_view(darkroom: Any, name: str) -> None:
    recipe = replace(darkroom.nothing_random, blur_sigma=(0.5, 2.0), **{name: 1.0})
    assert (changes(darkroom, recipe) > 1e-4).all()


def test_a_crop_of_a_part_changes_every_view(darkroom: Any) -> None:
    recipe = replace(darkroom.nothing_random, crop_scale=(0.2, 0.8))
    assert (changes(darkroom, recipe) > 1e-2).all()


def test_exactly_the_wanted_number_of_views_is_blurred_and_solarized(darkroom: Any) -> None:
    recipe = replace(darkroom.nothing_random, blur=0.5, solarize=0.2)

    drawn = draw_parameters(recipe, torch.ones(31), torch.Generator().manual_seed(1))

    assert len(set(drawn.blurred.tolist())) == len(drawn.sigma) == 16
    assert len(set(drawn.solarized.tolist())) == 6


def test_the_same_seed_gives_the_same_views_and_another_seed_others(darkroom: Any) -> None:
    pixels, aspect = darkroom.photos(6, 90), torch.linspace(0.5, 2, 6)
    recipe = byol_recipes(64)[1]

    first, again, other = (
        make_views(pixels, aspect, recipe, torch.Generator().manual_seed(seed))
        for seed in (1, 1, 2)
    )

    assert torch.equal(first, again)
    assert not torch.isclose(first, other).flatten(1).all(dim=1).any()


def test_two_views_from_one_generator_differ(darkroom: Any) -> None:
    pixels, generator = darkroom.photos(6, 90), torch.Generator().manual_seed(0)

    first, second = (
        make_views(pixels, torch.ones(6), simclr_recipe(64), generator) for _ in range(2)
    )

    assert not torch.isclose(first, second).flatten(1).all(dim=1).any()


def test_a_view_depends_on_its_own_photo_only(darkroom: Any) -> None:
    # Large enough that the batch is worked on in several blocks.
    pixels, recipe = darkroom.photos(8, 256), simclr_recipe(64)
    drawn = draw_parameters(recipe, torch.ones(8), torch.Generator().manual_seed(3))
    others = pixels.clone()
    others[:7] = darkroom.photos(7, 256, seed=5)

    views, views_among_others = (apply_views(p, drawn, recipe) for p in (pixels, others))

    assert torch.equal(views[7], views_among_others[7])


def test_views_are_float32_under_autocast_and_take_no_gradient(darkroom: Any) -> None:
    pixels, recipe = darkroom.photos(4, 80), byol_recipes(64)[0]

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
def test_a_gpu_makes_the_views_that_the_cpu_makes_without_waiting(darkroom: Any) -> None:
    pixels, aspect, recipe = (
        darkroom.photos(16, 128),
        torch.linspace(0.5, 2, 16),
        byol_recipes(96)[1],
    )
    on_gpu = pixels.cuda(), aspect.cuda()

    expected = make_views(pixels, aspect, recipe, torch.Generator().manual_seed(0))
    torch.cuda.set_sync_debug_mode("error")
    try:
        found = make_views(*on_gpu, recipe, torch.Generator().manual_seed(0))
    finally:
        torch.cuda.set_sync_debug_mode("default")

    torch.testing.assert_close(found.cpu(), expected, atol=1e-3, rtol=0)


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
