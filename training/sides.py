"""Two encoders that look at the same photos: before and after training, or two runs."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from training.checkpoint import EncoderWeights, load_encoder
from training.errors import CollectionError, Interrupted, PhotoError
from training.evaluate import centred, unit
from training.models import restore_backbone, to_device
from training.monitor import embed
from training.photos import FoundFile, Photo, read_photo, walk
from training.progress import Progress
from training.runs import RunFolder
from training.spec import Preprocessing
from training.verdict import START, TRAINED

THUMBNAIL = 132

_PHOTOS_AT_ONCE = 32


@dataclass(frozen=True, eq=False)
class Side:
    """An encoder under the name that people know it by."""

    name: str
    weights: EncoderWeights


@dataclass(frozen=True, eq=False)
class Seen:
    """Photos that could be read, as every side sees them."""

    paths: tuple[bytes, ...]  # (n,)
    rows: tuple[np.ndarray, ...]  # a side: (n, d) float32, centred unit embeddings
    skipped: int  # photos that could not be read


def before_and_after(run: RunFolder) -> tuple[Side, Side]:
    """The start of a run, and what it exports; the trained weights where that is the start."""
    start, exported = load_encoder(run.start), load_encoder(run.encoder)
    if start.same_network(exported):
        return Side(START, start), Side(TRAINED, load_encoder(run.trained))
    return Side(START, start), Side("exported", exported)


def sample_paths(root: Path, count: int, seed: int) -> tuple[bytes, ...]:
    """Some files of a folder, drawn evenly, in the order of their paths.

    Raises:
        CollectionError: the folder is missing or holds no files.
    """
    paths = [file.path for file in walk(root) if isinstance(file, FoundFile)]
    if not paths:
        raise CollectionError(
            f"{root} holds no files", hint="say where the photos are with --photos"
        )
    chosen = np.sort(np.random.default_rng(seed).permutation(len(paths))[:count])
    return tuple(paths[i] for i in chosen)


def see(
    root: Path,
    paths: tuple[bytes, ...],
    sides: tuple[Side, ...],
    *,
    progress: Progress,
    stop: Callable[[], bool],
) -> Seen:
    """Embed photos with every side; each is decoded once, and what cannot be read is counted.

    Raises:
        Interrupted: `stop` said so.
        CollectionError: none can be read.
    """
    networks = [restore_backbone(side.weights.spec, side.weights.tensors) for side in sides]
    cpu = torch.device("cpu")
    for network in networks:
        to_device(network, cpu)
    kept: list[bytes] = []
    rows: list[list[np.ndarray]] = [[] for _ in sides]
    progress.start("embedding", total=len(paths), unit="photos")
    for first in range(0, len(paths), _PHOTOS_AT_ONCE):
        if stop():
            raise Interrupted("stopped; nothing was written")
        part = paths[first : first + _PHOTOS_AT_ONCE]
        photos = _read(root, part, [side.weights.spec.preprocessing for side in sides])
        kept += [path for path, _ in photos]
        for number, side in enumerate(sides):
            spec = side.weights.spec.preprocessing
            if photos:
                pixels = np.stack([spec.prepare(photo.image) for _, photo in photos])
                rows[number].append(embed(networks[number], pixels, spec, cpu))
        progress.advance(len(part))
    progress.finish()
    if not kept:
        raise CollectionError(
            f"none of the {len(paths)} files in {root} is a photo that can be read",
            hint="say where the photos are with --photos",
        )
    # One photo has no others to be centred by.
    settle = centred if len(kept) > 1 else unit
    return Seen(
        tuple(kept), tuple(settle(np.concatenate(found)) for found in rows), len(paths) - len(kept)
    )


def nearest(rows: np.ndarray, query: int, count: int) -> np.ndarray:
    """Indices of the rows most similar to a row `query`, best first, itself left out."""
    scores = rows @ rows[query]
    scores[query] = -np.inf
    order = np.argsort(-scores, kind="stable")
    return order[: min(count, len(rows) - 1)]


def thumbnail(root: Path, path: bytes, side: int = THUMBNAIL) -> Image.Image:
    """The middle square of a photo; grey where it can no longer be read."""
    try:
        photo = read_photo(root / os.fsdecode(path), at_least=side)
    except PhotoError:
        return Image.new("RGB", (side, side), "grey")
    return Image.fromarray(Preprocessing(side, crop_fraction=1.0).prepare(photo.image))


def _read(
    root: Path, paths: tuple[bytes, ...], wanted: list[Preprocessing]
) -> list[tuple[bytes, Photo]]:
    at_least = max(preprocessing.at_least for preprocessing in wanted)
    found = []
    for path in paths:
        try:
            found.append((path, read_photo(root / os.fsdecode(path), at_least=at_least)))
        except PhotoError:
            continue
    return found
