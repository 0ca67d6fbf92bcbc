"""How fast photos are embedded: against what the machine could do, and against other ways.

    python tests/benchmarks/embed_throughput.py PHOTOS RUN [--most 320] [--megapixels 12]
        [--beside 'lightly-train embed out={out} data={photos} checkpoint=last.ckpt']

All takes turns, the medians of the rounds count, and nothing but the export is done before:

- decode: read, hash, decode and resize with the build's own threads, and embed nothing;
- inference: the encoder alone, on photos that are decoded already, a core each;
- pipeline: both, as `ssl-index build` does it;
- build: all of it, with walking, storing, centring and the index;
- plain loop: what one writes first, a DataLoader with two workers and eager PyTorch;
- beside: any other command; its start is left out by running it on a tenth of the photos too.

Decoding and inference share the processor's cores, so that the limit is
1 / (1 / decode + 1 / inference). With --megapixels the photos are enlarged first.
"""

import argparse
import os
import shlex
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from photo_folders import enlarged, linked
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from indexer.build import BuildRequest, build
from indexer.encoder import OnnxEncoder
from indexer.export import export_encoder
from indexer.pipeline import embed_files, embedding_threads, split_for
from indexer.scan import Candidate
from training.checkpoint import load_encoder
from training.inflight import InFlight
from training.models import restore_backbone
from training.photos import FoundFile, read_photo, walk
from training.progress import Silent
from training.spec import Preprocessing

BATCH = 32
WORKERS = 2
TENTH = 10


class NoNetwork(OnnxEncoder):
    """An encoder that embeds nothing, so that the pipeline's other half can be timed."""

    def embed(self, pixels: np.ndarray) -> np.ndarray:
        return np.zeros((len(pixels), self.dim), dtype=np.float32)


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


@dataclass(frozen=True)
class Bench:
    """Photos and an encoder, and every way to bring them together; each gives seconds."""

    photos: Path
    run: Path
    encoder: Path
    scratch: Path

    def files(self) -> list[FoundFile]:
        return [item for item in walk(self.photos) if isinstance(item, FoundFile)]

    def decode(self) -> float:
        return self._pipeline(NoNetwork.open(self.encoder))

    def pipeline(self) -> float:
        return self._pipeline(OnnxEncoder.open(self.encoder, threads=embedding_threads()))

    def inference(self) -> float:
        encoder = OnnxEncoder.open(self.encoder, threads=embedding_threads())
        split = split_for(encoder)
        some = self.files()[: 8 * split.group]
        prepared = np.stack([self._prepared(file, encoder.spec.preprocessing) for file in some])
        groups = np.array_split(prepared, len(prepared) // split.group)
        with ThreadPoolExecutor(split.at_once) as pool:
            list(pool.map(encoder.embed, groups))
            started = time.monotonic()
            list(pool.map(encoder.embed, groups))
            return (time.monotonic() - started) / len(some) * len(self.files())

    def build(self) -> float:
        gallery = self.scratch / "gallery"
        started = time.monotonic()
        report = build(BuildRequest(self.photos, gallery, self.encoder), progress=Silent())
        seconds = time.monotonic() - started
        assert report.skipped == 0, "compare on photos that all can be read"
        shutil.rmtree(gallery)
        return seconds

    def plain_loop(self) -> float:
        weights = load_encoder(self.run)
        backbone = restore_backbone(weights.spec, weights.tensors)
        paths = [self.photos / os.fsdecode(file.path) for file in self.files()]
        dataset = PlainPhotos(paths, weights.spec.preprocessing)
        started = time.monotonic()
        loader = DataLoader(dataset, batch_size=BATCH, num_workers=WORKERS)
        with torch.inference_mode():
            rows = [torch.nn.functional.normalize(backbone(batch)) for batch in loader]
        seconds = time.monotonic() - started
        assert len(torch.cat(rows)) == len(paths)
        return seconds

    def _pipeline(self, encoder: OnnxEncoder) -> float:
        candidates = [Candidate(file, None) for file in self.files()]
        encoder.embed(np.zeros((BATCH, *[encoder.spec.preprocessing.image_size] * 2, 3), np.uint8))
        with InFlight.opened(self.scratch / "decoding") as in_flight:
            started = time.monotonic()
            groups = embed_files(self.photos, candidates, encoder, known=set(), in_flight=in_flight)
            assert sum(
                finished.vector is not None for group in groups for finished in group
            ) == len(candidates)
            return time.monotonic() - started

    def _prepared(self, file: FoundFile, preprocessing: Preprocessing) -> np.ndarray:
        path = self.photos / os.fsdecode(file.path)
        return preprocessing.prepare(read_photo(path, at_least=preprocessing.at_least).image)


def beside(command: str, photos: Path, tenth: Path, scratch: Path) -> float:
    """Seconds of another command on the photos, its start left out."""
    seconds = []
    for folder in (photos, tenth):
        out = scratch / "out"
        words = [word.format(photos=folder, out=out) for word in shlex.split(command)]
        started = time.monotonic()
        subprocess.run(words, check=True, capture_output=True)
        seconds.append(time.monotonic() - started)
        if out.is_dir():
            shutil.rmtree(out)
        out.unlink(missing_ok=True)
    return (seconds[0] - seconds[1]) / (1 - 1 / TENTH)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--most", type=int, default=320)
    parser.add_argument("--megapixels", type=float)
    parser.add_argument("--beside", metavar="COMMAND")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        scratch = Path(temporary)
        photos = scratch / "photos"
        if options.megapixels:
            enlarged(options.photos, photos, most=options.most, megapixels=options.megapixels)
        else:
            linked(options.photos, photos, most=options.most)
        encoder = scratch / "encoder.onnx"
        export_encoder(options.run, encoder)
        bench = Bench(photos, options.run, encoder, scratch)
        ways = [bench.decode, bench.inference, bench.pipeline, bench.build, bench.plain_loop]
        named: dict[str, Callable[[], float]] = {way.__name__: way for way in ways}
        count = len(bench.files())
        if options.beside:
            tenth = linked(photos, scratch / "tenth", most=count // TENTH)
            named["beside"] = lambda: beside(options.beside, photos, tenth, scratch)
        rates: dict[str, list[float]] = {name: [] for name in named}
        for _ in range(options.rounds):
            for name, way in named.items():
                rates[name].append(count / way())
    tell(rates, count)


def tell(rates: dict[str, list[float]], count: int) -> None:
    """Medians and ranges, and what they mean."""
    middle = {name: statistics.median(values) for name, values in rates.items()}
    print(f"{count:,} photos, {os.cpu_count()} cores; photos a second, median (range)")
    for name, values in rates.items():
        print(f"{name:<12}{middle[name]:8.1f} ({min(values):.1f} to {max(values):.1f})")
    limit = 1 / (1 / middle["decode"] + 1 / middle["inference"])
    print(f"{'limit':<12}{limit:8.1f}")
    for name in ("pipeline", "build"):
        print(f"{name} / limit: {middle[name] / limit:.2f}")
    for other in ("plain_loop", "beside"):
        if other in rates:
            ratios = [a / b for a, b in zip(rates["build"], rates[other], strict=True)]
            print(f"build / {other}: {statistics.median(ratios):.2f} "
                  f"({min(ratios):.2f} to {max(ratios):.2f})")  # fmt: skip


if __name__ == "__main__":
    main()
