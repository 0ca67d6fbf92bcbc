"""The sheet of views: what training sees, as a picture."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from training.augment import make_views
from training.batches import PhotoBatches
from training.files import replacing
from training.randomness import VIEWS, generator_for
from training.recipes import ViewRecipe
from training.runs import VIEWS_FILE

SHEET_PHOTOS = 8
SHEET_VIEWS = 3  # of each recipe
_GAP = 4


def write_views(
    run: Path, batches: PhotoBatches, recipes: tuple[ViewRecipe, ViewRecipe], seed: int
) -> None:
    """A sheet of what training sees: a row a photo, the photo itself first, then its views."""
    batch = batches.at(0)
    pixels, aspects = batch.pixels[:SHEET_PHOTOS], batch.aspects[:SHEET_PHOTOS]
    size = recipes[0].image_size
    columns = [_shrunk(pixels, size)]
    for number in range(SHEET_VIEWS * len(recipes)):
        recipe = recipes[number % len(recipes)]
        generator = generator_for(seed, VIEWS, number, device=pixels.device)
        columns.append(_pictures(make_views(pixels, aspects, recipe, generator), recipe))
    _save(_sheet(columns, size), run / VIEWS_FILE)


def _shrunk(pixels: torch.Tensor, size: int) -> list[Image.Image]:
    arrays = pixels.cpu().numpy()
    return [Image.fromarray(array).resize((size, size)) for array in arrays]


def _pictures(views: torch.Tensor, recipe: ViewRecipe) -> list[Image.Image]:
    """Normalised views `(n, 3, s, s)` as pictures."""
    mean, std = np.array(recipe.mean), np.array(recipe.std)
    arrays = views.permute(0, 2, 3, 1).cpu().numpy() * std + mean
    return [Image.fromarray((array * 255).clip(0, 255).astype(np.uint8)) for array in arrays]


def _sheet(columns: list[list[Image.Image]], size: int) -> Image.Image:
    step = size + _GAP
    rows = max(len(column) for column in columns)
    sheet = Image.new("RGB", (len(columns) * step + _GAP, rows * step + _GAP), "white")
    for x, column in enumerate(columns):
        for y, picture in enumerate(column):
            sheet.paste(picture, (_GAP + x * step, _GAP + y * step))
    return sheet


def _save(image: Image.Image, path: Path) -> None:
    with replacing(path) as temporary:
        image.save(temporary, format="PNG")
