"""Laws of reading and preparing photos, over sizes, shapes and hostile bytes."""

import io
import os
import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms import v2

from training.errors import PhotoError
from training.photos import FoundFile, decode, walk
from training.spec import CROP_FRACTION, Preprocessing

SIDES = st.integers(1, 900)
IMAGE_SIZES = st.integers(8, 256)

# Names as file systems allow them: any bytes but the separator and the end of a C string.
NAMES = st.binary(min_size=1, max_size=24).filter(
    lambda name: not set(name) & {0, 0x2F} and not name.startswith(b".")
)


def waves(width: int, height: int) -> Image.Image:
    """A smooth picture: three waves along each shorter side, another in each channel."""
    rows, columns = np.mgrid[0:height, 0:width]
    pace = 6 * np.pi / min(width, height)
    angles = (pace * columns + 1, pace * rows, pace * (columns + rows) / 2)
    pixels = np.stack([127.5 + 100 * np.sin(angle) for angle in angles], axis=-1)
    return Image.fromarray(pixels.astype(np.uint8))


def steepest(pixels: np.ndarray, axis: int) -> float:
    """The largest difference of two pixels beside each other along an axis."""
    return float(np.abs(np.diff(pixels.astype(float), axis=axis)).max(initial=0.0))


# Both ways to say where output pixel i looks, along one side of the photo, in its own pixels.


def places_of_ours(length: int, shorter: int, size: int) -> np.ndarray:
    side = shorter * CROP_FRACTION
    return (length - side) / 2 + (np.arange(size) + 0.5) * side / size


def places_of_torchvision(length: int, shorter: int, size: int) -> np.ndarray:
    resized_shorter = round(size / CROP_FRACTION)
    resized = resized_shorter if length == shorter else int(resized_shorter * length / shorter)
    margin = round((resized - size) / 2)
    return (margin + np.arange(size) + 0.5) * length / resized


def check_against_torchvision(width: int, height: int, size: int) -> None:
    """Resize and centre crop land on whole pixels, ours is one exact box.

    So the two look up to `apart` photo pixels from each other, and a picture that changes by at
    most `steepest` from pixel to pixel may differ by the product; 2 is for rounding twice.
    """
    photo = waves(width, height)
    pixels = np.asarray(photo)
    shorter = min(width, height)
    reference = v2.Compose([v2.Resize(round(size / CROP_FRACTION)), v2.CenterCrop(size)])
    tensor = torch.from_numpy(pixels.copy()).permute(2, 0, 1)  # (3, h, w)

    ours = Preprocessing(size).prepare(photo)
    theirs = reference(tensor).permute(1, 2, 0).numpy()  # (s, s, 3)

    allowed, scale = 2.0, shorter * CROP_FRACTION / size
    for axis, length in ((0, height), (1, width)):
        ours_at = places_of_ours(length, shorter, size)
        apart = np.abs(ours_at - places_of_torchvision(length, shorter, size)).max()
        assert apart <= 1.0 * scale  # never a whole pixel of the output
        allowed += steepest(pixels, axis) * apart
    difference = np.abs(ours.astype(float) - theirs.astype(float))
    assert difference.max() <= allowed


@given(st.integers(12, 500), st.integers(12, 500), IMAGE_SIZES)
def test_preparing_agrees_with_torchvisions_evaluation_transform(
    width: int, height: int, size: int
) -> None:
    check_against_torchvision(width, height, size)


@pytest.mark.parametrize("size", [(1500, 20), (20, 1500), (1200, 800), (13, 13)])
@pytest.mark.parametrize("image_size", [32, 96, 224])
def test_preparing_agrees_with_torchvision_on_extreme_shapes(
    size: tuple[int, int], image_size: int
) -> None:
    check_against_torchvision(*size, image_size)


@pytest.mark.parametrize("image_size", [28, 56, 112, 224])
def test_preparing_equals_torchvision_where_nothing_is_rounded(image_size: int) -> None:
    # Multiples of 28 make the resized size and the crop's margins whole numbers.
    photo = waves(image_size * 3, image_size * 3)
    reference = v2.Compose(
        [v2.Resize(round(image_size / CROP_FRACTION)), v2.CenterCrop(image_size)]
    )

    ours = Preprocessing(image_size).prepare(photo)

    theirs = np.asarray(reference(photo))
    assert np.abs(ours.astype(int) - theirs.astype(int)).max() <= 1


@given(SIDES, SIDES, IMAGE_SIZES)
def test_prepared_pixels_always_have_the_shape_of_the_contract(
    width: int, height: int, size: int
) -> None:
    pixels = Preprocessing(size).prepare(Image.new("RGB", (width, height), (10, 20, 30)))

    assert pixels.shape == (size, size, 3)
    assert pixels.dtype == np.uint8
    assert (pixels == (10, 20, 30)).all()  # one colour stays that colour


@given(SIDES, SIDES)
def test_a_mirrored_photo_is_prepared_to_mirrored_pixels(width: int, height: int) -> None:
    photo = waves(width, height)
    preprocessing = Preprocessing(48)

    mirrored = preprocessing.prepare(photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT))

    expected = preprocessing.prepare(photo)[:, ::-1]
    assert np.abs(mirrored.astype(int) - expected.astype(int)).max() <= 1


@given(
    st.integers(1, 300),
    st.integers(1, 300),
    st.sampled_from(("1", "L", "LA", "P", "RGB", "RGBA", "I;16", "CMYK")),
    st.integers(1, 200),
)
def test_any_mode_and_size_is_decoded_to_rgb_of_its_size(
    width: int, height: int, mode: str, at_least: int
) -> None:
    image = Image.new(mode, (width, height))
    buffer = io.BytesIO()
    image.save(buffer, "TIFF" if mode == "CMYK" else "PNG")

    photo = decode(buffer.getvalue(), at_least=at_least)

    assert photo.image.mode == "RGB"
    assert photo.image.size == (photo.width, photo.height) == (width, height)


@given(st.integers(1, 2000), st.integers(1, 2000), st.integers(1, 300))
@settings(max_examples=15)
def test_a_jpeg_is_never_decoded_smaller_than_asked(width: int, height: int, at_least: int) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(buffer, "JPEG")

    photo = decode(buffer.getvalue(), at_least=at_least)

    assert (photo.width, photo.height) == (width, height)
    assert min(photo.image.size) >= min(2 * at_least, width, height)


# Warnings of decoders about damaged files: the module silences them, pytest turns them on again.
@pytest.mark.filterwarnings("ignore::UserWarning")
@given(st.data())
@settings(max_examples=150)
def test_damaged_bytes_are_a_photo_or_a_photo_error_and_nothing_else(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "PPM", "AVIF")))
    buffer = io.BytesIO()
    waves(24, 16).save(buffer, kind)
    damaged = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(damaged)))

    try:
        photo = decode(bytes(damaged[:cut]), at_least=8)
    except PhotoError:
        return

    assert photo.image.mode == "RGB"


@given(st.binary(max_size=200))
def test_random_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(PhotoError):
        decode(data)


@given(st.sets(NAMES, min_size=1, max_size=8))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_name_that_a_file_system_takes_is_found_and_can_be_opened(names: set[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        made = {name for name in names if _make(os.fsencode(folder), name)}

        items = list(walk(Path(folder)))

        assert {item.path for item in items} == made
        assert all(isinstance(item, FoundFile) for item in items)
        assert all(first.path < second.path for first, second in pairwise(items))
        assert all((Path(folder) / os.fsdecode(item.path)).is_file() for item in items)


def _make(folder: bytes, name: bytes) -> bool:
    try:
        os.close(os.open(os.path.join(folder, name), os.O_CREAT | os.O_EXCL))  # noqa: PTH118
    except OSError:  # not every file system takes every name
        return False
    return True
