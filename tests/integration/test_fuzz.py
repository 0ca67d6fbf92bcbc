"""Damaged photos of every format are used or skipped with a reason; nothing else happens."""

import collections
import shutil
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from indexer.gallery import skipped_files
from training.photos import FORMATS

CASES = 300
SOAK_CASES = 5_000
SOAK_FOLDER = 500  # cases in one build

# Options that make a format's encoder write another kind of file.
KINDS: dict[str, list[dict[str, Any]]] = {
    "JPEG": [{"quality": 80}, {"progressive": True}, {"subsampling": 0, "exif": b"Exif\0\0II*\0"}],
    "PNG": [{}, {"optimize": True}],
    "TIFF": [{"compression": kind} for kind in ("raw", "tiff_lzw", "tiff_deflate", "jpeg")],
    "WEBP": [{"quality": 70}, {"lossless": True}],
    "GIF": [{}],
    "AVIF": [{"quality": 60}],
    "HEIF": [{"quality": 60}],
    "BMP": [{}],
    "PPM": [{}],
}


def valid_files(
    draw_shape: Callable[..., Image.Image], encoded: Callable[..., bytes]
) -> list[bytes]:
    """Small valid files: every format, in several modes and kinds."""
    picture = draw_shape("triangle", "royalblue", size=(48, 36))
    files = [encoded(picture, name, **kind) for name in FORMATS for kind in KINDS[name]]
    for mode in ("L", "P", "RGBA", "1"):
        files += [encoded(picture.convert(mode), name) for name in ("PNG", "TIFF", "GIF")]
    files += [encoded(picture.convert("CMYK"), name) for name in ("JPEG", "TIFF")]
    return files


def mutated(data: bytes, other: bytes, draw: np.random.Generator) -> bytes:
    """A file with some of its bytes flipped, cut, repeated, or exchanged for another file's."""
    damaged = bytearray(data)
    for _ in range(int(draw.integers(1, 4))):
        start, end = sorted(draw.integers(0, len(damaged) + 1, 2).tolist())
        match int(draw.integers(0, 7)):
            case 0 | 1:
                # Headers decide most: half of the flips fall into the first bytes.
                reach = len(damaged) if draw.random() < 0.5 else min(200, len(damaged))
                for place in draw.integers(0, max(1, reach), int(draw.integers(1, 9))).tolist():
                    damaged[place % max(1, len(damaged))] = int(draw.integers(0, 256))
            case 2:
                del damaged[end:]
            case 3:
                del damaged[start : start + int(draw.integers(1, 32))]
            case 4:
                damaged[start:start] = damaged[start : start + 64]
            case 5:
                damaged[start:end] = other[start:end]
            case _:
                extreme = (b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", b"\x7f\xff\xff\xff")
                damaged[start : start + 4] = extreme[int(draw.integers(0, 3))]
        damaged = damaged or bytearray(b"\x00")
    return bytes(damaged)


def fuzz(studio: Any, files: list[bytes], cases: int, seed: int) -> collections.Counter[str]:
    """Build a gallery of damaged files; `studio.build` checks that the counts add up."""
    draw = np.random.default_rng(seed)
    for number in range(cases):
        first, second = draw.integers(0, len(files), 2).tolist()
        path = studio.photos / f"fuzz-{number:05d}"
        path.write_bytes(mutated(files[first], files[second], draw))
    report = studio.build()
    skips = skipped_files(studio.folder)
    assert len(skips) == report.skipped
    assert all(skip.reason for skip in skips)
    assert report.seen == cases + 4, "the four good photos beside them"
    assert len(studio.gallery()) >= 4
    reasons = collections.Counter(skip.reason.partition(":")[0] for skip in skips)
    reasons["used"] = report.seen - report.skipped
    return reasons


def test_damaged_photos_of_every_format_are_used_or_skipped(
    studio: Any,
    draw_shape: Callable[..., Image.Image],
    encoded: Callable[..., bytes],
    capfd: pytest.CaptureFixture[str],
) -> None:
    files = valid_files(draw_shape, encoded)
    ends = fuzz(studio, files, CASES, seed=1)
    assert ends["damaged"] > CASES // 5
    assert ends["used"] > CASES // 10, "some damage does no harm"
    assert capfd.readouterr().err == "", "decoders keep what they have to say to themselves"


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(10))
def test_thousands_of_damaged_photos(
    seed: int,
    studio: Any,
    draw_shape: Callable[..., Image.Image],
    encoded: Callable[..., bytes],
) -> None:
    files = valid_files(draw_shape, encoded)
    ends: collections.Counter[str] = collections.Counter()
    for part in range(SOAK_CASES // SOAK_FOLDER):
        ends += fuzz(studio, files, SOAK_FOLDER, seed=1_000 + 100 * seed + part)
        for path in studio.photos.glob("fuzz-*"):
            path.unlink()
        shutil.rmtree(studio.folder)
    print(ends.most_common())
    assert sum(ends.values()) == SOAK_CASES + 4 * (SOAK_CASES // SOAK_FOLDER)
