"""Pictures of a run: the augmented views, the curves."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from training.augment import ViewRecipe, make_views
from training.files import replacing
from training.metrics import read_metrics
from training.randomness import VIEWS, generator_for
from training.runs import CURVES_FILE, VIEWS_FILE
from training.trainer import PhotoBatches

SHEET_PHOTOS = 8
SHEET_VIEWS = 3  # of each recipe
_GAP = 4


def write_views(
    run: Path, batches: PhotoBatches, recipes: tuple[ViewRecipe, ViewRecipe], seed: int
) -> None:
    """A sheet of what training sees: a row a photo, the photo itself first, then its views."""
    pixels, aspects = batches.at(0)
    pixels, aspects = pixels[:SHEET_PHOTOS], aspects[:SHEET_PHOTOS]
    size = recipes[0].image_size
    columns = [_shrunk(pixels, size)]
    for number in range(SHEET_VIEWS * len(recipes)):
        recipe = recipes[number % len(recipes)]
        generator = generator_for(seed, VIEWS, number, device=pixels.device)
        columns.append(_pictures(make_views(pixels, aspects, recipe, generator), recipe))
    _save(_sheet(columns, size), run / VIEWS_FILE)


def write_curves(run: Path) -> None:
    """Loss, learning rate and held-out quality over the steps of a run; nothing without any."""
    lines = read_metrics(run)
    training = [line for line in lines if line["group"] == "train"]
    quality = [line for line in lines if line["group"] == "quality"]
    if not training and not quality:
        return
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    losses, found, ranks = figure.subplots(1, 3)
    _curve(losses, training, "loss", "loss")
    _curve(found, quality, "retrieval", "other view found first", marker="o")
    if any("knn" in line for line in quality):
        _curve(found, quality, "knn", "k-NN accuracy", marker="s")
    _curve(ranks, quality, "rank", "effective rank", marker="o")
    for axes in (losses, found, ranks):
        axes.set_xlabel("step")
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    with replacing(run / CURVES_FILE) as temporary:
        figure.savefig(temporary, format="png", dpi=110)


def _curve(
    axes: Any, lines: list[dict[str, Any]], name: str, label: str, *, marker: str = ""
) -> None:
    points = [(line["step"], line[name]) for line in lines if name in line]
    axes.plot([x for x, _ in points], [y for _, y in points], label=label, marker=marker)


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
