"""Batched views on the training device, with random parameters for every photo of its own.

Crop and flip are one resampling; brightness, contrast, saturation, hue, grayscale and
normalisation are linear in RGB and become one matrix per view; blur and solarize touch an exact
number of views, so that every shape is known in advance. Nothing here waits for a GPU.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from training.image_ops import (
    Jitter,
    blur,
    blur_matrices,
    clamp,
    colour_map,
    crop_and_flip,
    solarize,
)
from training.recipes import ViewRecipe

# How often a random box may miss the photo before the largest that fits is taken (torchvision).
_CROP_ATTEMPTS = 10

# What a view costs in random numbers; a batch draws them all at once and moves them at once.
_DRAWS = {
    "area": _CROP_ATTEMPTS,
    "ratio": _CROP_ATTEMPTS,
    "place": 2,
    "flip": 1,
    "jitter": 1,
    "order": 4,
    "factors": 4,
    "grayscale": 1,
    "blur": 1,
    "sigma": 1,
    "solarize": 1,
}

# On a CPU this many floats of photos are worked on at a time: they stay in the processor's cache,
# and the system does not hand out large temporaries page by page. Measured: 2 times at 160 px.
_BLOCK_FLOATS = 1 << 20


@dataclass(frozen=True, eq=False)
class ViewParameters:
    """What was drawn for a batch of B views, all on one device; everything else is arithmetic."""

    box: Tensor  # (B, 4) left, top, width, height as fractions of the photo's sides
    flip: Tensor  # (B,) bool
    jitter: Jitter
    blurred: Tensor  # (n,) int64, which views
    sigma: Tensor  # (n,) theirs, in pixels
    solarized: Tensor  # (m,) int64, which views
    turn: Tensor | None = None  # (B, 2, 2), see image_ops.crop_and_flip


def make_views(
    pixels: Tensor, aspect: Tensor, recipe: ViewRecipe, generator: torch.Generator
) -> Tensor:
    """One random view of every photo; the same generator state gives the same views.

    Args:
        pixels: `(B, S, S, 3)` uint8 RGB, each photo squashed to a square, on any device.
        aspect: `(B,)` float32 on that device, width / height of the photo before.
        recipe: how views are made.
        generator: on the CPU or on that device; it advances by a fixed amount per view.

    Returns:
        `(B, 3, image_size, image_size)` float32, normalised, on the device of `pixels`.
    """
    return apply_views(pixels, draw_parameters(recipe, aspect, generator), recipe)


def draw_parameters(
    recipe: ViewRecipe, aspect: Tensor, generator: torch.Generator
) -> ViewParameters:
    """Draw what `apply_views` needs for photos whose width / height is `aspect`, `(B,)`."""
    batch = len(aspect)
    shape = (batch, sum(_DRAWS.values()))
    block = torch.rand(shape, generator=generator, device=generator.device)
    columns = torch.split(block.to(aspect.device, non_blocking=True), list(_DRAWS.values()), dim=1)
    draws = dict(zip(_DRAWS, columns, strict=True))
    blurred = draws["blur"][:, 0].argsort()[: round(recipe.blur * batch)]
    low, high = recipe.blur_sigma
    return ViewParameters(
        box=_boxes(recipe, aspect, draws),
        flip=draws["flip"][:, 0] < recipe.flip,
        jitter=_jitter(recipe, draws),
        blurred=blurred,
        sigma=low + (high - low) * draws["sigma"][: len(blurred), 0],
        solarized=draws["solarize"][:, 0].argsort()[: round(recipe.solarize * batch)],
        turn=_turns(aspect, generator) if recipe.turn else None,
    )


def share_of(parameters: ViewParameters, rows: slice, device: torch.device) -> ViewParameters:
    """The part of a batch's parameters, on the CPU, that is for some of its rows, on a device."""
    jitter = {name: value[rows].to(device) for name, value in vars(parameters.jitter).items()}
    low, high = rows.start, rows.stop
    blurred = (parameters.blurred >= low) & (parameters.blurred < high)
    solarized = (parameters.solarized >= low) & (parameters.solarized < high)
    return ViewParameters(
        box=parameters.box[rows].to(device),
        flip=parameters.flip[rows].to(device),
        jitter=Jitter(**jitter),
        blurred=(parameters.blurred[blurred] - low).to(device),
        sigma=parameters.sigma[blurred].to(device),
        solarized=(parameters.solarized[solarized] - low).to(device),
        turn=None if parameters.turn is None else parameters.turn[rows].to(device),
    )


@torch.no_grad()
def apply_views(pixels: Tensor, parameters: ViewParameters, recipe: ViewRecipe) -> Tensor:
    """The views that `parameters` describe; shapes as in `make_views`.

    In torchvision's order: crop and flip, jitter, grayscale, blur, solarize, normalise. Colours are
    clamped once, after grayscale, where torchvision clamps after each operation.
    """
    batch, side, size = len(pixels), pixels.shape[1], recipe.image_size
    block = batch if pixels.is_cuda else max(1, _BLOCK_FLOATS // (3 * side * side))
    views = torch.empty((batch, 3, size, size), device=pixels.device)
    flat = views.view(batch, 3, size * size)
    # Under autocast the products would be taken in 8 bits of mantissa.
    with torch.autocast(pixels.device.type, enabled=False):
        colours = colour_map(parameters.jitter, recipe.mean, recipe.std)
        for start in range(0, batch, block):
            rows = slice(start, start + block)
            turn = None if parameters.turn is None else parameters.turn[rows]
            box, flip = parameters.box[rows], parameters.flip[rows]
            crops = crop_and_flip(pixels[rows], box, flip, size, turn=turn)
            colours.apply(crops, rows, out=flat[rows])
            clamp(flat[rows], recipe.mean, recipe.std)
        matrices = blur_matrices(parameters.sigma, size)
        for start in range(0, len(matrices), block):
            chosen = parameters.blurred[start : start + block]
            blurred = blur(views.index_select(0, chosen), matrices[start : start + block])
            views.index_copy_(0, chosen, blurred)
        chosen = parameters.solarized
        solarized = solarize(views.index_select(0, chosen), recipe.mean, recipe.std)
        return views.index_copy_(0, chosen, solarized)


def _boxes(recipe: ViewRecipe, aspect: Tensor, draws: dict[str, Tensor]) -> Tensor:
    """Random resized crops as torchvision defines them, `(B, 4)` in fractions of the photo.

    Area and ratio are those of the true photo: a box is squashed as the photo is. The first of
    ten that fits is taken, else the largest of an allowed ratio; that one is placed at random
    too, where torchvision centres it and so never sees the ends of a panorama.
    """
    smallest, largest = recipe.crop_scale
    low, high = (math.log(ratio) for ratio in recipe.crop_ratio)
    area = smallest + (largest - smallest) * draws["area"]  # (B, 10)
    ratio = (low + (high - low) * draws["ratio"]).exp()  # (B, 10)
    true = aspect[:, None]  # (B, 1)
    nearest = true.clamp(*recipe.crop_ratio)
    width = torch.cat(((area * ratio / true).sqrt(), (nearest / true).clamp(max=1)), dim=1)
    height = torch.cat(((area * true / ratio).sqrt(), (true / nearest).clamp(max=1)), dim=1)
    fits = (width <= 1) & (height <= 1)  # (B, 11), the last always
    first = fits.to(torch.uint8).argmax(dim=1, keepdim=True)
    sides = torch.cat((width.gather(1, first), height.gather(1, first)), dim=1)  # (B, 2)
    return torch.cat((draws["place"] * (1 - sides), sides), dim=1)


def _turns(aspect: Tensor, generator: torch.Generator) -> Tensor:
    """Random rotations of the true photo, `(B, 2, 2)`, in fractions of its sides."""
    draws = torch.rand(len(aspect), generator=generator, device=generator.device)
    angle = 2 * math.pi * draws.to(aspect.device, non_blocking=True)
    across, down = angle.cos(), angle.sin()
    rows = (across, -down / aspect, down * aspect, across)
    return torch.stack(rows, dim=1).view(-1, 2, 2)


def _jitter(recipe: ViewRecipe, draws: dict[str, Tensor]) -> Jitter:
    jittered = draws["jitter"][:, 0] < recipe.jitter
    brightness, contrast, saturation, hue = draws["factors"].unbind(dim=1)
    return Jitter(
        order=draws["order"].argsort(dim=1),
        brightness=_factor(brightness, recipe.brightness, jittered),
        contrast=_factor(contrast, recipe.contrast, jittered),
        saturation=_factor(saturation, recipe.saturation, jittered),
        hue=recipe.hue * (2 * hue - 1) * jittered,
        grayscale=draws["grayscale"][:, 0] < recipe.grayscale,
    )


def _factor(draw: Tensor, spread: float, jittered: Tensor) -> Tensor:
    """Factors `(B,)`, uniform in 1 +- spread but never negative; 1 where not jittered."""
    low = max(0.0, 1 - spread)
    return torch.where(jittered, low + (1 + spread - low) * draw, 1.0)
