"""Photos for tests, drawn on the spot: shapes in colours, and every bad input there is."""

import io
import os
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageDraw

SHAPES = ("circle", "square", "triangle", "cross")
COLOURS = ("crimson", "seagreen", "royalblue", "goldenrod", "orchid", "darkslategray")

# How a picture is stored so that the orientation of this number turns it upright again.
_STORED_AS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@dataclass(frozen=True)
class HostileFolder:
    """A folder with everything that people have in theirs. Paths are relative, as bytes."""

    root: Path
    good: tuple[bytes, ...]  # must be used
    bad: dict[bytes, str]  # must be skipped; a part of the reason
    unseen: tuple[bytes, ...]  # must not turn up at all


DrawShape = Callable[..., Image.Image]


@pytest.fixture(scope="session")
def draw_shape() -> DrawShape:
    """Draws a shape: `draw_shape("circle", "crimson", size=(64, 48), seed=0)`."""
    return _draw_shape


@pytest.fixture(scope="session")
def make_shape_folder() -> Callable[..., Path]:
    """Fills a folder with class folders of JPEGs: `make_shape_folder(root, per_class=6)`."""
    return _make_shape_folder


@pytest.fixture(scope="module")
def sixty_shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four class folders of fifteen shapes each, enough to train on; leave them as they are."""
    return _make_shape_folder(tmp_path_factory.mktemp("photos") / "shapes", per_class=15)


@pytest.fixture
def shape_folder(tmp_path: Path) -> Path:
    """Twenty-four photos in four class folders, one a shape."""
    return _make_shape_folder(tmp_path / "shapes")


@pytest.fixture(scope="session")
def encoded() -> Callable[..., bytes]:
    """An image file's bytes: `encoded(image, "PNG", **options of Pillow's save)`."""
    return _encoded


@pytest.fixture(scope="session")
def store_oriented() -> Callable[[Image.Image, int, str], bytes]:
    """A file that shows `image` upright once its EXIF orientation, 1 to 8, is followed."""
    return _store_oriented


@pytest.fixture(scope="session")
def png_bomb() -> bytes:
    """A valid RGB PNG of 20,000 x 20,000 pixels: about a megabyte that unpacks to 1.2 GB."""
    return _png_bomb(20_000, 20_000)


@pytest.fixture
def hostile_folder(tmp_path: Path, png_bomb: bytes) -> HostileFolder:
    """Good photos of many kinds among everything that is not one."""
    root = tmp_path / "hostile"
    root.mkdir()
    good = _write_good(root)
    bad = _write_bad(root, png_bomb)
    unseen = (b".hidden.jpg", b"a-run/views.png")
    _write(root, unseen[0], _encoded(_draw_shape(), "JPEG"))
    _write(root, unseen[1], _encoded(_draw_shape(), "PNG"))
    _write(root, b"a-run/.lookalike", b"")
    return HostileFolder(root, tuple(sorted(good)), bad, unseen)


def _draw_shape(
    shape: str = "circle",
    colour: str = "crimson",
    *,
    size: tuple[int, int] = (64, 48),
    seed: int = 0,
) -> Image.Image:
    """A shape at a random place and size on slightly noisy light paper: an RGB image."""
    draws = np.random.default_rng([seed, SHAPES.index(shape)])
    paper = draws.uniform(190, 250, 3) + draws.normal(0, 4, (size[1], size[0], 3))
    image = Image.fromarray(np.clip(paper, 0, 255).astype(np.uint8))
    radius = min(size) * draws.uniform(0.2, 0.35)
    x, y = draws.uniform(0.4, 0.6) * size[0], draws.uniform(0.4, 0.6) * size[1]
    box = (x - radius, y - radius, x + radius, y + radius)
    pen = ImageDraw.Draw(image)
    if shape == "circle":
        pen.ellipse(box, fill=colour)
    elif shape == "square":
        pen.rectangle(box, fill=colour)
    elif shape == "triangle":
        pen.polygon([(x, box[1]), (box[2], box[3]), (box[0], box[3])], fill=colour)
    else:
        pen.line((box[0], y, box[2], y), fill=colour, width=max(1, int(radius / 2)))
        pen.line((x, box[1], x, box[3]), fill=colour, width=max(1, int(radius / 2)))
    return image


def _make_shape_folder(
    root: Path, *, per_class: int = 6, size: tuple[int, int] = (64, 48), seed: int = 0
) -> Path:
    for shape in SHAPES:
        folder = root / shape
        folder.mkdir(parents=True)
        for number in range(per_class):
            colour = COLOURS[number % len(COLOURS)]
            image = _draw_shape(shape, colour, size=size, seed=seed * 1000 + number)
            image.save(folder / f"{shape}-{number:03d}.jpg", quality=92)
    return root


def _encoded(image: Image.Image, image_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


def _store_oriented(image: Image.Image, orientation: int, image_format: str) -> bytes:
    turn = _STORED_AS[orientation]
    stored = image if turn is None else image.transpose(turn)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    if image_format == "HEIF":  # as phones do: the file's own turn beside the EXIF entry
        return _encoded(stored, image_format, exif=exif.tobytes(), quality=95)
    lossless = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}}
    return _encoded(stored, image_format, exif=exif, **lossless.get(image_format, {}))


def _write_good(root: Path) -> list[bytes]:
    """One file for each kind that must be read, of odd names too; gives their paths."""
    picture = _draw_shape(size=(48, 32))
    deep = Image.fromarray(np.linspace(0, 65535, 48 * 32).reshape(32, 48).astype(np.uint16))
    other = _draw_shape("square", "seagreen", size=(48, 32))
    files = {
        b"plain.jpg": _encoded(picture, "JPEG"),
        b"jpeg-named.png": _encoded(picture, "JPEG", quality=80),
        b"no-ending": _encoded(picture, "PNG"),
        b"cmyk.jpg": _encoded(picture.convert("CMYK"), "JPEG"),
        b"grey16.png": _encoded(deep, "PNG"),
        b"palette.png": _encoded(picture.convert("P"), "PNG", transparency=0),
        b"rgba.png": _encoded(picture.convert("RGBA"), "PNG"),
        b"animated.gif": _encoded(picture, "GIF", save_all=True, append_images=[other]),
        b"pages.tiff": _encoded(picture, "TIFF", save_all=True, append_images=[other]),
        b"picture.webp": _encoded(picture, "WEBP"),
        b"turned.jpg": _store_oriented(picture, 6, "JPEG"),
        b"folder.jpg/inside.bmp": _encoded(picture, "BMP"),
        b"with space.jpg": _encoded(other, "JPEG"),
        b"new\nline.jpg": _encoded(other, "JPEG", quality=81),
        b"not-utf8-\xff\xfe.jpg": _encoded(other, "JPEG", quality=82),
        "größe-写真.jpg".encode(): _encoded(other, "JPEG", quality=83),
    }
    for path, data in files.items():
        _write(root, path, data)
    (root / "link.jpg").symlink_to("plain.jpg")
    return [*files, b"link.jpg"]


def _write_bad(root: Path, bomb: bytes) -> dict[bytes, str]:
    """One file for each kind that cannot be used; gives a part of each reason."""
    jpeg = _encoded(_draw_shape(size=(128, 96)), "JPEG")
    _write(root, b"text.jpg", b"this is no image at all\n" * 10)
    _write(root, b"truncated.jpg", jpeg[: len(jpeg) // 2])
    _write(root, b"empty.jpg", b"")
    _write(root, b"bomb.png", bomb)
    (root / "broken-link.jpg").symlink_to("nowhere.jpg")
    (root / "folder-link").symlink_to("folder.jpg")
    os.mkfifo(root / "pipe.jpg")
    return {
        b"text.jpg": "not an image",
        b"truncated.jpg": "damaged",
        b"empty.jpg": "empty",
        b"bomb.png": "megapixels",
        b"broken-link.jpg": "broken link",
        b"folder-link": "link to a folder",
        b"pipe.jpg": "not a regular file",
    }


def _write(root: Path, path: bytes, data: bytes) -> None:
    full = Path(os.fsdecode(os.path.join(os.fsencode(root), path)))  # noqa: PTH118 - bytes
    full.parent.mkdir(parents=True, exist_ok=True)
    full.write_bytes(data)


def _png_bomb(width: int, height: int) -> bytes:
    """Black pixels as one compressed block of rows, again and again."""
    rows_per_block = 200
    assert height % rows_per_block == 0
    row = bytes(1 + 3 * width)
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    # After a full flush a block stands for itself, so it may be repeated.
    block = squeeze.compress(row * rows_per_block) + squeeze.flush(zlib.Z_FULL_FLUSH)
    total = len(row) * height
    adler = (total % 65521) << 16 | 1  # of that many zero bytes
    data = b"\x78\xda" + block * (height // rows_per_block) + b"\x03\x00" + struct.pack(">I", adler)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, body) for kind, body in chunks)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
