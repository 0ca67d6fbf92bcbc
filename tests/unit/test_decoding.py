"""Decoding: every kind of photo comes out upright, in RGB, with the colours that it has."""

import io
from collections.abc import Callable

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from training.photos import decode
from training.spec import Preprocessing

ORIENTATIONS = range(1, 9)

# What lossy formats take off these small, grainy pictures, of 255; a turned one differs by 15.
LOSSY = 6

Encoded = Callable[..., bytes]


def difference(first: Image.Image, second: Image.Image) -> float:
    """The mean absolute difference of two pictures, of 255."""
    return float(np.abs(np.asarray(first, np.float64) - np.asarray(second, np.float64)).mean())


@pytest.fixture
def picture(draw_shape: Callable[..., Image.Image]) -> Image.Image:
    """A picture that looks different however it is turned or mirrored."""
    image = draw_shape("triangle", "royalblue", size=(60, 40))
    image.paste((200, 30, 30), (2, 2, 14, 8))
    return image


def test_a_turned_picture_is_told_from_an_upright_one(picture: Image.Image) -> None:
    for turn in (0, 1, 3):  # both mirrors and upside down: the ones that keep the size
        assert difference(picture, picture.transpose(Image.Transpose(turn))) > 2 * LOSSY


@pytest.mark.parametrize("name", ["PNG", "BMP", "PPM", "TIFF"])
def test_lossless_formats_come_out_exactly(
    name: str, picture: Image.Image, encoded: Encoded
) -> None:
    photo = decode(encoded(picture, name))

    assert (photo.format, photo.width, photo.height) == (name, 60, 40)
    assert difference(photo.image, picture) == 0


@pytest.mark.parametrize("name", ["JPEG", "WEBP", "AVIF"])
def test_lossy_formats_come_out_nearly(name: str, picture: Image.Image, encoded: Encoded) -> None:
    photo = decode(encoded(picture, name, quality=95))

    assert photo.format == name
    assert difference(photo.image, picture) < LOSSY


def test_a_jpeg_of_several_pictures_is_its_first_one(
    picture: Image.Image, encoded: Encoded
) -> None:
    data = encoded(
        picture, "MPO", quality=95, save_all=True, append_images=[Image.new("RGB", (60, 40))]
    )

    photo = decode(data, at_least=20)

    assert (photo.format, photo.width, photo.height) == ("JPEG", 60, 40)
    assert difference(photo.image, picture.resize(photo.image.size)) < LOSSY


def test_heic_is_read(picture: Image.Image) -> None:
    buffer = io.BytesIO()
    pillow_heif.from_pillow(picture).save(buffer, quality=95)

    photo = decode(buffer.getvalue())

    assert photo.format == "HEIF"
    assert difference(photo.image, picture) < LOSSY


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("name", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF", "HEIF"])
def test_all_eight_orientations_come_out_upright(
    name: str,
    orientation: int,
    picture: Image.Image,
    store_oriented: Callable[[Image.Image, int, str], bytes],
) -> None:
    photo = decode(store_oriented(picture, orientation, name))

    assert (photo.width, photo.height) == picture.size == photo.image.size
    assert difference(photo.image, picture) < (LOSSY if name in ("JPEG", "AVIF", "HEIF") else 0.01)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_size_in_full_is_kept_when_a_jpeg_is_decoded_smaller(
    orientation: int, store_oriented: Callable[[Image.Image, int, str], bytes]
) -> None:
    upright = Image.new("RGB", (801, 800), "teal")  # an eighth of both sides is 101 and 100

    photo = decode(store_oriented(upright, orientation, "JPEG"), at_least=40)

    assert photo.image.width < 801
    assert (photo.width, photo.height) == (801, 800)


def test_a_nearly_square_photo_keeps_its_size_when_rounding_makes_it_square(
    store_oriented: Callable[[Image.Image, int, str], bytes],
) -> None:
    upright = Image.new("RGB", (800, 799), "teal")  # an eighth of both sides is 100

    sizes = {
        (photo.width, photo.height)
        for orientation in ORIENTATIONS
        for photo in [decode(store_oriented(upright, orientation, "JPEG"), at_least=40)]
    }

    assert sizes == {(800, 799)}


def test_cmyk_keeps_its_colours(encoded: Encoded) -> None:
    colours = Image.new("RGB", (32, 32), (200, 60, 20))

    photo = decode(encoded(colours.convert("CMYK"), "JPEG", quality=95))

    assert photo.image.mode == "RGB"
    assert difference(photo.image, colours) < 3


def test_16_bit_grey_is_scaled_and_not_clipped(encoded: Encoded) -> None:
    ramp = np.linspace(0, 65535, 256).round().astype(np.uint16).reshape(16, 16)

    photo = decode(encoded(Image.fromarray(ramp), "PNG"))

    shown = np.asarray(photo.image)[..., 0].ravel().astype(int)
    assert photo.image.mode == "RGB"
    assert np.abs(shown - np.arange(256)).max() <= 1


def test_12_bits_in_16_use_the_whole_range(encoded: Encoded) -> None:
    ramp = np.linspace(0, 4095, 256).round().astype(np.uint16).reshape(16, 16)

    photo = decode(encoded(Image.fromarray(ramp), "PNG"))

    shown = np.asarray(photo.image)[..., 0].ravel().astype(int)
    assert np.abs(shown - np.arange(256)).max() <= 1


def test_a_black_16_bit_photo_stays_black(encoded: Encoded) -> None:
    dark = np.zeros((16, 16), np.uint16)
    dark[0, 0] = 1  # a trace of noise must not be blown up to white

    photo = decode(encoded(Image.fromarray(dark), "PNG"))

    assert np.asarray(photo.image).max() <= 1


def test_floating_point_tiff_from_0_to_1_is_scaled(encoded: Encoded) -> None:
    ramp = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16)
    ramp[0, 0] = np.nan

    photo = decode(encoded(Image.fromarray(ramp), "TIFF"))

    shown = np.asarray(photo.image)[..., 0].ravel().astype(int)
    assert np.abs(shown - np.arange(256)).max() <= 1


def test_32_bit_grey_uses_its_own_range(encoded: Encoded) -> None:
    deep = np.array([[0, 100_000], [50_000, 200_000]], np.int32)

    photo = decode(encoded(Image.fromarray(deep), "TIFF"))

    assert np.asarray(photo.image)[..., 0].tolist() == [[0, 128], [64, 255]]


def test_transparency_becomes_white(encoded: Encoded) -> None:
    rgba = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    rgba.paste((255, 0, 0, 255), (0, 0, 4, 8))
    grey = Image.new("LA", (8, 8), (0, 0))
    palette = Image.new("P", (8, 8), 1)
    palette.putpalette([0, 0, 255, 255, 0, 0])

    assert decode(encoded(rgba, "PNG")).image.getpixel((6, 0)) == (255, 255, 255)
    assert decode(encoded(rgba, "PNG")).image.getpixel((0, 0)) == (255, 0, 0)
    assert decode(encoded(grey, "PNG")).image.getpixel((0, 0)) == (255, 255, 255)
    shown = decode(encoded(palette, "PNG", transparency=1)).image
    assert (shown.mode, shown.getpixel((0, 0))) == ("RGB", (255, 255, 255))


def test_one_bit_and_grey_pictures_become_rgb(picture: Image.Image, encoded: Encoded) -> None:
    for mode in ("1", "L"):
        flat = picture.convert(mode)

        photo = decode(encoded(flat, "PNG"))

        assert photo.image.mode == "RGB"
        assert difference(photo.image, flat.convert("RGB")) == 0


@pytest.mark.parametrize("name", ["GIF", "TIFF", "WEBP", "AVIF", "PNG"])
def test_the_first_frame_counts(name: str, encoded: Encoded) -> None:
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("red", "blue", "lime")]

    photo = decode(encoded(frames[0], name, save_all=True, append_images=frames[1:]))

    assert difference(photo.image, frames[0]) < 3


@pytest.mark.filterwarnings("ignore:.*EXIF.*:UserWarning")
def test_damaged_metadata_does_not_cost_the_photo(picture: Image.Image, encoded: Encoded) -> None:
    data = encoded(picture, "JPEG", quality=95, exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff junk")

    photo = decode(data)

    assert difference(photo.image, picture) < LOSSY


def test_a_smaller_decoding_prepares_to_nearly_the_same_pixels(
    rng: np.random.Generator, encoded: Encoded
) -> None:
    data = encoded(_landscape(rng), "JPEG", quality=90)
    for size in (32, 96, 224):
        preprocessing = Preprocessing(size)

        full = preprocessing.prepare(decode(data).image).astype(float)
        small = decode(data, at_least=preprocessing.at_least).image
        drafted = preprocessing.prepare(small).astype(float)

        assert small.width < 4000
        assert min(small.size) >= 2 * preprocessing.at_least
        assert np.abs(full - drafted).mean() < 1  # of 255


def _landscape(rng: np.random.Generator) -> Image.Image:
    """4,000 x 3,000 pixels with detail at every scale, strength falling as in real photos."""
    pixels = np.zeros((3000, 4000, 3), np.float32)
    for side in (4, 16, 64, 256, 1024):
        patch = rng.uniform(0, 1, (side * 3 // 4, side, 3)).astype(np.float32)
        layer = Image.fromarray((patch * 255).astype(np.uint8)).resize((4000, 3000))
        pixels += np.asarray(layer, np.float32) * (2.0 / side**0.5)
    low, high = pixels.min(), pixels.max()
    return Image.fromarray(((pixels - low) * (255 / (high - low))).astype(np.uint8))
