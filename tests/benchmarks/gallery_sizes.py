"""How fast does a large gallery open, and what does a search add to FAISS? Memory too.

    python tests/benchmarks/gallery_sizes.py [--photos 100000 1000000] [--dim 128] [--index exact]
        [--map] [--scratch DIR]

A gallery of made-up photos: its catalogue, encoder and index are real, the photos' files are not
there. Each opening is a process of its own. With --scratch the galleries stay for the next run.
"""

import argparse
import json
import os
import runpy
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import faiss
import numpy as np
from index_data import make, timed

from app.maps import Maps
from indexer import neighbourhoods
from indexer.catalogue import Catalogue
from indexer.encoder import OnnxEncoder
from indexer.expansion import pays
from indexer.filters import Filter
from indexer.folder import GalleryFolder
from indexer.gallery import Gallery
from indexer.neighbourhoods import NEIGHBOURS_FILE, KeptNeighbourhoods
from indexer.records import Content, Pending, Published, Sighting
from indexer.refreshing import refresh_index
from training.files import mark_folder
from training.photos import FoundFile
from training.progress import Silent

write_toy_encoder: Callable[..., Path] = runpy.run_path(
    str(Path(__file__).parents[1] / "fixtures_encoder.py")
)["write_toy_encoder"]

QUERIES = 300
FOLDERS = 200
K = 24  # a page of results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--index", default="auto")
    parser.add_argument("--map", action="store_true", help="draw its map too, for minutes")
    parser.add_argument("--scratch", type=Path)
    parser.add_argument("--open", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.open:
        print(json.dumps(mapped(options.open) if options.map else opened(options.open)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        for count in options.photos:
            place = (options.scratch or Path(scratch)) / f"{options.index}-{count}-{options.dim}"
            if not place.exists():
                built(place, count, options.dim, options.index)
            print(f"\n{count:,} photos of {options.dim} numbers", flush=True)
            for which in ("first opening", "second opening", *(["map"] if options.map else [])):
                if which.startswith("first"):
                    (place / "gallery" / "verified.json").unlink(missing_ok=True)
                command = [sys.executable, __file__, "--open", str(place)]
                if which == "map":
                    command.append("--map")
                told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
                for name, value in json.loads(told.stdout.splitlines()[-1]).items():
                    print(f"  {which}: {name} {value}", flush=True)


def built(place: Path, count: int, dim: int, index: str) -> None:
    """A gallery as a build leaves it, faster than one could photograph."""
    folder, photos = GalleryFolder(place / "gallery"), place / "photos"
    photos.mkdir(parents=True)
    mark_folder(folder.path)
    encoder = OnnxEncoder.open(write_toy_encoder(folder.encoder, dim=dim), device="cpu")
    rows = make("realistic", count=count, dim=dim, queries=QUERIES).rows
    started = time.perf_counter()
    catalogue = Catalogue.create(folder.catalogue)
    catalogue.start_pending(Pending(encoder.fingerprint, encoder.fingerprint))
    for start in range(0, count, 50_000):
        numbers = range(start, min(start + 50_000, count))
        catalogue.record([sighting(n, rows[n]) for n in numbers], [], staged=True)
    catalogue.settle(photo_root=os.fsencode(photos.resolve()), gone=[], skipped=[])
    spec = encoder.spec.to_json()
    published = Published(encoder.fingerprint, encoder.fingerprint, spec, dim, count)
    catalogue.publish(published, centre=lambda staged: staged)
    catalogue.compact()
    catalogue.want_index(index)  # type: ignore[arg-type]
    filled = time.perf_counter()
    told = refresh_index(folder, catalogue)
    print(
        f"{count:,} rows recorded in {filled - started:.1f} s, indexed in "
        f"{time.perf_counter() - filled:.1f} s; {told}",
        flush=True,
    )
    told_of_neighbours(folder, catalogue)


def told_of_neighbours(folder: GalleryFolder, catalogue: Catalogue) -> None:
    """Tell what it takes to find them, and again after one photo in a hundred changed."""
    silent = {"progress": Silent(), "stop": lambda: False}
    started = time.perf_counter()
    neighbourhoods.refresh(folder, catalogue, **silent)
    found = time.perf_counter()
    stored = catalogue.embeddings()
    kept = KeptNeighbourhoods(folder.path, stored).known()
    if kept is None:  # so large a gallery goes without
        return
    marks = kept.marks.copy()
    marks[::100] += 1
    again = time.perf_counter()
    neighbourhoods.found_for(stored, before=replace(kept, marks=marks), **silent)
    print(
        f"neighbours found in {found - started:.1f} s, brought up to date after 1 % changed in "
        f"{time.perf_counter() - again:.1f} s",
        flush=True,
    )


def sighting(number: int, row: np.ndarray) -> Sighting:
    name = f"{number % FOLDERS:03d}/photo-{number:07d}.jpg".encode()
    content = Content(sha256(name).digest(), 400, 533, "JPEG", 40_000)
    return Sighting(FoundFile(name, 40_000, 1), content.hash, content, row)


def opened(place: Path) -> dict[str, str]:
    """Open and search, in this process."""
    started = time.perf_counter()
    gallery = Gallery.open(place / "gallery", device="cpu")
    opening = time.perf_counter() - started
    queries = gallery.embeddings()[1][:: len(gallery) // QUERIES][:QUERIES].copy()
    started = time.perf_counter()
    gallery.search(queries[0], k=K)
    first = time.perf_counter() - started
    among = gallery.select(Filter().within("007"))
    half = gallery.embeddings()[0][::2].copy()
    ours = {
        "search": median(lambda query: gallery.search(query, k=K), queries),
        "search in a folder": median(lambda q: gallery.search(q, k=K, among=among), queries),
        "search among half": median(lambda q: gallery.search(q, k=K, among=half), queries),
    }
    if pays(len(gallery)):
        kept, aside = place / "gallery" / NEIGHBOURS_FILE, place / "aside"
        kept.rename(aside)
        for name in ("expanded search, neighbours found for it", "expanded search"):
            if name == "expanded search":
                aside.rename(kept)
            ours[name] = median(lambda q: gallery.search(q, k=K, expand=True), queries[:30])
    used = most_memory_mb()
    return {
        "opened in s": f"{opening:.2f}",
        "first query ms": f"{1000 * first:.0f}",
        "most memory MB": f"{used:,.0f} (embeddings {gallery.embeddings()[1].nbytes / 1e6:,.0f})",
        **{f"{name} p50 ms": f"{value:.2f}" for name, value in ours.items()},
        **{f"raw FAISS {name} p50 ms": f"{value:.2f}" for name, value in raw(gallery, queries)},
    }


def mapped(place: Path) -> dict[str, str]:
    """Draw the map and its colours by folder, in this process, as the app does."""
    gallery = Gallery.open(place / "gallery", device="cpu")
    ids, rows = gallery.embeddings()
    gallery.search(rows[0], k=K)
    before, started = most_memory_mb(), time.perf_counter()
    maps = Maps(place / "gallery", read_only=True)
    maps.layout(gallery)
    maps.wait()
    seconds = time.perf_counter() - started
    maps.folders(gallery, ids)
    return {
        "drawn in s": f"{seconds:.1f}",
        "most memory MB": f"{most_memory_mb():,.0f} (before {before:,.0f}, "
        f"embeddings {rows.nbytes / 1e6:,.0f})",
    }


def raw(gallery: Gallery, queries: np.ndarray) -> list[tuple[str, float]]:
    """The bare FAISS calls on one thread, ids and scores only."""
    ids, rows = gallery.embeddings()
    index = faiss.IndexFlatIP(rows.shape[1])
    index.add(rows)
    faiss.omp_set_num_threads(1)
    times = [("search", median(lambda query: index.search(query[np.newaxis], K), queries))]
    for name, mask in (("in a folder", ids % FOLDERS == 8), ("among half", ids % 2 == 1)):
        bits = np.packbits(mask, bitorder="little")
        only = faiss.SearchParameters()
        selector = faiss.IDSelectorBitmap(len(bits), faiss.swig_ptr(bits))
        only.sel = selector

        def search(query: np.ndarray, only: faiss.SearchParameters = only) -> object:
            return index.search(query[np.newaxis], K, params=only)

        times.append((f"search {name}", median(search, queries)))
    return times


def most_memory_mb() -> float:
    """The most that this process had in memory, mapped files too (Linux)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))


def median(search: Callable[[np.ndarray], object], queries: np.ndarray) -> float:
    """In milliseconds."""
    return float(np.median(timed(search, queries)))


if __name__ == "__main__":
    main()
