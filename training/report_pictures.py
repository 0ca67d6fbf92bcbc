"""The pictures of a report as PNG files, for slides and papers."""

from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from training.files import replacing
from training.report_content import Look
from training.sides import THUMBNAIL, thumbnail

NEIGHBOURS_FILE = "neighbours.png"
MAP_FILE = "map.png"

_GAP = 6
_WIDE_GAP = 28


def write_neighbours(look: Look, file: Path) -> None:
    """A row a query: the photo, its neighbours before, its neighbours after."""
    step = THUMBNAIL + _GAP
    longest = max(len(before) for before, _ in look.hits)
    width = (1 + 2 * longest) * step + 2 * _WIDE_GAP
    sheet = Image.new("RGB", (width, len(look.queries) * step + _GAP), "white")
    for row, (query, (before, after)) in enumerate(zip(look.queries, look.hits, strict=True)):
        x = _GAP
        for group in (np.array([query]), before, after):
            for index in group:
                photo = thumbnail(look.root, look.paths[int(index)])
                sheet.paste(photo, (x, _GAP + row * step))
                x += step
            x += _WIDE_GAP - _GAP
    with replacing(file) as temporary:
        sheet.save(temporary, format="PNG")


def write_maps(look: Look, file: Path) -> None:
    """The maps side by side; nothing for too few photos."""
    if not look.maps:
        return
    figure = Figure(figsize=(5 * len(look.maps), 5), layout="constrained")
    FigureCanvasAgg(figure)
    every = figure.subplots(1, len(look.maps), squeeze=False)[0]
    colours = colormaps["tab20"](look.codes % 20)
    for axes, side, points in zip(every, look.sides, look.maps, strict=True):
        axes.scatter(points[:, 0], points[:, 1], c=colours, s=10)
        axes.set_title(side)
        axes.set_xticks([])
        axes.set_yticks([])
    with replacing(file) as temporary:
        figure.savefig(temporary, format="png", dpi=110)
