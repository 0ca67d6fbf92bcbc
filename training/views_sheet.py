"""The sheet of views: what training sees, as a picture."""

import os
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from training.augment import make_views
from training.batches import Batch, PhotoBatches
from training.cache import squash
from training.config import TrainConfig
from training.errors import CollectionError, PhotoError
from training.files import replacing
from training.photos import FoundFile, read_photo, walk
from training.planning import choose, choose_network, suit_start, survey
from training.randomness import VIEWS, generator_for
from training.recipes import ViewRecipe, view_recipes
from training.runs import VIEWS_FILE

SHEET_PHOTOS = 8
SHEET_VIEWS = 3  # of each recipe
_GAP = 4


def write_views(
    run: Path, batches: PhotoBatches, recipes: tuple[ViewRecipe, ViewRecipe], seed: int
) -> None:
    """A sheet of what a run sees, in its folder."""
    shown = first_photos(batches.at(0), SHEET_PHOTOS)
    _save(draw_views(shown.pixels, shown.aspects, recipes, seed), run / VIEWS_FILE)


def first_photos(batch: Batch, count: int) -> Batch:
    """Up to `count` photos of a batch, on the CPU.

    Where processes share a batch its parts lie on two devices, and views want one; a sheet's few
    photos are drawn anywhere.
    """
    count = min(count, len(batch.pixels))
    return Batch(*(part[:count].cpu() for part in (batch.pixels, batch.labels, batch.aspects)))


def preview(config: TrainConfig, out: Path, *, photos: int, has_cuda: bool) -> int:
    """Write the sheet that a run with these options would begin with; no weights are needed.

    Args:
        config: what a run would be asked for.
        out: the PNG to write.
        photos: how many to show, spread evenly over the folder.
        has_cuda: whether a run would have a GPU.

    Returns:
        How many photos are shown; files that cannot be used are passed over.

    Raises:
        CollectionError: none of the files can be used.
    """
    found = survey(config.photos)
    start = "random" if config.init == "random" else "imagenet"
    network = choose_network(config, found, has_cuda=has_cuda)
    plan = choose(config, found, suit_start(network, config, start, small_stem=False), start)
    pixels, aspects = _some_photos(config.photos, photos, plan.cache_size)
    _save(draw_views(pixels, aspects, view_recipes(plan), plan.seed), out)
    return len(pixels)


def draw_views(
    pixels: Tensor, aspects: Tensor, recipes: tuple[ViewRecipe, ViewRecipe], seed: int
) -> Image.Image:
    """A row a photo, the photo itself first, then three views of each recipe in turn.

    `pixels` are `(n, s, s, 3)` uint8, `aspects` `(n,)` their true width / height.
    """
    size = recipes[0].image_size
    columns = [_shrunk(pixels, size)]
    for number in range(SHEET_VIEWS * len(recipes)):
        recipe = recipes[number % len(recipes)]
        generator = generator_for(seed, VIEWS, number, device=pixels.device)
        columns.append(_pictures(make_views(pixels, aspects, recipe, generator), recipe))
    return _sheet(columns, size)


def _some_photos(root: Path, count: int, size: int) -> tuple[Tensor, Tensor]:
    """Up to `count` photos as the cache would hold them, and their aspect ratios."""
    files = [file for file in walk(root) if isinstance(file, FoundFile)]
    # Spread evenly; the others stand in where one cannot be used.
    spread = files[:: max(1, len(files) // count)]
    rows: list[np.ndarray] = []
    aspects: list[float] = []
    for file in [*spread, *(file for file in files if file not in spread)]:
        if len(rows) == count:
            break
        try:
            photo = read_photo(root / os.fsdecode(file.path), at_least=size)
        except PhotoError:
            continue
        rows.append(squash(photo, size))
        aspects.append(photo.width / photo.height)
    if not rows:
        raise CollectionError(
            f"none of the {len(files):,} files in {root} is a photo that can be read",
            hint="give the folder that holds your photos",
        )
    return torch.from_numpy(np.stack(rows)), torch.tensor(aspects)


def _shrunk(pixels: Tensor, size: int) -> list[Image.Image]:
    arrays = pixels.cpu().numpy()
    return [Image.fromarray(array).resize((size, size)) for array in arrays]


def _pictures(views: Tensor, recipe: ViewRecipe) -> list[Image.Image]:
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
