"""Copies of photos without the place where they were taken.

Only the bytes of the GPS directory are blanked; the picture and all else stay as they are, so
nothing is compressed a second time.
"""

import io
import re
import struct
import warnings

from PIL import ExifTags, Image

from training.errors import PhotoError
from training.photos import FORMATS

_POINTER = 0x8825  # the entry of the first directory that leads to the GPS directory
_ENTRY_BYTES = 12
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}  # by type
_EXIF = b"Exif\0\0"

# XMP may repeat the position: as an attribute or as an element.
_XMP = re.compile(rb"(exif:GPS\w+)(\s*=\s*[\"'])([^\"'<>]*)|<(exif:GPS\w+)[^<>]*>([^<>]*)<")


def location_free(data: bytes) -> bytes:
    """A photo's bytes with the GPS position blanked; the same bytes where it has none.

    Raises:
        PhotoError: it carries a position that cannot be taken out.
    """
    if not _has_position(data):
        return data
    blank = bytearray(data)
    if data.startswith(b"\xff\xd8"):
        _blank_exif(blank)
        _blank_xmp(blank)
    if _has_position(bytes(blank)):
        raise PhotoError(
            "it carries its GPS position, which can be taken out of JPEG files alone",
            hint="--with-location copies it with the position",
        )
    return bytes(blank)


def _has_position(data: bytes) -> bool:
    try:
        # What is ignored are warnings about the damage, which is looked for here.
        with (
            warnings.catch_warnings(action="ignore"),
            Image.open(io.BytesIO(data), formats=FORMATS) as image,
        ):
            position = image.getexif().get_ifd(ExifTags.IFD.GPSInfo)
    # All that damaged EXIF makes Pillow raise.
    except (
        OSError,
        SyntaxError,
        ValueError,
        KeyError,
        TypeError,
        IndexError,
        struct.error,
    ) as error:
        raise PhotoError(f"whether it carries a GPS position cannot be told: {error}") from None
    told = any(
        value not in (b"", "") and tag != 0 and _says(value) for tag, value in position.items()
    )
    return told or any((match[3] or match[5] or b"").strip() for match in _XMP.finditer(data))


def _says(value: object) -> bool:
    """Whether a value is more than blanks."""
    if isinstance(value, str | bytes):
        text = value if isinstance(value, bytes) else value.encode()
        return bool(text.strip(b"\0 "))
    return True


def _blank_xmp(data: bytearray) -> None:
    for match in _XMP.finditer(bytes(data)):
        for group in (3, 5):
            start, end = match.span(group)
            data[start:end] = b" " * (end - start)


def _blank_exif(data: bytearray) -> None:
    """Empty the GPS directory of every EXIF block."""
    for match in re.finditer(re.escape(_EXIF), bytes(data)):
        start = match.end()
        order = {b"II": "<", b"MM": ">"}.get(bytes(data[start : start + 2]))
        if order is not None:
            try:
                _blank_directory(data, start, order)
            except (struct.error, IndexError):
                continue  # damaged: the check afterwards tells


def _blank_directory(data: bytearray, start: int, order: str) -> None:
    (first,) = struct.unpack_from(order + "I", data, start + 4)
    for entry in _entries(data, start + first, order):
        tag, _, _, offset = struct.unpack_from(order + "HHII", data, entry)
        if tag == _POINTER:
            directory = start + offset
            for gps in list(_entries(data, directory, order)):
                _blank_entry(data, gps, start, order)
            struct.pack_into(order + "H", data, directory, 0)  # no entries


def _entries(data: bytearray, directory: int, order: str) -> range:
    """Where the entries of a directory begin."""
    (count,) = struct.unpack_from(order + "H", data, directory)
    first = directory + 2
    return range(first, first + count * _ENTRY_BYTES, _ENTRY_BYTES)


def _blank_entry(data: bytearray, entry: int, start: int, order: str) -> None:
    _, kind, count, offset = struct.unpack_from(order + "HHII", data, entry)
    size = _SIZES.get(kind, 1) * count
    if size > 4:  # the value lies elsewhere
        place = start + offset
        if place + size > len(data):
            raise IndexError(place)
        data[place : place + size] = bytes(size)
    data[entry : entry + _ENTRY_BYTES] = bytes(_ENTRY_BYTES)
