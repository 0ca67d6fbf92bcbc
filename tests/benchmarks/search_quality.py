"""How well do the encoders of runs search? Leave-one-out figures on labelled photos.

    python tests/benchmarks/search_quality.py LABELLED --collection PHOTOS RUN [RUN ...]

LABELLED holds class folders. For every run: the start, the trained weights and those between, and
with --pair the start beside each of them as one encoder, at every size, with the embedding as it
is, centred by the mean of PHOTOS, and reduced to 128 dimensions by its principal components: the
very code that `ssl-index build` runs. The first rows are raw pixels. Prints a Markdown table, and
with --json one JSON line a row.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from photo_folders import labelled_photos, paths_of

from indexer.centring import CentringPlan, fit_centring
from training.checkpoint import EncoderWeights, load_encoder
from training.evaluate import SearchQuality, search_quality, unit
from training.models import restore_backbone, to_device
from training.monitor import embed, prepare_photos
from training.pair import paired
from training.spec import Preprocessing
from training.verdict import interpolated

CPU = torch.device("cpu")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("labelled", type=Path)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--collection", type=Path, required=True)
    parser.add_argument("--sizes", type=int, nargs="+", default=[])
    parser.add_argument("--weights", type=float, nargs="+", default=[0.0, 0.5, 1.0])
    parser.add_argument("--pair", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not options.json:
        print("| run | weights | size | embedding | k-NN | P@10 | mAP |")
        print("|---|---|---|---|---|---|---|")
    for names, quality in rows(options):
        if options.json:
            print(json.dumps({**names, **quality.to_json()}), flush=True)
            continue
        figures = (quality.knn, quality.precision_at_10, quality.mean_average_precision)
        cells = [*names.values(), *(f"{figure:.3f}" for figure in figures)]
        print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def rows(options: argparse.Namespace) -> Iterator[tuple[dict[str, object], SearchQuality]]:
    pixels, labels = labelled_photos(options.labelled, Preprocessing(32))
    raw = unit(pixels.reshape(len(pixels), -1).astype(np.float32))
    names = {"run": "-", "weights": "raw pixels", "size": 32, "embedding": "plain"}
    yield names, search_quality(raw, labels)
    centred_raw = unit(raw - raw.mean(axis=0))
    yield {**names, "embedding": "centred"}, search_quality(centred_raw, labels)
    for run in options.runs:
        start, trained = (load_encoder(run / f"{n}.safetensors") for n in ("start", "trained"))
        for size in options.sizes or [start.spec.preprocessing.image_size]:
            preprocessing = replace(start.spec.preprocessing, image_size=size)
            photos = labelled_photos(options.labelled, preprocessing)[0]
            collection = prepare_photos(
                options.collection, paths_of(options.collection), preprocessing
            )[0]
            for described, tensors in networks(start, trained, options):
                weights = replace(start, tensors=tensors)
                embedded = (
                    embedded_by(weights, part, preprocessing) for part in (photos, collection)
                )
                name = {"run": run.name, "weights": described, "size": size}
                for kind, quality in qualities(*embedded, labels):
                    yield {**name, "embedding": kind}, quality


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


def qualities(
    photos: np.ndarray, collection: np.ndarray, labels: np.ndarray
) -> Iterator[tuple[str, SearchQuality]]:
    yield "plain", search_quality(photos, labels)
    for kind, plan in (
        ("centred", CentringPlan(reduce_from=1 << 30)),
        ("PCA 128", CentringPlan()),
    ):
        centring = fit_centring(collection, photos=len(collection), plan=plan)
        if centring is not None:
            yield kind, search_quality(centring.apply(photos), labels)


def embedded_by(
    weights: EncoderWeights, pixels: np.ndarray, preprocessing: Preprocessing
) -> np.ndarray:
    backbone = restore_backbone(weights.spec, weights.tensors)
    to_device(backbone, CPU)
    return embed(backbone, pixels, preprocessing, CPU)


if __name__ == "__main__":
    main()
