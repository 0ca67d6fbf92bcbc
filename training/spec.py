"""The contract that travels with an encoder: what it is and how its photos are prepared.

No torch here: the checkpoint, the ONNX file, the indexer and the app all carry this one value.
"""

import json
import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from PIL import Image

from training.errors import EncoderError

SPEC_VERSION = 1

# The weights that a run exports, in its folder.
ENCODER_FILE = "encoder.safetensors"

# The statistics that torchvision's ImageNet weights were trained with.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

# The usual evaluation protocol: shorter side to 256/224 of the crop, then the centre.
CROP_FRACTION = 224 / 256

# All that hostile JSON makes Python raise: wrong values, missing ones, wrong types, numbers beyond
# any float, a million brackets.
_UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)


@dataclass(frozen=True)
class Preprocessing:
    """From an upright RGB photo to an encoder's input.

    The centre square of `crop_fraction` of the shorter side is resized to `image_size` by
    antialiased bilinear interpolation, in one resampling; that is "shorter side to
    image_size / crop_fraction, centre crop" without rounding twice. Mean and standard deviation,
    for pixels in [0, 1], are applied inside the network's graph.
    """

    image_size: int
    crop_fraction: float = CROP_FRACTION
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD

    @property
    def at_least(self) -> int:
        """The shorter side in pixels that a photo should keep when it is decoded."""
        return round(self.image_size / self.crop_fraction)

    def prepare(self, image: Image.Image) -> np.ndarray:
        """The pixels an encoder sees: `(image_size, image_size, 3)` uint8 RGB."""
        side = min(image.size) * self.crop_fraction
        left, top = (image.width - side) / 2, (image.height - side) / 2
        size = (self.image_size, self.image_size)
        box = (left, top, left + side, top + side)
        return np.asarray(image.resize(size, Image.Resampling.BILINEAR, box=box))


@dataclass(frozen=True)
class EncoderSpec:
    """What an encoder is: its architecture, its embedding, its preprocessing, its origin."""

    backbone: str
    embedding_dim: int
    preprocessing: Preprocessing
    small_stem: bool = False
    origin: str = ""  # for people: "BYOL, 60 epochs from ImageNet weights, interpolated at 0.5"

    def to_json(self) -> str:
        """The spec as one line of JSON."""
        return json.dumps({"version": SPEC_VERSION, **asdict(self)}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "EncoderSpec":
        """Read what `to_json` wrote.

        Raises:
            EncoderError: it is not such a text, or was written by a newer version.
        """
        try:
            fields = json.loads(text)
            if fields.pop("version") != SPEC_VERSION:
                raise EncoderError(
                    "the encoder was written by another version of Lookalike",
                    hint="train or export it again with this version",
                )
            return _spec(**fields)
        except _UNREADABLE as error:
            raise EncoderError(
                f"the encoder's description cannot be read: {error}",
                hint="train or export the encoder again",
            ) from None


def _spec(
    *, backbone: str, embedding_dim: int, preprocessing: Any, small_stem: bool, origin: str
) -> EncoderSpec:
    """The spec of these fields, every one of them there and of its type, and no other."""
    given = (backbone, embedding_dim, small_stem, origin)
    if [type(value) for value in given] != [str, int, bool, str] or embedding_dim < 1:
        raise ValueError(f"impossible values {given}")
    return EncoderSpec(backbone, embedding_dim, _preprocessing(**preprocessing), small_stem, origin)


def _preprocessing(
    *, image_size: int, crop_fraction: float, mean: list[float], std: list[float]
) -> Preprocessing:
    numbers = [crop_fraction, *mean, *std]
    sound = type(image_size) is int and image_size > 0 and len(mean) == len(std) == 3
    if not sound or not all(math.isfinite(number) for number in numbers):
        raise ValueError(f"impossible size {image_size} or numbers {numbers}")
    if not 0 < crop_fraction <= 1 or min(std) <= 0:
        raise ValueError(f"impossible crop {crop_fraction} or deviation {std}")
    return Preprocessing(image_size, float(crop_fraction), _triple(mean), _triple(std))


def _triple(values: list[float]) -> tuple[float, float, float]:
    red, green, blue = values
    return float(red), float(green), float(blue)
