"""How fast is SimCLR learned: the whole command, a steady epoch, and what the processor allows?

    python tests/benchmarks/training_speed.py PHOTOS --labelled LABELLED [--most 1024] [--epochs 5]
       [--beside 'plain loop=PYTHON tests/benchmarks/plain_simclr.py {photos} {out}/weights.pth
           --epochs {epochs} --batch-size {batch} --image-size {size}']
       [--beside 'lightly-train=lightly-train pretrain data={photos} out={out}/lightly
           method=simclr model=torchvision/resnet18 epochs={epochs} batch_size={batch}
           num_workers=2 accelerator=cpu precision=32-true
           transform_args.image_size=[{size},{size}]']

Every way learns a ResNet-18 from random weights on the same photos, at the same size, in the same
batches, as a command of its own with nothing kept from before. All take turns, once with one epoch
and once with --epochs. The whole command is the second; a steady epoch is what the others took
more. The limit is the network alone (network_alone.py). The weights that come out are judged by
leave-one-out k-NN on LABELLED, centred by the mean of PHOTOS.
"""

import argparse
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from photo_folders import labelled_photos, linked, paths_of
from safetensors.torch import save_file

from training.checkpoint import load_encoder
from training.evaluate import knn_accuracy, unit
from training.models import Backbone, build_backbone, restore_backbone, to_device
from training.monitor import embed, prepare_photos, split_held_out
from training.progress import Silent
from training.spec import Preprocessing
from training.weights import find_start

OURS = "ssl-train"
CPU = torch.device("cpu")
BACKBONE = "resnet18"
COMMAND = (
    f"{shlex.quote(sys.executable)} -m training {{photos}} -o {{out}} --cache {{out}}/cache "
    f"--method simclr --backbone {BACKBONE} --init random --export trained --epochs {{epochs}} "
    "--batch-size {batch} --image-size {size} --embed-size {size} --device cpu"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--labelled", type=Path, required=True)
    parser.add_argument("--beside", action="append", default=[], metavar="NAME=COMMAND")
    parser.add_argument("--most", type=int, default=1024)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--image-size", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    ways = {OURS: COMMAND, **dict(given.split("=", 1) for given in options.beside)}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photos = linked(options.photos, folder / "photos", most=options.most)
        measured, alone = [], []
        for _ in range(options.rounds):
            alone.append(limit(options))
            measured.append(
                {
                    way: timed(way, command, photos, folder / "run", options)
                    for way, command in ways.items()
                }
            )
        for line in table(measured, alone, options):
            print(line)


def timed(
    way: str, command: str, photos: Path, out: Path, options: argparse.Namespace
) -> tuple[float, float, float]:
    """Seconds of the whole command, photos a second of a steady epoch, k-NN of its weights."""
    seconds = []
    for epochs in (1, options.epochs):
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        filled = command.format(
            photos=photos,
            out=out,
            epochs=epochs,
            batch=options.batch_size,
            size=options.image_size,
        )
        began = time.perf_counter()
        subprocess.run(shlex.split(filled), check=True, capture_output=True)
        seconds.append(time.perf_counter() - began)
    shown = photos_an_epoch(way, options) * (options.epochs - 1)
    print(f"{way}: {seconds}", file=sys.stderr, flush=True)
    return seconds[1], shown / (seconds[1] - seconds[0]), judged(out, photos, options)


def photos_an_epoch(way: str, options: argparse.Namespace) -> int:
    """Ours holds some photos out to judge by; the others leave out what fills no batch."""
    if way == OURS:
        chosen, _ = split_held_out(options.most, seed=0)
        return len(chosen)
    return int(options.most // options.batch_size * options.batch_size)


def judged(out: Path, photos: Path, options: argparse.Namespace) -> float:
    """Leave-one-out k-NN accuracy of the encoder that a command left in `out`."""
    backbone = learned(out)
    to_device(backbone, CPU)
    preprocessing = Preprocessing(options.image_size)
    pixels, labels = labelled_photos(options.labelled, preprocessing)
    collection, _ = prepare_photos(photos, paths_of(photos), preprocessing)
    middle = embed(backbone, collection, preprocessing, CPU).mean(axis=0)
    return knn_accuracy(unit(embed(backbone, pixels, preprocessing, CPU) - middle), labels)


def learned(out: Path) -> Backbone:
    """The backbone in a folder that a command wrote: a run of ours, or torchvision's weights."""
    if (out / "trained.safetensors").exists():
        weights = load_encoder(out / "trained.safetensors")
        return restore_backbone(weights.spec, weights.tensors)
    backbone = build_backbone(BACKBONE)
    found = next(found for found in out.rglob("*") if found.suffix in {".pth", ".pt"})
    weights = out / "judged.safetensors"
    save_file(torch.load(found, weights_only=True), weights)
    find_start(BACKBONE, str(weights), offline=True, progress=Silent()).fill(backbone)
    return backbone


def limit(options: argparse.Namespace) -> float:
    """Photos a second of the network alone, in a process of its own as the ways have one."""
    script = Path(__file__).with_name("network_alone.py")
    sizes = ["--batch-size", options.batch_size, "--image-size", options.image_size]
    words = [sys.executable, script, "--backbone", BACKBONE, *sizes]
    said = subprocess.run([str(w) for w in words], check=True, capture_output=True, text=True)
    return float(said.stdout)


def table(
    measured: list[dict[str, tuple[float, float, float]]],
    alone: list[float],
    options: argparse.Namespace,
) -> Iterator[str]:
    yield (
        f"| {options.epochs} epochs of {options.most} photos | whole command, s | times ours "
        "| steady photos/s | of the limit | k-NN |"
    )
    yield "|---|---|---|---|---|---|"
    for way in measured[0]:
        rounds = [by_way[way] for by_way in measured]
        whole, steady, knn = zip(*rounds, strict=True)
        ratios = [by_way[way][0] / by_way[OURS][0] for by_way in measured]
        share = statistics.median(steady) / statistics.median(alone)
        yield (
            f"| {way} | {told(whole, '.1f')} | {told(ratios, '.2f')} | {told(steady, '.1f')} "
            f"| {share:.0%} | {told(knn, '.3f')} |"
        )
    yield f"| the network alone | | | {told(alone, '.1f')} | | |"


def told(values: tuple[float, ...] | list[float], form: str) -> str:
    """The median, and the range of what was measured."""
    middle, least, most = statistics.median(values), min(values), max(values)
    return f"{middle:{form}} ({least:{form}} to {most:{form}})"


if __name__ == "__main__":
    main()
