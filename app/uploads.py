"""Uploaded query images, kept re-encoded under their content hash so that a link can name one.

What is kept is upright, bounded in size and free of metadata; the file that was uploaded is not.
"""

import hashlib
import io
import os
import re
import threading
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from training.console import storage_error
from training.errors import PhotoError
from training.files import atomic_write
from training.photos import decode, read_file

# What one upload may weigh: above any photo of a phone or a camera's JPEG.
MAX_UPLOAD_MEGABYTES = 20
MAX_UPLOAD_BYTES = MAX_UPLOAD_MEGABYTES << 20

# The longer side of what is kept: several times what any encoder sees, and enough to look at.
MAX_SIDE = 1600

# No visible loss, and embeddings stay within a cosine of 0.999 of the original's.
JPEG_QUALITY = 92

# About a hundred typical uploads; the one unused for longest goes first.
MAX_KEPT = 200
MAX_KEPT_BYTES = 100 << 20

_KEY = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Kept:
    """How many uploads are kept, and what they weigh together."""

    count: int
    size_bytes: int


class Uploads:
    """The uploads of one gallery: `FOLDER/<sha256>.jpg`, bounded in number and bytes."""

    def __init__(
        self, folder: Path, *, max_kept: int = MAX_KEPT, max_bytes: int = MAX_KEPT_BYTES
    ) -> None:
        self.folder = folder
        self._max_kept = max_kept
        self._max_bytes = max_bytes
        self._lock = threading.Lock()

    def keep(self, data: bytes) -> str:
        """Keep one uploaded image and give its key, the SHA-256 of what is kept.

        Raises:
            PhotoError: too large, or not an image that can be read.
            StorageError: the folder cannot be written.
        """
        if len(data) > MAX_UPLOAD_BYTES:
            raise PhotoError(
                f"the image has {len(data) / (1 << 20):.0f} MB; "
                f"at most {MAX_UPLOAD_MEGABYTES} MB can be uploaded"
            )
        kept = _reencoded(data)
        key = hashlib.sha256(kept).hexdigest()
        with self._lock:
            self._write(key, kept)
            self._evict(spare=key)
        return key

    def read(self, key: str) -> bytes | None:
        """The JPEG kept under `key`; None where it expired, was cleared or never was."""
        # Only a hash ever becomes a file name: the key comes from the address bar.
        if not _KEY.fullmatch(key):
            return None
        path = self._path(key)
        try:
            data = read_file(path)
            os.utime(path)  # used just now: the last to be evicted
        except PhotoError:
            return None
        except OSError:
            pass  # a read-only gallery: what was read still counts
        return data if hashlib.sha256(data).hexdigest() == key else None

    def kept(self) -> Kept:
        """What is kept now."""
        sizes = [size for _, size, _ in self._listed()]
        return Kept(len(sizes), sum(sizes))

    def clear(self) -> None:
        """Forget every upload; links to them then say that they expired."""
        with self._lock:
            for _, _, path in self._listed():
                path.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.jpg"

    def _write(self, key: str, data: bytes) -> None:
        try:
            self.folder.mkdir(exist_ok=True)
            atomic_write(self._path(key), data)
        except OSError as error:
            known = storage_error(error)
            if known is None:
                raise
            raise known from None

    def _evict(self, *, spare: str) -> None:
        """Remove the longest unused until the bounds hold; never the one just kept."""
        listed = sorted(self._listed())
        count, total = len(listed), sum(size for _, size, _ in listed)
        for _, size, path in listed:
            if count <= self._max_kept and total <= self._max_bytes:
                return
            if path.stem != spare:
                path.unlink(missing_ok=True)
                count, total = count - 1, total - size

    def _listed(self) -> list[tuple[int, int, Path]]:
        """Time of last use in ns, size in bytes and path of each upload."""
        found = []
        for path in self.folder.glob("*.jpg"):
            try:
                facts = path.stat()
            except FileNotFoundError:  # cleared by another session meanwhile
                continue
            if _KEY.fullmatch(path.stem):
                found.append((facts.st_mtime_ns, facts.st_size, path))
        return found


def _reencoded(data: bytes) -> bytes:
    """An image file as a bounded upright JPEG without EXIF, profile or comment."""
    image = decode(data, at_least=MAX_SIDE // 2).image
    image.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    # Pillow carries a comment over from the source file; a new image has none.
    plain = Image.new("RGB", image.size)
    plain.paste(image)
    buffer = io.BytesIO()
    plain.save(buffer, "JPEG", quality=JPEG_QUALITY, optimize=True)
    return buffer.getvalue()
