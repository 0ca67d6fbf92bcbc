"""How good is a gallery at search? Figures by class folders, and a sheet to look at."""

import os
from contextlib import suppress
from dataclasses import dataclass
from os import fsdecode
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from indexer.catalogue import Catalogue
from indexer.folder import GalleryFolder
from indexer.wording import shown
from training.console import readable
from training.errors import GalleryError, PhotoError
from training.evaluate import centred, folder_labels, unit
from training.photos import read_photo
from training.spec import EncoderSpec, Preprocessing

# Photos that the figures are taken from at most: all pairs are compared.
JUDGED_MAX = 3000

# Raw pixels are compared at this size: enough for the picture, small enough to keep in memory.
RAW_SIZE = 32

# The sheet: so many queries, one a row, each with so many neighbours.
QUERIES, NEIGHBOURS = 10, 9
TILE, FRAME, GAP, CAPTION = 96, 4, 10, 16
RIGHT, WRONG, PLAIN = "#2e7d32", "#c62828", "#90a4ae"


@dataclass(frozen=True, eq=False)
class Indexed:
    """The photos of a gallery and their embeddings."""

    root: Path
    paths: tuple[bytes, ...]  # relative to the root, one a photo
    rows: np.ndarray  # (n, d) float32, unit length
    labels: np.ndarray | None  # (n,) int64 by folder; None where folders are no classes
    origin: str  # of the encoder, for people


def read_gallery(folder: Path, *, most: int = JUDGED_MAX) -> Indexed:
    """The photos of a gallery, or a fixed sample of `most` of them.

    Raises:
        GalleryError: there is none, or its first build has not finished.
    """
    place = GalleryFolder(folder)
    place.check()
    catalogue = Catalogue.open(place.catalogue)
    state, embeddings = catalogue.state(), catalogue.embeddings()
    if state.published is None:
        raise GalleryError(
            f"the first build of the gallery {shown(folder)} has not finished",
            hint="run the same command again",
        )
    count = len(embeddings.ids)
    chosen = np.sort(np.random.default_rng(0).permutation(count)[:most])
    ids = [int(i) for i in embeddings.ids[chosen]]
    known = catalogue.first_paths(ids)
    paths = tuple(known[i] for i in ids)
    return Indexed(
        Path(fsdecode(state.photo_root or b"")),
        paths,
        embeddings.rows[chosen],
        folder_labels(paths),
        EncoderSpec.from_json(state.published.spec).origin,
    )


def raw_pixels(photos: Indexed) -> np.ndarray:
    """What search would have without an encoder: `(n, 3072)` float32 unit rows, centred.

    A photo that vanished since it was indexed counts as black.
    """
    preprocessing = Preprocessing(RAW_SIZE)
    rows = np.zeros((len(photos.paths), RAW_SIZE * RAW_SIZE * 3), np.float32)
    for row, path in zip(rows, photos.paths, strict=True):
        with suppress(PhotoError):
            photo = read_photo(photos.root / fsdecode(path), at_least=preprocessing.at_least)
            row[:] = preprocessing.prepare(photo.image).reshape(-1)
    return centred(rows)


def draw_sheet(photos: Indexed, *, seed: int = 0) -> Image.Image:
    """Some photos, one a row, each with its nearest neighbours to the right.

    Where folders are classes there is one query a class (of ten classes at most), and a frame is
    green where a neighbour is of the query's class, red where it is not.
    """
    queries = _queries(photos, np.random.default_rng(seed))
    columns = min(NEIGHBOURS, len(photos.paths) - 1) + 1
    step_x, step_y = TILE + 2 * FRAME + GAP, TILE + 2 * FRAME + CAPTION + GAP
    size = (columns * step_x + 2 * GAP, len(queries) * step_y + GAP)
    sheet = Image.new("RGB", size, "white")
    for row, query in enumerate(queries):
        scores = unit(photos.rows) @ unit(photos.rows[query : query + 1])[0]  # (n,)
        scores[query] = np.inf  # itself first, whatever its copies score
        top = GAP + row * step_y
        for column, photo in enumerate(np.argsort(-scores, kind="stable")[:columns]):
            left = GAP + column * step_x + (GAP if column else 0)
            _paste(sheet, (left, top), photos, query, int(photo), float(scores[photo]))
    return sheet


def _queries(photos: Indexed, draws: np.random.Generator) -> list[int]:
    """Drawn at random, not picked: one photo of each class, or any."""
    if photos.labels is None:
        count = min(QUERIES, len(photos.paths))
        return sorted(int(i) for i in draws.permutation(len(photos.paths))[:count])
    classes = np.unique(photos.labels)
    shown_classes = np.sort(draws.permutation(classes)[:QUERIES])
    return [int(draws.choice(np.flatnonzero(photos.labels == c))) for c in shown_classes]


def _paste(
    sheet: Image.Image,
    corner: tuple[int, int],
    photos: Indexed,
    query: int,
    photo: int,
    score: float,
) -> None:
    """One photo in its frame, its class and score below."""
    pen = ImageDraw.Draw(sheet)
    x, y = corner
    side = TILE + 2 * FRAME
    pen.rectangle((x, y, x + side - 1, y + side - 1), fill=_frame(photos, query, photo))
    sheet.paste(_tile(photos.root / fsdecode(photos.paths[photo])), (x + FRAME, y + FRAME))
    words = [] if photos.labels is None else [_class_name(photos.paths[photo])]
    words.append("query" if photo == query else f"{score:.2f}")
    pen.text((x + FRAME, y + side + 2), "  ".join(words), "black", ImageFont.load_default(12))


def _frame(photos: Indexed, query: int, photo: int) -> str:
    if photos.labels is None or photo == query:
        return PLAIN
    return RIGHT if photos.labels[photo] == photos.labels[query] else WRONG


def _tile(path: Path) -> Image.Image:
    try:
        image = read_photo(path, at_least=TILE).image
    except PhotoError:  # it vanished since it was indexed
        return Image.new("RGB", (TILE, TILE), "#eceff1")
    return ImageOps.pad(image, (TILE, TILE), Image.Resampling.LANCZOS, color="white")


def _class_name(path: bytes) -> str:
    name = readable(os.path.basename(os.path.dirname(path)))  # noqa: PTH119, PTH120 - bytes
    return name if len(name) <= 9 else name[:8] + "…"
