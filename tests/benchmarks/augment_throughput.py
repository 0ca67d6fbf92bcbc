"""Views per second: ours in batches against torchvision's per image, with one recipe.

    python tests/benchmarks/augment_throughput.py PHOTOS --sizes 32 96 160

Photos are decoded beforehand, for all alike, to what the pixel cache holds. Ours runs in one
process with the threads given; torchvision's pipelines, on PIL images and on uint8 tensors, in one
process with the same threads and in a DataLoader with as many workers. Contenders take turns; each
row is the median of all rounds with the slowest and the fastest. Where other programs run, set
OMP_WAIT_POLICY=passive: threads that spin while they wait for each other lose most of their time.
"""

import argparse
import math
import random
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from training.augment import make_views
from training.errors import PhotoError
from training.photos import FoundFile, read_photo, walk
from training.recipes import ViewRecipe, simclr_recipe

# What one round of a contender lasts, in seconds, at least.
ROUND_SECONDS = 2.0

BATCH = 128

Contender = Callable[[], int]  # does some work, returns how many views it made


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path, help="a folder of photos")
    parser.add_argument("--sizes", type=int, nargs="+", default=[32, 96, 160])
    parser.add_argument("--rounds", type=int, default=5, help="at least 3")
    parser.add_argument("--threads", type=int, default=2, help="ours, and workers of the others")
    parser.add_argument("--count", type=int, default=512, help="photos to read")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    print(f"SimCLR recipe, {given.threads} threads or workers, {given.rounds} rounds, views/s")
    for size in given.sizes:
        side = math.ceil(size * 4 / 3 / 8) * 8
        pixels, aspects = read(given.photos, side, given.count)
        contenders = build(pixels, aspects, simclr_recipe(size), given.threads)
        report(size, side, measure(contenders, given.rounds))


def read(root: Path, side: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Photos as the cache holds them: `(n, side, side, 3)` uint8 and `(n,)` float32 aspects."""
    pixels: list[np.ndarray] = []
    aspects: list[float] = []
    files = [file for file in walk(root) if isinstance(file, FoundFile)]
    random.Random(0).shuffle(files)
    for file in files[:count]:
        try:
            photo = read_photo(root / file.path.decode(errors="surrogateescape"), at_least=side)
        except PhotoError:
            continue
        pixels.append(np.asarray(photo.image.resize((side, side), Image.Resampling.BILINEAR)))
        aspects.append(photo.width / photo.height)
    return np.stack(pixels), np.array(aspects, np.float32)


def build(
    pixels: np.ndarray, aspects: np.ndarray, recipe: ViewRecipe, workers: int
) -> dict[str, Contender]:
    """The contenders by name; ours first."""
    on_pil = PerImage([Image.fromarray(photo) for photo in pixels], recipe)
    on_tensors = PerImage(list(torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous()), recipe)
    return {
        "ours, batched": batched(pixels, aspects, recipe),
        "v2 on PIL, 1 process": one_by_one(on_pil),
        "v2 on tensors, 1 process": one_by_one(on_tensors),
        f"v2 on PIL, {workers} workers": loaded(on_pil, workers),
        f"v2 on tensors, {workers} workers": loaded(on_tensors, workers),
    }


class PerImage(Dataset[torch.Tensor]):
    """torchvision's pipeline of the same recipe, one image at a time."""

    def __init__(self, images: Sequence[Image.Image | torch.Tensor], recipe: ViewRecipe) -> None:
        kernel = 2 * max(1, recipe.image_size // 20) + 1
        jitter = v2.ColorJitter(recipe.brightness, recipe.contrast, recipe.saturation, recipe.hue)
        blur = v2.GaussianBlur(kernel, recipe.blur_sigma)
        self.images = images
        self.transform = v2.Compose(
            [
                v2.RandomResizedCrop(recipe.image_size, recipe.crop_scale, recipe.crop_ratio),
                v2.RandomHorizontalFlip(recipe.flip),
                v2.RandomApply([jitter], recipe.jitter),
                v2.RandomGrayscale(recipe.grayscale),
                v2.RandomApply([blur], recipe.blur),
                v2.ToImage(),
                v2.ToDtype(torch.float32, scale=True),
                v2.Normalize(recipe.mean, recipe.std),
            ]
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> torch.Tensor:
        view: torch.Tensor = self.transform(self.images[index])
        return view


def batched(pixels: np.ndarray, aspects: np.ndarray, recipe: ViewRecipe) -> Contender:
    """Ours: gather a batch of random photos, make its views."""
    photos, widths = torch.from_numpy(pixels), torch.from_numpy(aspects)
    generator = torch.Generator().manual_seed(0)

    def work() -> int:
        rows = torch.randint(len(photos), (BATCH,), generator=generator)
        return len(make_views(photos[rows], widths[rows], recipe, generator))

    return work


def one_by_one(images: PerImage) -> Contender:
    """A batch in this process, collated as a DataLoader without workers would."""
    return lambda: len(
        torch.stack([images[i] for i in random.choices(range(len(images)), k=BATCH)])
    )


def loaded(images: PerImage, workers: int) -> Contender:
    """One pass over all photos with persistent workers."""
    loader = DataLoader(
        images, BATCH // 2, shuffle=True, num_workers=workers, persistent_workers=True
    )
    return lambda: sum(len(views) for views in loader)


def measure(contenders: dict[str, Contender], rounds: int) -> dict[str, list[float]]:
    """Views per second of each contender in each round, after one that does not count."""
    speeds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds + 1):
        for name, work in contenders.items():
            start, views = time.perf_counter(), 0
            while time.perf_counter() - start < ROUND_SECONDS:
                views += work()
            speeds[name].append(views / (time.perf_counter() - start))
    return {name: values[1:] for name, values in speeds.items()}


def report(size: int, side: int, speeds: dict[str, list[float]]) -> None:
    """A table: median, range, and how many times faster ours is."""
    print(f"\n{size} px views of {side} px photos")
    ours = statistics.median(next(iter(speeds.values())))
    for name, values in speeds.items():
        middle = statistics.median(values)
        spread = f"{min(values):,.0f} to {max(values):,.0f}"
        ratio = "" if middle == ours else f"  ours is {ours / middle:.1f} times as fast"
        print(f"  {name:26} {middle:9,.0f}  ({spread}){ratio}")


if __name__ == "__main__":
    main()
