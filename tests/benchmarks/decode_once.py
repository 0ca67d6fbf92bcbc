"""What decoding once saves: seconds of an epoch's data, the first time and later.

    python tests/benchmarks/decode_once.py PHOTOS [--size 128] [--rounds 3]

First: every photo is decoded into a new pixel cache. Later: the cache is opened again and one
epoch of batches is gathered from it. The median of the rounds, with their range.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from training.cache import open_photos
from training.progress import Silent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    first, later = [], []
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as folder:
            cache = Path(folder) / "cache"
            first.append(seconds(lambda cache=cache: epoch(options, cache)))
            later.append(seconds(lambda cache=cache: epoch(options, cache)))
    ratio = statistics.median(first) / statistics.median(later)
    print(f"first epoch's data  {told(first)}")
    print(f"a later epoch's     {told(later)}")
    print(f"ratio               {ratio:.0f}")


def epoch(options: argparse.Namespace, cache: Path) -> int:
    """Open the cache and gather every photo once, in random order, 128 at a time."""
    photos = open_photos(options.photos, cache, options.size, progress=Silent())
    order = torch.randperm(len(photos), generator=torch.Generator().manual_seed(0)).numpy()
    gathered = 0
    for start in range(0, len(order), 128):
        gathered += len(torch.from_numpy(photos.pixels[photos.rows[order[start : start + 128]]]))
    return gathered


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def told(times: list[float]) -> str:
    return f"{statistics.median(times):7.2f} s  ({min(times):.2f} to {max(times):.2f})"


if __name__ == "__main__":
    main()
