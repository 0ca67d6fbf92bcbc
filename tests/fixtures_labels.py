"""A small gallery with two kinds of photos and labels for them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from indexer.gallery import Gallery
from indexer.labels import Labels

# Reddish above or bluish above; below each is a mosaic of its own, so that none are near-copies.
COLOURS = {"red": (230, 30, 30), "blue": (30, 30, 230)}


@dataclass(frozen=True)
class Wardrobe:
    """Photos red-00.png to red-23.png and the same of blue; all but the last twelve labelled."""

    photos: Path
    gallery: Gallery
    labels: Labels

    @property
    def folder(self) -> Path:
        return self.gallery.info().folder

    @property
    def catalogue(self) -> Path:
        return self.labels.path

    def id_of(self, name: str) -> int:
        ids = self.gallery.embeddings()[0].tolist()
        found = self.gallery.photos(ids)
        return next(i for i in ids if found[i].path == name.encode("utf-8", "surrogateescape"))


def paint_mosaic(path: Path, kind: str, seed: int) -> None:
    """A photo of a kind."""
    tiles = np.random.default_rng([seed, len(kind)]).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    tiles[:2] = COLOURS[kind]
    Image.fromarray(tiles).resize((40, 40), Image.Resampling.NEAREST).save(path)


@pytest.fixture
def wardrobe(studio: Any) -> Wardrobe:
    """A gallery of 48 photos, 12 of each kind labelled."""
    for path in list(studio.photos.rglob("*.png")):
        path.unlink()
    for kind in COLOURS:
        for number in range(24):
            paint_mosaic(studio.photos / f"{kind}-{number:02d}.png", kind, number)
    studio.build()
    made = Wardrobe(studio.photos, studio.gallery(), Labels(studio.folder / "catalogue.sqlite"))
    for kind in COLOURS:
        ids = [made.id_of(f"{kind}-{number:02d}.png") for number in range(12)]
        made.labels.put(ids, kind, source="search", who="anna")
    return made
