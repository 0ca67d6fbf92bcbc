"""Which label-free figure tells how well an encoder searches? Rank correlations over encoders.

    python tests/benchmarks/label_free_figures.py LABELLED RUN [RUN ...] --photos PHOTOS

LABELLED holds class folders, PHOTOS what the runs learned from. The encoders are the start of a
run and its `--snapshots`; of a run without them, the points on the line from its start to its
trained weights. Every label-free figure is taken on a sample of PHOTOS and precision at 10
leave-one-out on LABELLED, both at one size. Prints Spearman's rank correlation of each figure with
precision at 10: within every run, and over all encoders. Signs are turned so that +1 means "better
figure, better search". With --json also one line an encoder.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from photo_folders import labelled_photos, paths_of
from scipy.stats import spearmanr

from training.augment import make_views
from training.checkpoint import load_encoder
from training.evaluate import centred, query_figures
from training.figures import Sight, quality_of
from training.models import Backbone, restore_backbone, to_device
from training.monitor import embed, prepare_photos
from training.randomness import MONITOR, generator_for
from training.recipes import byol_recipes
from training.runs import SNAPSHOTS
from training.spec import Preprocessing
from training.verdict import interpolated

# Which way is better.
SIGNS = {"retrieval": 1, "rank": 1, "spread": 1, "alignment": -1, "uniformity": -1}
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Point:
    """One encoder."""

    run: str
    moment: str  # how far from the start: steps, or the trained weights' share
    precision_at_10: float
    knn: float
    figures: dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("labelled", type=Path)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--sample", type=int, default=256)
    parser.add_argument("--weights", type=float, nargs="+", default=[0.0, 0.2, 0.4, 0.6, 0.8, 1.0])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    preprocessing = Preprocessing(options.size)
    pixels, labels = labelled_photos(options.labelled, preprocessing)
    sampled = np.random.default_rng(0).permutation(paths_of(options.photos))[: options.sample]
    clean = prepare_photos(options.photos, tuple(sampled.tolist()), preprocessing)[0]
    points: list[Point] = []
    for run in options.runs:
        for moment, backbone in encoders(run, options.weights):
            figures = measured(backbone, pixels, labels, clean, preprocessing)
            point = Point(run.name, moment, *figures)
            points.append(point)
            if options.json:
                print(json.dumps(asdict(point)), flush=True)
    print(table(points))


def encoders(run: Path, weights: list[float]) -> Iterator[tuple[str, Backbone]]:
    """The networks of a run, and when or where each is."""
    start, trained = (load_encoder(run / f"{name}.safetensors") for name in ("start", "trained"))
    if kept := sorted((run / SNAPSHOTS).glob("*.safetensors")):
        yield "step-0", restore_backbone(start.spec, start.tensors)
        for file in kept:
            yield file.stem, restore_backbone(start.spec, load_encoder(file).tensors)
        return
    for weight in weights:
        mixed = interpolated(start.tensors, trained.tensors, weight)
        yield f"{weight:g}", restore_backbone(start.spec, mixed)


def measured(
    backbone: Backbone,
    pixels: np.ndarray,
    labels: np.ndarray,
    clean: np.ndarray,
    preprocessing: Preprocessing,
) -> tuple[float, float, dict[str, float]]:
    """P@10, k-NN, and the figures that need no labels."""
    to_device(backbone, CPU)
    found = query_figures(centred(embed(backbone, pixels, preprocessing, CPU)), labels).means()
    squares = torch.from_numpy(clean)
    views = [
        make_views(squares, torch.ones(len(clean)), recipe, generator_for(0, MONITOR, number))
        for number, recipe in enumerate(byol_recipes(preprocessing.image_size))
    ]
    first, second = (seen(backbone, view) for view in views)
    sight = Sight(embed(backbone, clean, preprocessing, CPU), first, second)
    figures = {n: v for n, v in quality_of(sight).to_json().items() if n in SIGNS}
    return found.precision_at_10, found.knn, figures


def seen(backbone: torch.nn.Module, views: torch.Tensor) -> np.ndarray:
    with torch.inference_mode():
        return torch.cat([backbone(part) for part in views.split(64)]).numpy()


def table(points: list[Point]) -> str:
    runs = list(dict.fromkeys(point.run for point in points))
    lines = [
        f"| figure | {' | '.join(runs)} | all {len(points)} |",
        "|---" * (len(runs) + 2) + "|",
    ]
    for name, sign in SIGNS.items():
        groups = [[p for p in points if p.run == run] for run in runs] + [points]
        cells = [correlation(group, name, sign) for group in groups]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def correlation(points: list[Point], name: str, sign: int) -> str:
    figures = [sign * point.figures[name] for point in points]
    quality = [point.precision_at_10 for point in points]
    if len(set(figures)) < 2 or len(set(quality)) < 2:
        return "-"
    return f"{spearmanr(figures, quality).statistic:+.2f}"


if __name__ == "__main__":
    main()
