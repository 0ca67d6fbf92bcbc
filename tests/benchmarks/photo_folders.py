"""Folders of photos for the benchmarks to work on."""

import os
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from training.evaluate import folder_labels
from training.monitor import prepare_photos
from training.photos import FoundFile, read_photo, walk
from training.spec import Preprocessing


def linked(photos: Path, folder: Path, *, most: int) -> Path:
    """A new folder with links to the first photos of another one."""
    folder.mkdir()
    for number, path in enumerate(_first(photos, most)):
        # Other programs go by the name's end.
        (folder / f"{number:07d}{path.suffix}").symlink_to(path.resolve())
    return folder


def enlarged(photos: Path, folder: Path, *, most: int, megapixels: float, seed: int = 0) -> Path:
    """A new folder with the first photos of another one as cameras would store them.

    Enlarged to so many megapixels, with a sensor's noise so that the file has a camera's size, as
    JPEG of quality 90 with halved colour. The same seed gives the same files.
    """
    folder.mkdir()
    draw = np.random.default_rng(seed)
    for number, path in enumerate(_first(photos, most)):
        image = read_photo(path).image
        scale = (megapixels * 1e6 / (image.width * image.height)) ** 0.5
        size = (round(image.width * scale), round(image.height * scale))
        large = np.asarray(image.resize(size, Image.Resampling.BICUBIC))
        grain = draw.integers(-6, 7, (256, 256, 1), dtype=np.int16)
        tiles = (-(-large.shape[0] // 256), -(-large.shape[1] // 256), 1)
        noise = np.tile(grain, tiles)[: large.shape[0], : large.shape[1]]
        pixels = np.clip(large + noise, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:07d}.jpg", quality=90, subsampling="4:2:0")
    return folder


def paths_of(folder: Path) -> tuple[bytes, ...]:
    """The photos below a folder, relative to it."""
    return tuple(item.path for item in walk(folder) if isinstance(item, FoundFile))


def labelled_photos(folder: Path, preprocessing: Preprocessing) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (n, size, size, 3) uint8 and labels (n,) of photos in class folders."""
    paths = paths_of(folder)
    labels = folder_labels(paths)
    if labels is None:
        raise SystemExit(f"{folder} does not hold class folders")
    pixels, kept = prepare_photos(folder, paths, preprocessing)
    return pixels, labels[kept]


def _first(photos: Path, most: int) -> list[Path]:
    found = (item for item in walk(photos) if isinstance(item, FoundFile))
    return [photos / os.fsdecode(item.path) for item in islice(found, most)]
