"""How well do the encoders of runs search? Leave-one-out figures on labelled photos.

    python tests/benchmarks/search_quality.py LABELLED --collection PHOTOS RUN [RUN ...]

LABELLED holds class folders. For every run: the start, the trained weights and those between, and
with --pair the start beside each of them as one encoder, at every size, with the embedding as it
is, centred by the mean of PHOTOS, and reduced to 128 dimensions by its principal components: the
very code that `ssl-index build` runs. The first rows are raw pixels. With --against PX every
reduced row also tells, in points with 95 % intervals (paired bootstrap over the labelled photos),
by how much it is better than the run's start embedded at PX. Prints a Markdown table, and with
--json one JSON line a row.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from photo_folders import labelled_photos, paths_of

from indexer.centring import CentringPlan, fit_centring
from training.bootstrap import Interval, paired_interval
from training.checkpoint import EncoderWeights, load_encoder
from training.evaluate import QueryFigures, query_figures, unit
from training.models import restore_backbone, to_device
from training.monitor import embed, prepare_photos
from training.pair import paired
from training.spec import Preprocessing
from training.verdict import interpolated

CPU = torch.device("cpu")
REDUCED = "PCA 128"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("labelled", type=Path)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--collection", type=Path, required=True)
    parser.add_argument("--sizes", type=int, nargs="+", default=[])
    parser.add_argument("--weights", type=float, nargs="+", default=[0.0, 0.5, 1.0])
    parser.add_argument("--pair", action="store_true")
    parser.add_argument("--against", type=int, metavar="PX")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not options.json:
        print("| run | weights | size | embedding | k-NN | P@10 | mAP | against the start |")
        print("|---|---|---|---|---|---|---|---|")
    for names, found, base in rows(options):
        quality, change = found.means(), changes(found, base)
        if options.json:
            told = {name: interval.to_json() for name, interval in change.items()}
            print(json.dumps({**names, **quality.to_json(), "against": told}), flush=True)
            continue
        figures = (quality.knn, quality.precision_at_10, quality.mean_average_precision)
        points = (f"{100 * i.value:+.1f} ({100 * i.low:+.1f} to {100 * i.high:+.1f})"
                  for i in change.values())  # fmt: skip
        cells = [*names.values(), *(f"{figure:.3f}" for figure in figures), ", ".join(points)]
        print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def changes(found: QueryFigures, base: QueryFigures | None) -> dict[str, Interval]:
    """By how much every figure is better than the base's, on the same queries."""
    if base is None:
        return {}
    names = ("knn", "precision_at_10", "average_precision")
    return {name: paired_interval(getattr(found, name), getattr(base, name)) for name in names}


Row = tuple[dict[str, object], QueryFigures, QueryFigures | None]


def rows(options: argparse.Namespace) -> Iterator[Row]:
    """What is judged, its figures, and those of the start that it is held against."""
    pixels, labels = labelled_photos(options.labelled, Preprocessing(32))
    raw = unit(pixels.reshape(len(pixels), -1).astype(np.float32))
    names = {"run": "-", "weights": "raw pixels", "size": 32, "embedding": "plain"}
    yield names, query_figures(raw, labels), None
    centred_raw = unit(raw - raw.mean(axis=0))
    yield {**names, "embedding": "centred"}, query_figures(centred_raw, labels), None
    for run in options.runs:
        start, trained = (load_encoder(run / f"{n}.safetensors") for n in ("start", "trained"))
        base = None
        if options.against:
            *_, (_, base) = judged(start, options.against, labels, options)
        for size in options.sizes or [start.spec.preprocessing.image_size]:
            for described, tensors in networks(start, trained, options):
                name = {"run": run.name, "weights": described, "size": size}
                weights = replace(start, tensors=tensors)
                for kind, found in judged(weights, size, labels, options):
                    reduced = kind == REDUCED
                    yield {**name, "embedding": kind}, found, base if reduced else None


def judged(
    weights: EncoderWeights, size: int, labels: np.ndarray, options: argparse.Namespace
) -> Iterator[tuple[str, QueryFigures]]:
    """The figures of weights at a size, with every kind of embedding; the reduced one last."""
    preprocessing = replace(weights.spec.preprocessing, image_size=size)
    both = prepared(options.labelled, options.collection, preprocessing)
    yield from kinds_of(*(embedded_by(weights, part, preprocessing) for part in both), labels)


@lru_cache(maxsize=1)
def prepared(
    labelled: Path, collection: Path, preprocessing: Preprocessing
) -> tuple[np.ndarray, np.ndarray]:
    """The pixels of the labelled photos and of the collection."""
    return (
        labelled_photos(labelled, preprocessing)[0],
        prepare_photos(collection, paths_of(collection), preprocessing)[0],
    )


def networks(
    start: EncoderWeights, trained: EncoderWeights, options: argparse.Namespace
) -> Iterator[tuple[str, dict[str, torch.Tensor]]]:
    """Every network of a run, and what it is called."""
    for weight in options.weights:
        mixed = interpolated(start.tensors, trained.tensors, weight)
        name = {0.0: "start", 1.0: "trained"}.get(weight, f"{weight:g} of the way")
        yield name, mixed
        if options.pair and weight > 0:
            yield f"start beside {name}", paired(start.tensors, mixed)


def kinds_of(
    photos: np.ndarray, collection: np.ndarray, labels: np.ndarray
) -> Iterator[tuple[str, QueryFigures]]:
    yield "plain", query_figures(photos, labels)
    for kind, plan in (
        ("centred", CentringPlan(reduce_from=1 << 30)),
        (REDUCED, CentringPlan()),
    ):
        centring = fit_centring(collection, photos=len(collection), plan=plan)
        if centring is not None:
            yield kind, query_figures(centring.apply(photos), labels)


def embedded_by(
    weights: EncoderWeights, pixels: np.ndarray, preprocessing: Preprocessing
) -> np.ndarray:
    backbone = restore_backbone(weights.spec, weights.tensors)
    to_device(backbone, CPU)
    return embed(backbone, pixels, preprocessing, CPU)


if __name__ == "__main__":
    main()
