"""Which label-free figure tells how well an encoder searches? Rank correlations over encoders.

    python tests/benchmarks/label_free_figures.py LABELLED RUN [RUN ...] --photos PHOTOS

LABELLED holds class folders, PHOTOS what the runs learned from. The encoders are the points on
the line from the start of a run to its trained weights (a finished run keeps no others). Every
label-free figure is taken on a sample of PHOTOS and precision at 10 leave-one-out on LABELLED,
both at one size. Prints Spearman's rank correlation of each figure with precision at 10: within
every run, and over all encoders. Signs are turned so that +1 means "better figure, better
search". With --json also one line an encoder.
"""

import argparse
import json
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
from training.models import restore_backbone, to_device
from training.monitor import embed, prepare_photos
from training.randomness import MONITOR, generator_for
from training.recipes import byol_recipes
from training.spec import Preprocessing
from training.verdict import interpolated

# Which way is better.
SIGNS = {"retrieval": 1, "rank": 1, "spread": 1, "alignment": -1, "uniformity": -1}
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Point:
    """One encoder."""

    run: str
    weight: float  # 0 is the start, 1 the trained weights
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
        for weight in options.weights:
            point = measured(run, weight, pixels, labels, clean, preprocessing)
            points.append(point)
            if options.json:
                print(json.dumps(asdict(point)), flush=True)
    print(table(points))


def measured(
    run: Path,
    weight: float,
    pixels: np.ndarray,
    labels: np.ndarray,
    clean: np.ndarray,
    preprocessing: Preprocessing,
) -> Point:
    start, trained = (load_encoder(run / f"{name}.safetensors") for name in ("start", "trained"))
    mixed = interpolated(start.tensors, trained.tensors, weight)
    backbone = restore_backbone(start.spec, mixed)
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
    return Point(run.name, weight, found.precision_at_10, found.knn, figures)


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
