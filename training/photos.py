"""THE way to read a photo: walk a folder, sniff, decode, turn upright, make RGB.

Training, the indexer and the app all come through here, so a photo looks the same to each.
A file ends as a photo or as a reason; originals are only ever opened for reading.
"""

import io
import os
import stat
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from training.colours import to_rgb
from training.errors import CollectionError, PhotoError
from training.exif import UNKNOWN_SHOT, Shot, read_shot

# A folder that holds this file is ours (a run, a gallery, a cache): the walk does not enter it.
MARKER = ".lookalike"

# What is decoded, by content and never by name (JPEG includes MPO, its form with several
# pictures). EPS, PSD, PDF, FITS and the like stay closed: their decoders are where the trouble is.
_WANTED_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "PPM", "AVIF", "HEIF")

# The largest photo: 160 megapixels, one step above the largest medium-format backs (151).
# Decoded it takes 480 MB; a 20,000 x 20,000 PNG bomb would take 1.2 GB.
MAX_PIXELS = 160_000_000

# A file above this is not read into memory.
MAX_FILE_BYTES = 1 << 30

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
class FoundFile:
    """A regular file below the photo root, not yet opened."""

    path: bytes  # relative to the root, as os.fsencode gives it
    size_bytes: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A file that cannot be used, and why."""

    path: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Photo:
    """A decoded photo: upright RGB, perhaps reduced, with the size it has in full."""

    image: Image.Image
    width: int
    height: int
    format: str
    shot: Shot = UNKNOWN_SHOT


def walk(root: Path) -> Iterator[FoundFile | SkippedFile]:
    """Every file below `root` in a fixed order: folder by folder, names by their bytes.

    Hidden names (a leading dot) are not looked at; folders marked as ours are not entered.

    Raises:
        CollectionError: `root` is missing, not a folder, or cannot be read.
    """
    top = os.fsencode(root)
    # A stack of folders, not recursion: a thousand nested folders would exceed Python's limit.
    stack = [_paths_in(_list_root(root), b"")]
    while stack:
        path = next(stack[-1], None)
        if path is None:
            stack.pop()
            continue
        item = _visit(os.path.join(top, path), path)
        if isinstance(item, list):
            stack.append(_paths_in(item, path))
        else:
            yield item


def read_file(path: Path) -> bytes:
    """The bytes of one file.

    Raises:
        PhotoError: it vanished, is empty, too large, or may not be read.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_FILE_BYTES:
                raise PhotoError(f"the file has {size:,} bytes; at most {MAX_FILE_BYTES:,} is read")
            data = file.read()
    except FileNotFoundError:
        raise PhotoError("the file vanished") from None
    except PermissionError:
        raise PhotoError("permission denied") from None
    except OSError as error:
        raise PhotoError(f"cannot be read: {error.strerror or error}") from None
    if not data:
        raise PhotoError("the file is empty (0 bytes)")
    return data


def decode(data: bytes, *, at_least: int | None = None) -> Photo:
    """Decode a photo's bytes to upright 8-bit RGB.

    Args:
        data: the whole file.
        at_least: the shorter side, in pixels, that the caller will resize to. JPEGs are then
            decoded at a fraction of their size that keeps twice this. None: in full.

    Raises:
        PhotoError: not an image of a known format, damaged, or too large.
    """
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
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


def read_photo(path: Path, *, at_least: int | None = None) -> Photo:
    """Read and decode one file; see `read_file` and `decode`."""
    return decode(read_file(path), at_least=at_least)


def photo_shot(path: Path) -> Shot:
    """The date and camera of a file, read from its head; nothing where it cannot be read."""
    try:
        with Image.open(path, formats=FORMATS) as image:
            return read_shot(image)
    # As in `decode`: hostile bytes raise anything, and here only a date is at stake.
    except Exception:
        return UNKNOWN_SHOT


def _list_root(root: Path) -> list[bytes]:
    hint = "give the folder that holds your photos"
    try:
        return os.listdir(os.fsencode(root))
    except FileNotFoundError:
        raise CollectionError(f"there is no folder {root}", hint=hint) from None
    except NotADirectoryError:
        raise CollectionError(f"{root} is a file, not a folder", hint=hint) from None
    except PermissionError:
        raise CollectionError(
            f"{root} cannot be read: permission denied", hint="change the folder's rights"
        ) from None
    except OSError as error:
        raise CollectionError(f"{root} cannot be read: {error.strerror}", hint=hint) from None


def _paths_in(names: list[bytes], folder: bytes) -> Iterator[bytes]:
    """The paths to visit in a folder of these names; none where it is one of ours."""
    if os.fsencode(MARKER) not in names:
        for name in sorted(names):
            if not name.startswith(b"."):
                yield os.path.join(folder, name)


def _visit(full: bytes, path: bytes) -> FoundFile | SkippedFile | list[bytes]:
    """What lies at a path: a file, a reason, or the names in a folder."""
    try:
        facts = os.lstat(full)
        if stat.S_ISDIR(facts.st_mode):
            return os.listdir(full)
        if stat.S_ISLNK(facts.st_mode):
            facts = os.stat(full)
        if stat.S_ISREG(facts.st_mode):
            return FoundFile(path, facts.st_size, facts.st_mtime_ns)
        # Following a link to a folder can loop, and shows the same photos twice.
        linked = stat.S_ISDIR(facts.st_mode)
        reason = "a link to a folder is not followed" if linked else "not a regular file"
    except FileNotFoundError:
        reason = "a broken link" if os.path.islink(full) else "vanished while it was read"
    except PermissionError:
        reason = "permission denied"
    except OSError as error:
        reason = f"cannot be read: {error.strerror or error}"
    return SkippedFile(path, reason)


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
