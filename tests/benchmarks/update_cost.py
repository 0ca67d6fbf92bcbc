"""What does an update cost after one photo in a hundred changed?

    python tests/benchmarks/update_cost.py [--photos 100000] [--share 0.01] [--scratch DIR]

Tiny JPEGs and a toy encoder: what remains is the cost of listing, comparing, recording and
indexing. With --scratch photos and gallery stay there for the next run.
"""

import argparse
import cProfile
import pstats
import runpy
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from indexer.build import BuildRequest, build
from indexer.report import IndexReport
from indexer.update import remembered
from training.photos import walk
from training.progress import Silent

write_toy_encoder: Callable[..., Path] = runpy.run_path(
    str(Path(__file__).parents[1] / "fixtures_encoder.py")
)["write_toy_encoder"]

FOLDERS = 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=100_000)
    parser.add_argument("--share", type=float, default=0.01)
    parser.add_argument("--scratch", type=Path)
    parser.add_argument("--profile", action="store_true", help="say where its time goes instead")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        place = options.scratch or Path(scratch)
        photos, gallery = place / "photos", place / "gallery"
        if not gallery.exists():
            paint(photos, options.photos)
            report = built(photos, gallery, write_toy_encoder(place / "toy.onnx", dim=128))
            tell("first build", report)
        started = time.perf_counter()
        files = sum(1 for _ in walk(photos))
        print(f"listing {files:,} files: {time.perf_counter() - started:.2f} s", flush=True)
        tell("update, nothing changed", update(gallery))
        change(photos, share=options.share)
        if options.profile:
            with cProfile.Profile() as profile:
                update(gallery)
            pstats.Stats(profile).sort_stats("cumulative").print_stats(35)
            return
        report = update(gallery)
        tell(f"update, {report.changed:,} changed", report)


def paint(photos: Path, count: int) -> None:
    draws = np.random.default_rng(0)
    for number in range(count):
        path = photos / f"{number % FOLDERS:03d}" / f"photo-{number:07d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(draws).save(path, quality=80)


def change(photos: Path, *, share: float) -> None:
    """Other pictures in some files."""
    draws = np.random.default_rng(time.time_ns())
    files = sorted(photos.glob("*/*.jpg"))
    for position in draws.choice(len(files), round(share * len(files)), replace=False):
        picture(draws).save(files[position], quality=80)


def picture(draws: np.random.Generator) -> Image.Image:
    """A few blocks of colour: no two alike."""
    return Image.fromarray(draws.integers(0, 256, (4, 4, 3), np.uint8)).resize((32, 32), 0)


def built(photos: Path, gallery: Path, encoder: Path) -> IndexReport:
    return build(BuildRequest(photos, gallery, encoder, device="cpu"), progress=Silent())


def update(gallery: Path) -> IndexReport:
    return build(remembered(gallery), progress=Silent())


def tell(what: str, report: IndexReport) -> None:
    print(f"{what}: {report.embedded:,} embedded, {report.seconds:.2f} s", flush=True)


if __name__ == "__main__":
    main()
