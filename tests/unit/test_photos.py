"""Reading photos: what is used, what is skipped and why, and that pictures come out right."""

import inspect
import io
import os
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
import pytest
from PIL import Image, features

from training import photos
from training.errors import CollectionError, PhotoError
from training.photos import MARKER, FoundFile, SkippedFile, decode, read_file, read_photo, walk

ORIENTATIONS = range(1, 9)

# What lossy formats take off these small, grainy pictures, of 255; a turned one differs by 15.
LOSSY = 6

Encoded = Callable[..., bytes]


def found(root: Path) -> list[bytes]:
    return [item.path for item in walk(root) if isinstance(item, FoundFile)]


def skipped(root: Path) -> dict[bytes, str]:
    return {item.path: item.reason for item in walk(root) if isinstance(item, SkippedFile)}


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


# ---- what a walk finds


def test_every_file_of_a_hostile_folder_ends_as_a_photo_or_as_a_reason(hostile_folder: Any) -> None:
    used, refused = [], skipped(hostile_folder.root)
    for path in found(hostile_folder.root):
        try:
            read_photo(hostile_folder.root / os.fsdecode(path))
            used.append(path)
        except PhotoError as error:
            refused[path] = error.message

    assert sorted(used) == sorted(hostile_folder.good)
    assert sorted(refused) == sorted(hostile_folder.bad)
    for path, part in hostile_folder.bad.items():
        assert part in refused[path]


def test_a_walk_comes_in_the_same_order_every_time(hostile_folder: Any) -> None:
    assert list(walk(hostile_folder.root)) == list(walk(hostile_folder.root))


def test_a_walk_tells_size_and_time_of_a_file(shape_folder: Path) -> None:
    first = next(item for item in walk(shape_folder) if isinstance(item, FoundFile))

    facts = (shape_folder / os.fsdecode(first.path)).stat()
    assert (first.size_bytes, first.mtime_ns) == (facts.st_size, facts.st_mtime_ns)


def test_a_link_to_a_photo_tells_the_facts_of_the_photo(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"0123456789")
    (tmp_path / "b.jpg").symlink_to("a.jpg")

    _, link = walk(tmp_path)

    assert isinstance(link, FoundFile)
    assert link.size_bytes == 10


def test_hidden_files_and_folders_are_not_looked_at(tmp_path: Path) -> None:
    (tmp_path / "._junk.jpg").write_bytes(b"x")
    (tmp_path / ".thumbnails").mkdir()
    (tmp_path / ".thumbnails" / "a.jpg").write_bytes(b"x")

    assert list(walk(tmp_path)) == []


def test_marked_folders_are_not_entered(tmp_path: Path) -> None:
    (tmp_path / "gallery" / "uploads").mkdir(parents=True)
    (tmp_path / "gallery" / MARKER).touch()
    (tmp_path / "gallery" / "uploads" / "a.jpg").write_bytes(b"x")
    (tmp_path / "b.jpg").write_bytes(b"x")

    assert found(tmp_path) == [b"b.jpg"]


def test_an_empty_folder_has_no_files(tmp_path: Path) -> None:
    assert list(walk(tmp_path)) == []


def test_a_folder_that_links_to_itself_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "round").symlink_to(tmp_path)
    (tmp_path / "self.jpg").symlink_to("self.jpg")

    reasons = skipped(tmp_path)

    assert found(tmp_path) == []
    assert reasons[b"round"] == "a link to a folder is not followed"
    assert "symbolic links" in reasons[b"self.jpg"]


def test_folders_nested_beyond_the_recursion_limit_are_walked(tmp_path: Path) -> None:
    depth = 200
    deepest = tmp_path.joinpath(*["d"] * depth)
    deepest.mkdir(parents=True)
    (deepest / "deep.jpg").write_bytes(b"x")
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 100)  # the real limit's folders are hard to remove
    try:
        paths = found(tmp_path)
    finally:
        sys.setrecursionlimit(before)

    assert paths == [b"d/" * depth + b"deep.jpg"]


@pytest.mark.parametrize("missing", ["nowhere", "file.txt/inside"])
def test_a_missing_folder_is_told(tmp_path: Path, missing: str) -> None:
    (tmp_path / "file.txt").touch()

    with pytest.raises(CollectionError) as caught:
        list(walk(tmp_path / missing))

    assert missing in caught.value.message
    assert caught.value.hint


def test_a_file_in_place_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").touch()

    with pytest.raises(CollectionError, match="is a file, not a folder"):
        list(walk(tmp_path / "photo.jpg"))


def test_a_photo_folder_that_cannot_be_opened_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")

    with pytest.raises(CollectionError) as caught:
        list(walk(tmp_path / "loop"))

    assert "\n" not in caught.value.message
    assert caught.value.hint


def test_a_folder_that_vanishes_in_the_middle_ends_as_reasons(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg", "c/d.jpg", "c/e.jpg"):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "photos" / name).write_bytes(b"x")
    files = walk(tmp_path / "photos")

    first = next(files)
    (tmp_path / "photos").rename(tmp_path / "moved")
    rest = list(files)

    assert first.path == b"a.jpg"
    assert rest == [
        SkippedFile(b"b.jpg", "vanished while it was read"),
        SkippedFile(b"c", "vanished while it was read"),
    ]


def test_what_may_not_be_read_is_skipped_with_a_reason(
    tmp_path: Path, as_nobody: AbstractContextManager[None]
) -> None:
    (tmp_path / "secret.jpg").write_bytes(b"x")
    (tmp_path / "secret.jpg").chmod(0)
    (tmp_path / "locked").mkdir(mode=0)

    with as_nobody:
        items = list(walk(Path()))
        with pytest.raises(PhotoError, match="permission denied"):
            read_file(Path("secret.jpg"))

    assert SkippedFile(b"locked", "permission denied") in items


def test_a_photo_folder_that_may_not_be_read_is_told(
    tmp_path: Path, as_nobody: AbstractContextManager[None]
) -> None:
    (tmp_path / "locked").mkdir(mode=0)

    with as_nobody, pytest.raises(CollectionError, match="permission denied"):
        list(walk(Path("locked")))


# ---- what a file must be


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
def test_formats_that_are_not_needed_stay_closed(
    name: str, picture: Image.Image, encoded: Encoded
) -> None:
    with pytest.raises(PhotoError, match="not an image of a format that is read"):
        decode(encoded(picture, name))


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


# ---- that pictures come out right


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
    from training.spec import Preprocessing  # noqa: PLC0415 - beside its only use

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
