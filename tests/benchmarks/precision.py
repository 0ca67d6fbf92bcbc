"""What `--precision` gains and loses: photos a second, cosine to full precision, P@10.

    python tests/benchmarks/precision.py PHOTOS LABELLED ENCODER [ENCODER ...] [--most N]

ENCODER is a run of ssl-train or an ONNX file; LABELLED holds class folders. For every encoder
and precision PHOTOS are built into a new gallery, the precisions taking turns, and the encoder
alone embeds photos that are decoded already. The cosines are of LABELLED's photos, before
centring and, in brackets, centred on their mean, their mean and the worst. P@10 is leave-one-out
on LABELLED, with the gallery's encoder, centred and reduced on PHOTOS; its difference from full
precision comes with a 95 % interval. Prints a Markdown table.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from photo_folders import labelled_photos, linked

from indexer.build import BuildRequest, build
from indexer.centring import without_centring
from indexer.encoder import OnnxEncoder
from indexer.export import export_encoder
from indexer.precision import PRECISIONS
from training.bootstrap import paired_interval
from training.evaluate import centred, precisions_at
from training.progress import Silent

ALONE = 256  # photos that the encoder embeds by itself


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("labelled", type=Path)
    parser.add_argument("encoders", type=Path, nargs="+")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--most", type=int, default=1_200, help="photos of PHOTOS to build from")
    options = parser.parse_args()
    print("| encoder | precision | alone, photos/s | build, photos/s | whole build, s | MB "
          "| cosine | centred | P@10 | difference |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|---|")
    for source in options.encoders:
        with tempfile.TemporaryDirectory() as folder:
            compare(options, source, Path(folder))


def compare(options: argparse.Namespace, source: Path, folder: Path) -> None:
    """One encoder in all precisions."""
    photos = linked(options.photos, folder / "photos", most=options.most)
    encoder = source
    if source.suffix != ".onnx":
        encoder = folder / "encoder.onnx"
        export_encoder(source, encoder)
    rates: dict[str, list[float]] = {name: [] for name in PRECISIONS}
    seconds: dict[str, list[float]] = {name: [] for name in PRECISIONS}
    for turn in range(options.rounds):
        for name in PRECISIONS:
            request = BuildRequest(photos, folder / f"{name}-{turn}", encoder, precision=name)
            report = build(request, progress=Silent())
            rates[name].append(report.photos_per_second)
            seconds[name].append(report.seconds)
    files = {name: folder / f"{name}-0" / "encoder.onnx" for name in PRECISIONS}
    fitted = {name: OnnxEncoder.open(file, device="cpu") for name, file in files.items()}
    base = {
        name: OnnxEncoder.load(without_centring(file.read_bytes()), path=file, device="cpu")
        for name, file in files.items()
    }
    pixels, labels = labelled_photos(options.labelled, fitted["fp32"].spec.preprocessing)
    alone = rates_alone(base, pixels[:ALONE], options.rounds)
    found = {name: precisions_at(e.embed(pixels), labels, k=10) for name, e in fitted.items()}
    rows = {name: e.embed(pixels) for name, e in base.items()}
    for name in PRECISIONS:
        plain, around = (
            np.sum(part(rows[name]) * part(rows["fp32"]), axis=1) for part in (np.asarray, centred)
        )
        gain = paired_interval(found[name], found["fp32"])
        between = f"{gain.low:+.3f} to {gain.high:+.3f}"
        print(
            f"| {source.name} | {name} | {told(alone[name])} | {told(rates[name])} "
            f"| {told(seconds[name])} | {files[name].stat().st_size / 1e6:.1f} "
            f"| {plain.mean():.4f}, {plain.min():.3f} | {around.mean():.4f}, {around.min():.3f} "
            f"| {found[name].mean():.3f} | {gain.value:+.3f} ({between}) |",
            flush=True,
        )


def rates_alone(
    encoders: dict[str, OnnxEncoder], pixels: np.ndarray, rounds: int
) -> dict[str, list[float]]:
    """Photos a second of each, taking turns, after one pass to warm up."""
    rates: dict[str, list[float]] = {name: [] for name in encoders}
    for encoder in encoders.values():
        encoder.embed(pixels[:32])
    for _ in range(rounds):
        for name, encoder in encoders.items():
            started = time.monotonic()
            encoder.embed(pixels)
            rates[name].append(len(pixels) / (time.monotonic() - started))
    return rates


def told(values: list[float]) -> str:
    return f"{statistics.median(values):.1f} ({min(values):.1f} to {max(values):.1f})"


if __name__ == "__main__":
    main()
