"""How fast `ssl-index build` embeds, against a plain PyTorch loop over the same photos.

    python tests/benchmarks/embed_throughput.py PHOTOS ENCODER_RUN [LIMIT]

Both run in one process, taking turns, three times each; the medians count. Ours is the whole build
from an exported encoder: walk, read, hash, decode, embed, store, centre, index. The other is what
one writes first: a DataLoader with two workers and the backbone in eager PyTorch. Neither is warmed
up; the export, done once, is not timed.
"""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch
from photo_folders import linked
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from indexer.build import BuildRequest, build
from indexer.export import export_encoder
from training.checkpoint import load_encoder
from training.models import restore_backbone
from training.photos import FoundFile, walk
from training.progress import Silent
from training.spec import Preprocessing

ROUNDS = 3
BATCH = 32
WORKERS = 2


class PlainPhotos(Dataset[torch.Tensor]):
    """Decode in full, resize, crop, normalise: torchvision's usual evaluation transform."""

    def __init__(self, paths: list[Path], preprocessing: Preprocessing) -> None:
        self.paths = paths
        self.transform = v2.Compose(
            [
                v2.Resize(preprocessing.at_least),
                v2.CenterCrop(preprocessing.image_size),
                v2.ToImage(),
                v2.ToDtype(torch.float32, scale=True),
                v2.Normalize(preprocessing.mean, preprocessing.std),
            ]
        )

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, position: int) -> torch.Tensor:
        with Image.open(self.paths[position]) as image:
            pixels: torch.Tensor = self.transform(image.convert("RGB"))
            return pixels


def plain_seconds(photos: Path, run: Path) -> float:
    """One pass of the plain loop over the photos."""
    weights = load_encoder(run)
    backbone = restore_backbone(weights.spec, weights.tensors)
    paths = [
        photos / os.fsdecode(item.path) for item in walk(photos) if isinstance(item, FoundFile)
    ]
    started = time.monotonic()
    loader = DataLoader(
        PlainPhotos(paths, weights.spec.preprocessing), batch_size=BATCH, num_workers=WORKERS
    )
    with torch.inference_mode():
        rows = [torch.nn.functional.normalize(backbone(batch)) for batch in loader]
    seconds = time.monotonic() - started
    assert len(torch.cat(rows)) == len(paths)
    return seconds


def our_seconds(photos: Path, encoder: Path, gallery: Path) -> float:
    """One whole build into a new gallery."""
    started = time.monotonic()
    report = build(BuildRequest(photos, gallery, encoder), progress=Silent())
    assert report.skipped == 0, "compare on photos that all can be read"
    return time.monotonic() - started


def main(photos: Path, run: Path, limit: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        chosen = linked(photos, folder / "photos", most=limit)
        count = len(list(chosen.iterdir()))
        encoder = folder / "encoder.onnx"
        export_encoder(run, encoder)
        ours, plain = [], []
        for turn in range(ROUNDS):
            ours.append(count / our_seconds(chosen, encoder, folder / f"gallery-{turn}"))
            plain.append(count / plain_seconds(chosen, run))
            print(f"round {turn + 1}: {ours[-1]:.1f} against {plain[-1]:.1f} photos/s", flush=True)
    ratios = [a / b for a, b in zip(ours, plain, strict=True)]
    print(
        f"{count:,} photos, {os.cpu_count()} cores: "
        f"ssl-index build {statistics.median(ours):.1f} photos/s, "
        f"plain loop {statistics.median(plain):.1f} photos/s, "
        f"ratio {statistics.median(ratios):.2f} (from {min(ratios):.2f} to {max(ratios):.2f})"
    )


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit("usage: python tests/benchmarks/embed_throughput.py PHOTOS ENCODER_RUN [LIMIT]")
    main(
        Path(sys.argv[1]),
        Path(sys.argv[2]),
        int(sys.argv[3]) if len(sys.argv) == 4 else sys.maxsize,
    )
