"""What a search is made of: photos that results should be like, or unlike, each with a weight."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from indexer.gallery import Gallery
from indexer.wording import shown
from training.errors import ConfigError, PhotoError
from training.photos import read_photo

# How hard photos push that results should not be like, beside a pull of 1 in all: Rocchio's
# classic half, which the ranking from a few examples takes as well.
PUSH = 0.5

# Below this length a direction is made of rounding.
SHORTEST = 1e-3

_WEIGHTED = re.compile(r"(?P<name>.+):(?P<weight>\d{1,6}(?:\.\d{1,6})?)", re.DOTALL)
_CROP = re.compile(r"\s*(\d{1,6}(?:\.\d{1,6})?)\s*(%?)\s*")


@dataclass(frozen=True, slots=True)
class Example:
    """A photo named on the command line."""

    name: str  # as it was given, without its weight
    photo_id: int | None  # of the gallery; None: a file
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Crop:
    """A part of an upright photo, in pixels or in hundredths of its sides."""

    values: tuple[float, float, float, float]  # left, top, width, height
    percent: tuple[bool, bool, bool, bool]

    def cut(self, image: Image.Image) -> Image.Image:
        """The part.

        Raises:
            PhotoError: it lies outside the photo, or is empty.
        """
        sides = (*image.size, *image.size)
        left, top, width, height = (
            round(value * side / 100 if percent else value)
            for value, percent, side in zip(self.values, self.percent, sides, strict=True)
        )
        right, bottom = min(left + width, image.width), min(top + height, image.height)
        if right <= left or bottom <= top:
            raise PhotoError(
                f"the crop {left},{top},{width},{height} holds no pixel of a photo of "
                f"{image.width} x {image.height}",
                hint="give left,top,width,height in pixels of the upright photo, or with %",
            )
        return image.crop((left, top, right, bottom))


def parse_example(text: str) -> Example:
    """`cat.jpg`, `cat.jpg:2` with a weight, `id:17` for a photo of the gallery.

    A file whose own name ends in a colon and a number is meant as it is where it exists.

    Raises:
        ConfigError: the weight is zero or the id is none.
    """
    match = None if Path(text).exists() else _WEIGHTED.fullmatch(text)
    name, weight = (text, 1.0) if match is None else (match["name"], float(match["weight"]))
    if name == "id":  # id:17, which looks like a file `id` of weight 17
        name, weight = text, 1.0
    if weight <= 0:
        raise ConfigError(f"the weight of {shown(name)} is 0", hint="leave it out, or weigh it")
    if not name.startswith("id:") or Path(name).exists():
        return Example(name, None, weight)
    if not re.fullmatch(r"\d{1,18}", name[3:]):
        raise ConfigError(f"{shown(name)} is no id", hint="`id:17` is photo 17 of the gallery")
    return Example(name, int(name[3:]), weight)


def parse_crop(text: str) -> Crop:
    """`10,20,300,200` in pixels or `10%,20%,50%,50%` of the sides: left, top, width, height.

    Raises:
        ConfigError: it is not four numbers.
    """
    parts = [_CROP.fullmatch(part) for part in text.split(",")]
    found = [(float(part[1]), part[2] == "%") for part in parts if part]
    if len(parts) != 4 or len(found) != 4:
        raise ConfigError(
            f"{shown(text)} is no crop",
            hint="give left,top,width,height: `--crop 100,50,300,200` or `--crop 10%,0%,50%,100%`",
        )
    (left, left_p), (top, top_p), (width, width_p), (height, height_p) = found
    return Crop((left, top, width, height), (left_p, top_p, width_p, height_p))


def embedding_of(gallery: Gallery, example: Example, crop: Crop | None = None) -> np.ndarray:
    """The embedding of an example, or of a part of it: `(d,)` float32, of unit length.

    Raises:
        GalleryError: the gallery has no such photo.
        PhotoError: the file cannot be used, or the crop lies outside it.
    """
    if example.photo_id is not None and crop is None:
        return gallery.embedding(example.photo_id)
    encoder = gallery.encoder
    # A part is given in pixels of the whole, so the whole is decoded.
    at_least = None if crop else encoder.spec.preprocessing.at_least
    try:
        if example.photo_id is None:
            image = read_photo(_file(example.name), at_least=at_least).image
        else:
            image = gallery.read(example.photo_id, at_least=at_least).image
        return encoder.embed_image(image if crop is None else crop.cut(image))
    except PhotoError as error:
        raise PhotoError(f"{shown(example.name)}: {error.message}", hint=error.hint) from None


def _file(name: str) -> Path:
    """The file of that name: typed by somebody, not found in a folder a moment ago."""
    path = Path(name)
    if not path.exists():
        raise PhotoError("there is no such file")
    if path.is_dir():
        raise PhotoError("a folder, not a photo", hint="name the photos in it: FOLDER/*.jpg")
    return path


def direction(
    likes: Sequence[tuple[np.ndarray, float]], unlikes: Sequence[tuple[np.ndarray, float]]
) -> np.ndarray:
    """Where to search: the weighted mean of the likes less `PUSH` times that of the unlikes.

    Args:
        likes: embeddings `(d,)` of unit length, each with its weight.
        unlikes: the same; they push by `PUSH` times their weight, divided by how many they are.
            One example at least is needed, of either kind.

    Returns:
        `(d,)` float32, of unit length.

    Raises:
        ConfigError: the examples cancel each other out.
    """
    combined = np.zeros_like((*likes, *unlikes)[0][0], dtype=np.float64)  # (d,)
    if likes:
        combined += _weighted_sum(likes) / sum(weight for _, weight in likes)
    if unlikes:
        combined -= PUSH * _weighted_sum(unlikes) / len(unlikes)
    length = float(np.linalg.norm(combined))
    if length < SHORTEST:
        raise ConfigError(
            "these examples cancel out: what is liked and what is not are the same",
            hint="take one of them out, or change its weight",
        )
    return np.asarray(combined / length, dtype=np.float32)


def _weighted_sum(examples: Sequence[tuple[np.ndarray, float]]) -> np.ndarray:
    rows = np.stack([row for row, _ in examples]).astype(np.float64)  # (n, d)
    return np.asarray([weight for _, weight in examples] @ rows)
