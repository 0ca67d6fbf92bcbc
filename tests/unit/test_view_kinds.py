"""Views for collections in which direction or colour means something."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as vision

from training.augment import draw_parameters, make_views
from training.config import VIEWS
from training.recipes import ViewRecipe, byol_recipes, simclr_recipe, suited

pytestmark = pytest.mark.usefixtures("one_thread")


def turned(angle: float, aspect: float = 1.0) -> torch.Tensor:
    """The matrix of a turn of a photo `aspect` times as wide as high."""
    across, down = math.cos(angle), math.sin(angle)
    return torch.tensor([[[across, -down / aspect], [down * aspect, across]]])


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_a_quarter_turn_is_exact(darkroom: Any, quarters: int) -> None:
    pixels = darkroom.photos(1, 24)

    found = darkroom.view_of(pixels, turn=turned(quarters * math.pi / 2))

    expected = torch.rot90(darkroom.channels_first(pixels), quarters, (2, 3))
    darkroom.assert_near(found, expected, 1e-4)


@pytest.mark.parametrize("degrees", [20.0, 77.0, -140.0])
def test_a_turn_is_torchvisions_rotation(darkroom: Any, degrees: float) -> None:
    pixels = darkroom.photos(1, 40)

    found = darkroom.view_of(pixels, turn=turned(math.radians(degrees)))

    expected = vision.rotate(darkroom.channels_first(pixels), degrees, InterpolationMode.BILINEAR)
    # Torchvision is black outside the photo, where we mirror it: compare well inside.
    darkroom.assert_near(found[..., 12:28, 12:28], expected[..., 12:28, 12:28], 1e-4)


def test_a_turn_keeps_the_true_shape_of_a_squashed_photo(darkroom: Any) -> None:
    # A wide photo holds a disc; squashed to a square it is an ellipse, and a disc in every view.
    down, across = torch.meshgrid(
        torch.linspace(-1, 1, 64), torch.linspace(-2, 2, 64), indexing="ij"
    )
    disc = ((down**2 + across**2) < 0.6**2)[None, :, :, None].expand(1, 64, 64, 3)
    pixels = (disc * 255).to(torch.uint8).contiguous()
    box = torch.tensor([[0.25, 0.0, 0.5, 1.0]])

    plain, found = (
        darkroom.view_of(pixels, 64, box=box, turn=turned(angle, aspect=2.0)) for angle in (0, 0.9)
    )

    # The two differ in the pixels along the edge only.
    assert ((plain > 0.5) ^ (found > 0.5)).float().mean() < 0.02


def test_what_lies_outside_a_turned_photo_is_mirrored_into_it(darkroom: Any) -> None:
    pixels = darkroom.photos(1, 32, low=100)

    found = darkroom.view_of(pixels, turn=turned(math.pi / 4))

    assert found.min() > 0.35  # no black corners


def test_any_orientation_turns_each_view_by_an_angle_of_its_own() -> None:
    recipe = suited(simclr_recipe(64), "any-orientation")
    aspect = torch.full((4000,), 1.5)

    turn = draw_parameters(recipe, aspect, torch.Generator().manual_seed(0)).turn

    assert turn is not None
    angle = torch.atan2(turn[:, 1, 0] / 1.5, turn[:, 0, 0])
    counts = torch.histc(angle, 8, -math.pi, math.pi)
    assert counts.min() > 400  # of 500 expected
    torch.testing.assert_close(torch.linalg.det(turn), torch.ones(4000), atol=1e-5, rtol=0)


def test_the_usual_recipe_draws_what_it_drew_before_turns_existed() -> None:
    recipe, aspect = simclr_recipe(64), torch.ones(8)
    plain, turning = (
        draw_parameters(replace(recipe, turn=turn), aspect, torch.Generator().manual_seed(0))
        for turn in (False, True)
    )

    assert plain.turn is None
    assert torch.equal(plain.box, turning.box)
    assert torch.equal(plain.jitter.hue, turning.jitter.hue)


def colours_only(recipe: ViewRecipe) -> ViewRecipe:
    return replace(recipe, crop_scale=(1.0, 1.0), crop_ratio=(1.0, 1.0), flip=0, blur=0)


def test_where_colour_matters_hue_and_saturation_stay(darkroom: Any) -> None:
    for recipe in (*byol_recipes(32, strength=1.0), simclr_recipe(32, strength=1.0)):
        kept = replace(suited(colours_only(recipe), "colour-matters"), contrast=0.0)
        pixels = darkroom.photos(32, 32, low=20, high=120)

        views = make_views(pixels, torch.ones(32), kept, torch.Generator().manual_seed(0))

        found, before = darkroom.as_pixels(views, kept), darkroom.channels_first(pixels)
        ratio = found / before
        # Brightness alone is left: one factor for all three channels of all pixels.
        inside = (found < 0.99).all(dim=1, keepdim=True).expand_as(ratio)
        for image, chosen in zip(ratio, inside, strict=True):
            assert image[chosen].max() - image[chosen].min() < 1e-3


def test_where_left_and_right_matter_nothing_is_mirrored() -> None:
    for views in ("no-mirror", "shapes"):
        recipe = suited(simclr_recipe(64), views)
        drawn = draw_parameters(recipe, torch.ones(200), torch.Generator().manual_seed(0))
        assert not drawn.flip.any()


def test_every_kind_of_views_can_be_made(darkroom: Any) -> None:
    for views in VIEWS:
        for recipe in byol_recipes(64):
            made = make_views(
                darkroom.photos(4, 80), torch.ones(4), suited(recipe, views),
                torch.Generator().manual_seed(0),
            )  # fmt: skip
            assert made.isfinite().all(), views
