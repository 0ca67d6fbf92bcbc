"""Does searching by neighbourhoods rank better? P@10 and mAP@100 by class, and milliseconds.

    python tests/benchmarks/expansion.py CLASSES/ ENCODER [--photos N] [--queries N]

CLASSES holds one folder a class; the class of a photo is used for scoring only. Photos are drawn by
a fixed seed, some as queries, the rest as a gallery that `ssl-index build` would make.
"""

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from indexer.build import BuildRequest, build
from indexer.gallery import Gallery
from training.photos import read_photo
from training.progress import Silent

DEPTH = 100


@dataclass(frozen=True)
class Ranking:
    """How good the rankings of one way to search are, and how long a query took."""

    precision: float  # of the first ten
    mean_average_precision: float  # of the first DEPTH
    milliseconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("classes", type=Path)
    parser.add_argument("encoder", type=Path)
    parser.add_argument("--photos", type=int, default=10**9)
    parser.add_argument("--queries", type=int, default=300)
    options = parser.parse_args()
    files = sorted(path for path in options.classes.glob("*/*") if path.is_file())
    order = np.random.default_rng(0).permutation(len(files))[: options.photos]
    queries, kept = order[: options.queries], order[options.queries :]
    with tempfile.TemporaryDirectory() as scratch:
        photos, folder = Path(scratch) / "photos", Path(scratch) / "gallery"
        for position in kept:
            target = photos / files[position].relative_to(options.classes)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(files[position].resolve())
        report = build(BuildRequest(photos, folder, options.encoder), progress=Silent())
        gallery = Gallery.open(folder)
        print(f"{len(gallery):,} photos, {len(queries)} queries, {'; '.join(report.notes)}")
        asked = [
            (embedded(gallery, files[position]), files[position].parent.name)
            for position in queries
        ]
        for name, expand in (("plain", False), ("expanded", True)):
            print(f"{name:<10} {judged(gallery, asked, expand=expand)}")


def embedded(gallery: Gallery, path: Path) -> np.ndarray:
    return gallery.encoder.embed_image(read_photo(path).image)


def judged(gallery: Gallery, asked: list[tuple[np.ndarray, str]], *, expand: bool) -> Ranking:
    classes = {
        photo.id: photo.path.split(b"/")[0].decode()
        for photo in gallery.photos(gallery.embeddings()[0].tolist()).values()
    }
    of_class = {name: list(classes.values()).count(name) for name in set(classes.values())}
    precisions, averages, seconds = [], [], []
    for query, name in asked:
        started = time.perf_counter()
        hits = gallery.search(query, k=DEPTH, expand=expand)
        seconds.append(time.perf_counter() - started)
        right = np.array([classes[hit.id] == name for hit in hits])
        precisions.append(right[:10].mean())
        at_each = right.cumsum() / np.arange(1, len(right) + 1)
        averages.append((at_each * right).sum() / max(1, min(DEPTH, of_class.get(name, 0))))
    return Ranking(
        round(float(np.mean(precisions)), 3),
        round(float(np.mean(averages)), 3),
        round(1000 * float(np.median(seconds)), 2),
    )


if __name__ == "__main__":
    main()
