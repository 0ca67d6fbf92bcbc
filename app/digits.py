"""Real handwriting as photos: scikit-learn's 1,797 digits, drawn so that pixels do not tell.

Needs no download: the digits (E. Alpaydin and C. Kaynak, UCI, written by 43 people) ship with
scikit-learn as 8 x 8 greys. Each is drawn once at a random size, place and tilt, in a random
ink on a random paper, so that the same digit rarely meets the same pixels twice.
"""

import shutil
import tempfile
from colorsys import hsv_to_rgb
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from training.errors import CollectionError

Palette = tuple[tuple[float, float], tuple[float, float]]

SEED = 0

# Side of a drawing in pixels. Preprocessing cuts a sixteenth off every edge; the margin keeps the
# digit inside what is left.
PHOTO_SIZE = 64
MARGIN = 4

# Height of the 8 x 8 field a digit was written in, in pixels of the drawing.
SMALLEST_DIGIT, LARGEST_DIGIT = 26, 50

# Further over, people take a 1 for a 7 themselves.
LARGEST_TILT_DEGREES = 20.0

# Saturation and value, each from and to, in [0, 1]. Paper varies more than ink and is most of the
# picture, so raw pixels go by it; what is written has to be looked for.
PAPER = ((0.2, 0.7), (0.6, 1.0))
INK = ((0.3, 1.0), (0.05, 0.4))

# Ink is darker than its paper by at least this much of 255, so that every digit can be read.
LEAST_CONTRAST = 60.0
LUMINANCE = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, as Pillow's own grey

GRAIN = 6.0  # standard deviation of the paper's noise, of 255

# Written last, so a folder that holds it is complete. Hidden: the walk over photos skips it.
COMPLETE = ".complete"


def draw_digits(folder: Path, *, seed: int = SEED) -> int:
    """Draw all digits as `folder/DIGIT/NUMBER.png` and return how many there are.

    A folder that an earlier call completed is left as it is. The folder appears all at once:
    a crash leaves nothing behind under its name.

    Raises:
        CollectionError: `folder` exists and was not made by a finished call.
    """
    digits = load_digits()
    if (folder / COMPLETE).is_file():
        return len(digits.target)
    if folder.exists():
        raise CollectionError(
            f"{folder} exists, but is not a finished folder of drawn digits",
            hint="remove it, or name another place with -o",
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        for number, (digit, label) in enumerate(zip(digits.images, digits.target, strict=True)):
            place = beside / str(label) / f"{number:04d}.png"
            place.parent.mkdir(exist_ok=True)
            draw(digit, rng).save(place)
        (beside / COMPLETE).touch()
        beside.chmod(0o755)  # mkdtemp keeps its folders private
        beside.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return len(digits.target)


def draw(digit: np.ndarray, rng: np.random.Generator) -> Image.Image:
    """One digit on its own sheet of paper.

    Args:
        digit: `(8, 8)`, how much ink lies where, 0 to 16.
        rng: decides size, place, tilt, colours, shade and grain.

    Returns:
        An RGB image of `PHOTO_SIZE` x `PHOTO_SIZE`.
    """
    ink, paper = _colours(rng)
    strength = _place(digit, rng)[..., None]  # (s, s, 1) in [0, 1]
    pixels = paper * (1 - strength) + ink * strength
    pixels += rng.normal(0, GRAIN, pixels.shape)
    return Image.fromarray(np.clip(pixels + 0.5, 0, 255).astype(np.uint8))


def _colours(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Ink and paper of any hue, each `(3,)` in [0, 255], the ink clearly darker."""
    while True:
        ink, paper = _colour(INK, rng), _colour(PAPER, rng)
        if (paper - ink) @ LUMINANCE >= LEAST_CONTRAST:
            return ink, paper


def _colour(palette: Palette, rng: np.random.Generator) -> np.ndarray:
    saturation, value = (rng.uniform(*limits) for limits in palette)
    return np.array(hsv_to_rgb(rng.uniform(), saturation, value)) * 255


def _place(digit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """How much ink lies on each pixel of the sheet: `(s, s)` float in [0, 1]."""
    side = rng.uniform(SMALLEST_DIGIT, LARGEST_DIGIT)
    tilt = np.deg2rad(rng.uniform(-LARGEST_TILT_DEGREES, LARGEST_TILT_DEGREES))
    room = max(0.0, (PHOTO_SIZE - side) / 2 - MARGIN)
    centre_x, centre_y = PHOTO_SIZE / 2 + rng.uniform(-room, room, 2)
    # Pillow wants the way back: from a pixel of the sheet to a place in the 8 x 8 field, here
    # with a border of 2 around it, so that strokes at its edge fade out.
    field = np.pad(digit, 2) * (255 / 16)
    scale = digit.shape[0] / side
    cos, sin = np.cos(tilt) * scale, np.sin(tilt) * scale
    middle = field.shape[0] / 2
    back = (
        cos,
        sin,
        middle - cos * centre_x - sin * centre_y,
        -sin,
        cos,
        middle + sin * centre_x - cos * centre_y,
    )
    written = Image.fromarray(field.astype(np.uint8)).transform(
        (PHOTO_SIZE, PHOTO_SIZE), Image.Transform.AFFINE, back, Image.Resampling.BICUBIC
    )
    # The 8 x 8 greys are soft; a steep ramp gives strokes an edge again.
    grey = np.asarray(written, dtype=np.float64) / 255
    strength: np.ndarray = np.clip((grey - 0.25) / 0.5, 0, 1)
    return strength
