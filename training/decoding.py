"""From the bytes of one photo to upright 8-bit RGB, in this process; `photos.decode` decides where.

What a file is, is sniffed from its first bytes and nothing else is asked: only the decoder of that
one format is let near it.
"""

import io
import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from training.colours import to_rgb
from training.errors import PhotoError
from training.exif import UNKNOWN_SHOT, Shot, read_shot

# What is decoded, by content and never by name (JPEG includes MPO, its form with several
# pictures). EPS, PSD, PDF, FITS and the like stay closed: their decoders are where the trouble is.
_WANTED_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "PPM", "AVIF", "HEIF")

# Pillow opens these in Python; WebP, AVIF and HEIC meet their native library at once.
_HEADS_READ_HERE = ("JPEG", "PNG", "TIFF", "GIF", "BMP", "PPM")

# What the files of a format begin with.
_BEGINNINGS = {
    "JPEG": (b"\xff\xd8\xff",),
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "GIF": (b"GIF87a", b"GIF89a"),
    "TIFF": (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"),
    "BMP": (b"BM",),
    "PPM": (b"P1", b"P2", b"P3", b"P4", b"P5", b"P6", b"Pf", b"PF"),
}

# AVIF and HEIC share a container, which videos use too: the brand at byte 8 tells.
_BRANDS = frozenset(
    {b"avif", b"avis", b"mif1", b"msf1", b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"}
)

# As much of a file as `sniff` looks at.
HEAD_BYTES = 16

# The largest photo: 160 megapixels, one step above the largest medium-format backs (151).
# Decoded it takes 480 MB; a 20,000 x 20,000 PNG bomb would take 1.2 GB.
MAX_PIXELS = 160_000_000

# JPEG and PNG decoders are the most hardened there are, and within these limits no file keeps them
# busy for long: such a photo may be decoded in this process, which is the fastest.
PLAIN_BYTES = 64 << 20
# Cameras and web sites make some ten scans; thousands are made to keep a decoder busy for hours.
PLAIN_SCANS = 64

# Scaled JPEG decoding keeps at least this many times the wanted size before the exact resize.
# Measured: embeddings stay at cosine 0.9998 of a full decode, at a quarter of its cost.
DRAFT_OVERSAMPLING = 2

# EXIF orientations that swap width and height.
_SIDEWAYS = (5, 6, 7, 8)

if find_spec("pillow_heif") is not None:  # it has no wheels for a few platforms
    import pillow_heif

    pillow_heif.register_heif_opener()

# Pillow trips over a format it cannot open, and AVIF or HEIC are missing from some builds.
Image.init()
FORMATS = tuple(name for name in _WANTED_FORMATS if name in Image.OPEN)

# Pillow raises above twice this and warns in between; `_check_size` refuses from once on.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
# Damaged metadata is common and harmless: the pixels decide whether a photo is used.
warnings.filterwarnings("ignore", module=r"PIL\..*")


@dataclass(frozen=True, slots=True)
class Photo:
    """A decoded photo: upright RGB, perhaps reduced, with the size it has in full."""

    image: Image.Image
    width: int
    height: int
    format: str
    shot: Shot = UNKNOWN_SHOT


def sniff(data: bytes) -> tuple[str, ...]:
    """The formats that a file with these first bytes may have; none when it is not read."""
    names: tuple[str, ...] = ()
    if data[4:8] == b"ftyp":
        names = ("AVIF", "HEIF") if data[8:12] in _BRANDS else ()
    elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        names = ("WEBP",)
    else:
        names = tuple(name for name, starts in _BEGINNINGS.items() if data.startswith(starts))
    return tuple(name for name in names if name in FORMATS)


def is_plain(data: bytes) -> bool:
    """Whether this is a JPEG or PNG that may be decoded in this process."""
    if len(data) > PLAIN_BYTES or sniff(data) not in (("JPEG",), ("PNG",)):
        return False
    # In a JPEG's compressed data 0xff is followed by 0: these two bytes do begin a scan.
    return sniff(data) == ("PNG",) or data.count(b"\xff\xda") <= PLAIN_SCANS


def decode_here(data: bytes, *, at_least: int | None = None) -> Photo:
    """Decode in this process; see `photos.decode`.

    Raises:
        PhotoError: not an image of a known format, damaged, or too large.
    """
    formats = sniff(data)
    if not formats:
        raise PhotoError("not an image of a format that is read")
    try:
        with Image.open(io.BytesIO(data), formats=formats) as image:
            return _decode(image, at_least)
    except PhotoError:
        raise
    except UnidentifiedImageError:
        raise PhotoError("not an image of a format that is read") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise PhotoError(_too_large()) from None
    except MemoryError:
        raise PhotoError("not enough memory to decode it") from None
    # Decoders meet hostile bytes here and raise nearly every type there is; each costs one photo.
    except Exception as error:
        raise PhotoError(f"damaged: {str(error) or type(error).__name__}") from None


def shot_in_head(path: Path) -> Shot | None:
    """The date and camera of a file whose head is read without a native decoder; None for others.

    Nothing is known of a file that cannot be read.
    """
    try:
        with path.open("rb") as file:
            formats = sniff(file.read(HEAD_BYTES))
        if not formats or formats[0] not in _HEADS_READ_HERE:
            return None if formats else UNKNOWN_SHOT
        with Image.open(path, formats=formats) as image:
            return read_shot(image)
    # As in `decode_here`: hostile bytes raise anything, and here only a date is at stake.
    except Exception:
        return UNKNOWN_SHOT


def _decode(image: Image.Image, at_least: int | None) -> Photo:
    width, height = image.size
    _check_size(width, height)
    name = image.format or ""
    if at_least is not None and name in ("JPEG", "MPO"):
        image.draft("RGB", (DRAFT_OVERSAMPLING * at_least, DRAFT_OVERSAMPLING * at_least))
    # A TIFF's file is closed once it is loaded; a PNG's notes may lie behind its pixels.
    shot = read_shot(image) if name == "TIFF" else None
    image.load()
    shot = shot or read_shot(image)
    try:
        sideways = image.getexif().get(ExifTags.Base.Orientation) in _SIDEWAYS
        upright = ImageOps.exif_transpose(image)
    except Exception:  # unreadable EXIF says nothing: the pixels stand
        sideways, upright = False, image
    if sideways:
        width, height = height, width
    return Photo(to_rgb(upright), width, height, "JPEG" if name == "MPO" else name, shot)


def _check_size(width: int, height: int) -> None:
    if width < 1 or height < 1:
        raise PhotoError(f"damaged: it says it is {width} x {height} pixels")
    if width * height > MAX_PIXELS:
        raise PhotoError(f"{width:,} x {height:,} pixels: {_too_large()}")


def _too_large() -> str:
    return f"larger than {MAX_PIXELS // 1_000_000} megapixels"
