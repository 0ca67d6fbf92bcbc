"""Reading a photo: files that are none, damaged files, and bombs, each refused with a reason."""

import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from training import photos
from training.errors import PhotoError
from training.photos import decode, read_file

Encoded = Callable[..., bytes]


def test_a_file_that_vanished_is_told(tmp_path: Path) -> None:
    with pytest.raises(PhotoError, match="vanished"):
        read_file(tmp_path / "gone.jpg")


def test_a_folder_is_no_photo(tmp_path: Path) -> None:
    with pytest.raises(PhotoError, match="cannot be read"):
        read_file(tmp_path)


def test_an_empty_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()

    with pytest.raises(PhotoError, match=r"empty \(0 bytes\)"):
        read_file(tmp_path / "empty.jpg")


def test_a_huge_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "huge.jpg").open("wb") as file:
        file.truncate(photos.MAX_FILE_BYTES + 1)  # a hole: it takes no room on the disk

    started = time.perf_counter()
    with pytest.raises(PhotoError, match="bytes"):
        read_file(tmp_path / "huge.jpg")

    assert time.perf_counter() - started < 0.5


@pytest.mark.parametrize(
    "data", [b"hello, I am text", b"\x00" * 4096, b"\xff\xd8\xff", b"%PDF-1.7"]
)
def test_what_is_not_an_image_is_refused_whatever_its_name(data: bytes) -> None:
    with pytest.raises(PhotoError):
        decode(data)


@pytest.mark.parametrize("name", ["EPS", "PDF", "ICO", "TGA", "PCX"])
def test_formats_that_are_not_needed_stay_closed(name: str, encoded: Encoded) -> None:
    with pytest.raises(PhotoError, match="not an image of a format that is read"):
        decode(encoded(Image.new("RGB", (32, 32), "teal"), name))


def test_a_format_that_this_machine_cannot_read_is_not_in_the_list() -> None:
    Image.init()

    assert set(photos.FORMATS) <= set(Image.OPEN)
    assert ("AVIF" in photos.FORMATS) == features.check("avif")


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "PPM"])
def test_a_file_cut_in_half_is_refused(
    name: str, rng: np.random.Generator, encoded: Encoded
) -> None:
    noise = Image.fromarray(rng.integers(0, 256, (96, 128, 3), np.uint8))
    data = encoded(noise, name)

    with pytest.raises(PhotoError):
        decode(data[: len(data) // 2])


def test_a_bomb_is_refused_at_once_and_without_its_memory(png_bomb: bytes, tmp_path: Path) -> None:
    (tmp_path / "bomb.png").write_bytes(png_bomb)
    # In a process of its own, since the peak of this one says nothing.
    code = """
import resource, sys, time
from pathlib import Path
from training.errors import PhotoError
from training.photos import read_photo
before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
try:
    read_photo(Path(sys.argv[1]))
except PhotoError as error:
    print(error.message)
print(time.perf_counter() - started)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    told = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "bomb.png")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    reason, seconds, kibibytes = told.stdout.splitlines()

    assert len(png_bomb) < 5_000_000
    assert "larger than 160 megapixels" in reason
    assert float(seconds) < 0.5
    assert int(kibibytes) < 50_000  # in full it would be 1.2 GB


@pytest.mark.parametrize("name", ["BMP", "GIF", "PPM", "TIFF"])
def test_bombs_of_other_formats_are_refused_too(name: str, encoded: Encoded) -> None:
    small = encoded(Image.new("RGB", (8, 8)), name)
    bombs = {
        "BMP": small[:18] + struct.pack("<II", 30_000, 30_000) + small[26:],
        "GIF": small[:6] + struct.pack("<HH", 60_000, 60_000) + small[10:],
        "PPM": b"P6 30000 30000 255\n" + bytes(100),
        "TIFF": _tiff_of(30_000, 30_000),
    }

    with pytest.raises(PhotoError, match="megapixels"):
        decode(bombs[name])


def _tiff_of(width: int, height: int) -> bytes:
    """A TIFF header that claims a size: eight-bit grey, one strip."""
    entries = [(256, width), (257, height), (258, 8), (259, 1), (262, 1), (273, 8), (278, height)]
    entries += [(279, 100)]
    body = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    return b"II*\x00\x08\x00\x00\x00" + struct.pack("<H", len(entries)) + body + bytes(200)
