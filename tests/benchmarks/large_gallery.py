"""Make a gallery of many synthetic photos from a real one, to measure what size costs.

    python tests/benchmarks/large_gallery.py GALLERY FOLDER [--photos 100000]

Every photo is a picture of GALLERY, smaller and with a number in a comment, so that its content is
its own. Its embedding is that of the picture with noise, so that photos crowd where real ones do;
a few stay close enough to be near-duplicates. Nothing is embedded: it takes about two minutes and
12 KB a photo. FOLDER gets `photos` and `gallery`; a second run makes it anew.
"""

import argparse
import hashlib
import io
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from indexer.catalogue import Catalogue
from indexer.folder import GalleryFolder
from indexer.gallery import Gallery
from indexer.records import Content, Pending, Sighting
from training.photos import FoundFile

SIDE = 320  # the longer one, in pixels
A_FOLDER = 1000  # photos
A_TRANSACTION = 5000  # photos

# Of the noise beside an embedding of length 1: cosines with the picture's own from .98 to .66.
LEAST_NOISE, MOST_NOISE = 0.2, 1.1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("gallery", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photos", type=int, default=100_000)
    options = parser.parse_args()
    source = Gallery.open(options.gallery, device="cpu")
    shutil.rmtree(options.folder, ignore_errors=True)
    photos, place = options.folder / "photos", GalleryFolder(options.folder / "gallery")
    photos.mkdir(parents=True)
    files = _write_photos(source, photos, options.photos)
    rows = _noisy(source.embeddings()[1], options.photos)
    with place.claimed(command="large_gallery.py", wait_seconds=0):
        shutil.copy(options.gallery / "encoder.onnx", place.encoder)
        catalogue = Catalogue.create(place.catalogue)
        published = Catalogue(source.catalogue_path).state().published
        assert published is not None
        catalogue.start_pending(Pending(published.fingerprint, published.source))
        for start in range(0, len(files), A_TRANSACTION):
            some = zip(files[start : start + A_TRANSACTION], rows[start:], strict=False)
            catalogue.record(
                [Sighting(file, of.hash, of, row) for (file, of), row in some], [], staged=True
            )
        catalogue.settle(photo_root=os.fsencode(photos.resolve()), gone=[], skipped=[])
        catalogue.publish(replace(published, photos=len(files)), centre=lambda kept: kept)
    Gallery.open(place.path, device="cpu")  # builds and keeps the index
    print(f"{len(files):,} photos in {place.path}")


def _write_photos(source: Gallery, photos: Path, count: int) -> list[tuple[FoundFile, Content]]:
    """Write so many files; each picture of the source is used in turn."""
    ids = source.embeddings()[0].tolist()
    made = []
    for at, photo_id in enumerate(ids[:count]):
        image = source.read(photo_id).image.convert("RGB")
        image.thumbnail((SIDE, SIDE))
        for number in range(at, count, len(ids)):
            path = f"{number // A_FOLDER:03d}/{number:06d}.jpg"
            (photos / path).parent.mkdir(exist_ok=True)
            data = _jpeg(image, f"photo {number}")
            (photos / path).write_bytes(data)
            mtime_ns = (photos / path).stat().st_mtime_ns
            file = FoundFile(os.fsencode(path), len(data), mtime_ns)
            content = Content(hashlib.sha256(data).digest(), *image.size, "JPEG", len(data))
            made.append((number, file, content))
    return [(file, content) for _, file, content in sorted(made, key=lambda one: one[0])]


def _jpeg(image: Image.Image, comment: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=80, comment=comment)
    return buffer.getvalue()


def _noisy(rows: np.ndarray, count: int) -> np.ndarray:
    """`(count, d)` float32 unit rows around the `(n, d)` rows of a gallery, each in turn."""
    draws = np.random.default_rng(0)
    noise = draws.standard_normal((count, rows.shape[1]), dtype=np.float32)
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    strength = draws.uniform(LEAST_NOISE, MOST_NOISE, (count, 1)).astype(np.float32)
    made = rows[np.arange(count) % len(rows)] + strength * noise
    return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), np.float32)


if __name__ == "__main__":
    main()
