"""Small upright JPEGs of gallery photos, made on demand and kept in a bounded memory."""

import io
import threading
from collections import OrderedDict

from PIL import Image

from indexer.gallery import Gallery

# The longer side of a tile's picture: sharp at the grid's row height on a high-density screen.
TILE_SIDE = 400

# The longer side of the picture in the dialog.
VIEW_SIDE = 1600

# About 3,000 tiles; a miss costs one decode, some 10 ms.
MAX_BYTES = 96 << 20

# A browser asks for six pictures at once; a 160-megapixel photo takes 480 MB while it is decoded.
MAX_DECODING = 4

JPEG_QUALITY = 85


class Thumbnails:
    """JPEG bytes by content and size; the least recently used go first."""

    def __init__(self, *, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._jpegs: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._size_bytes = 0
        self._lock = threading.Lock()
        self._decoding = threading.BoundedSemaphore(MAX_DECODING)

    @property
    def size_bytes(self) -> int:
        """What is held now."""
        return self._size_bytes

    def jpeg(self, gallery: Gallery, photo_id: int, *, content_hash: str, side: int) -> bytes:
        """A photo as a JPEG whose longer side is at most `side` pixels; never enlarged.

        Args:
            gallery: the gallery that knows the photo.
            photo_id: the photo.
            content_hash: its content, under which the picture is kept.
            side: pixels, at least 1.

        Raises:
            PhotoError: the photo vanished from the disk or cannot be decoded.
            GalleryError: the gallery knows no such photo.
        """
        key = (content_hash, side)
        with self._lock:
            if (kept := self._jpegs.get(key)) is not None:
                self._jpegs.move_to_end(key)
                return kept
        with self._decoding:
            made = _bounded_jpeg(gallery, photo_id, side)
        self._remember(key, made)
        return made

    def _remember(self, key: tuple[str, int], jpeg: bytes) -> None:
        with self._lock:
            self._size_bytes += len(jpeg) - len(self._jpegs.pop(key, b""))
            self._jpegs[key] = jpeg
            while self._size_bytes > self._max_bytes:
                _, dropped = self._jpegs.popitem(last=False)
                self._size_bytes -= len(dropped)


def _bounded_jpeg(gallery: Gallery, photo_id: int, side: int) -> bytes:
    # Decoding keeps twice what is asked on the shorter side, so half of `side` is enough.
    image = gallery.read(photo_id, at_least=max(1, side // 2)).image
    # Bicubic costs half of Lanczos, which is most of the work, and looks the same at this size.
    image.thumbnail((side, side), Image.Resampling.BICUBIC)
    # No EXIF, profile or comment: a place where a photo was taken never leaves its file.
    plain = Image.new("RGB", image.size)
    plain.paste(image)
    buffer = io.BytesIO()
    plain.save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()
