"""When and with what a photo was taken, as its EXIF says. It may say nothing, or nonsense."""

from dataclasses import dataclass
from datetime import datetime

from PIL import ExifTags, Image

# Some cameras fill the field up with blanks or zeros; longer ones are no names.
LONGEST_NAME = 100

_WRITTEN = "%Y:%m:%d %H:%M:%S"


@dataclass(frozen=True, slots=True)
class Shot:
    """What a camera noted beside the picture."""

    taken: str | None = None  # "YYYY-MM-DD HH:MM:SS", the camera's own clock; None: not told
    camera: str | None = None  # maker and model; None: not told


UNKNOWN_SHOT = Shot()


def read_shot(image: Image.Image) -> Shot:
    """The date and camera of an opened image; its pixels need not be decoded.

    The date is when the picture was taken or, for scans, digitized. EXIF's third date, of the last
    change, is not used: it says when somebody edited a copy.
    """
    try:
        exif = image.getexif()
        details = exif.get_ifd(ExifTags.IFD.Exif)
        dates = [details.get(tag) for tag in (ExifTags.Base.DateTimeOriginal,
                                              ExifTags.Base.DateTimeDigitized)]  # fmt: skip
        taken = next((date for date in map(_date, dates) if date), None)
        return Shot(taken, _camera(exif.get(ExifTags.Base.Make), exif.get(ExifTags.Base.Model)))
    # Hostile or damaged metadata raises nearly every type there is, and the photo stands without.
    except Exception:
        return UNKNOWN_SHOT


def _date(value: object) -> str | None:
    """A date as EXIF writes it, as ISO 8601 has it; None when it is none."""
    try:
        return datetime.strptime(_text(value)[:19], _WRITTEN).isoformat(sep=" ")
    except ValueError:
        return None


def _camera(make: object, model: object) -> str | None:
    """`Canon` and `Canon EOS R5` are one name, `NIKON CORPORATION` and `NIKON D750` too."""
    maker, name = _text(make), _text(model)
    first = maker.split(" ")[0]
    together = name if first and name.lower().startswith(first.lower()) else f"{maker} {name}"
    return together.strip()[:LONGEST_NAME] or None


def _text(value: object) -> str:
    """One line of printable text; empty for anything else."""
    if isinstance(value, bytes):
        value = value.decode("ascii", errors="replace")
    if not isinstance(value, str):
        return ""
    return " ".join("".join(c if c.isprintable() else " " for c in value).split())
