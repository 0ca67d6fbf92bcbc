"""Colour profiles: what a wide-gamut camera wrote looks the same in sRGB."""

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from training.photos import decode

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def swapped_profile() -> bytes:
    """sRGB with the colourants of red and blue exchanged: its red is sRGB's blue."""
    data = bytearray(SRGB)
    (count,) = struct.unpack(">I", data[128:132])
    entries = range(132, 132 + 12 * count, 12)
    at = {bytes(data[place : place + 4]): place for place in entries}
    red, blue = at[b"rXYZ"], at[b"bXYZ"]
    data[red : red + 4], data[blue : blue + 4] = b"bXYZ", b"rXYZ"
    # The description would say sRGB, and be believed.
    place = data.find("sRGB".encode("utf-16-be"))
    if place >= 0:
        data[place : place + 8] = "Swap".encode("utf-16-be")
    return bytes(data)


def pixel(image: Image.Image, form: str = "PNG", **options: object) -> tuple[int, ...]:
    """The first pixel after a round trip through a file."""
    data = io.BytesIO()
    image.save(data, form, **options)  # type: ignore[arg-type]
    return tuple(np.asarray(decode(data.getvalue()).image)[0, 0].tolist())


@pytest.mark.parametrize("form", ["PNG", "WEBP", "TIFF"])
def test_an_embedded_profile_is_followed(form: str) -> None:
    options = {"lossless": True} if form == "WEBP" else {}
    red = Image.new("RGB", (4, 4), (255, 0, 0))
    found = pixel(red, form, icc_profile=swapped_profile(), **options)
    assert np.abs(np.subtract(found, (0, 0, 255))).max() <= 3


def test_transparency_is_laid_on_white_and_the_profile_followed() -> None:
    found = pixel(Image.new("RGBA", (4, 4), (255, 0, 0, 255)), icc_profile=swapped_profile())
    assert np.abs(np.subtract(found, (0, 0, 255))).max() <= 3
    clear = pixel(Image.new("RGBA", (4, 4), (255, 0, 0, 0)), icc_profile=swapped_profile())
    assert min(clear) >= 252


def test_a_profile_of_srgb_changes_no_pixel() -> None:
    image = Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3))
    data = io.BytesIO()
    image.save(data, "PNG", icc_profile=SRGB)
    assert (np.asarray(decode(data.getvalue()).image) == np.asarray(image)).all()


@pytest.mark.parametrize("profile", [b"no profile at all", SRGB[:200], b"\x00" * 400])
def test_a_damaged_profile_leaves_the_pixels_as_they_are(profile: bytes) -> None:
    assert pixel(Image.new("RGB", (4, 4), (9, 80, 200)), icc_profile=profile) == (9, 80, 200)


def test_a_profile_of_another_colour_space_is_not_followed() -> None:
    assert pixel(Image.new("L", (4, 4), 77), icc_profile=swapped_profile()) == (77, 77, 77)
