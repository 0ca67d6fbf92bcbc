"""Which sign tells photos of no class from the others, and does the slider keep its word?

    python tests/benchmarks/few_shot_rejection.py LABELLED --encoder gallery/encoder.onnx

LABELLED holds class folders. Each time, half of the classes are drawn as known and so many photos
of each are learned from; all other photos are asked, those of the other half belong to no class.
Prints two Markdown tables. First, for each sign, the area under the ROC curve of known against
unknown. Second, at 20 labels a class: what the slider promises (precision on labelled photos that
heads had not seen; the labels hold no photo of the unknown classes) and what then holds of known
photos, and how many known and unknown ones keep a class.
"""

import argparse
from pathlib import Path

import numpy as np
from few_shot_heads import embedded
from sklearn.metrics import roc_auc_score

from app.fewshot.estimator import fit_head
from app.fewshot.judging import fit_as_judged, judge
from app.fewshot.rejection import Rejection
from indexer.encoder import OnnxEncoder

SIGNS = ("share", "logit", "nearest example", "three nearest", "class mean")
SHOTS = (3, 10, 20)
SETTINGS = (0.5, 0.8, 0.9, 0.95, 1.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("labelled", type=Path)
    parser.add_argument("--encoder", type=Path, required=True)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--slider-draws", type=int, default=5)
    options = parser.parse_args()
    rows, numbers = embedded(options.labelled, OnnxEncoder.open(options.encoder))
    print("| shots | " + " | ".join(SIGNS) + " |\n|---|" + "---|" * len(SIGNS))
    for shots in SHOTS:
        areas = [signs(rows, numbers, shots, draw) for draw in range(options.draws)]
        print(f"| {shots} | " + " | ".join(f"{a:.3f}" for a in np.mean(areas, axis=0)) + " |")
    print("\n| setting | promised | right of known kept | known kept | unknown kept |")
    print("|---|---|---|---|---|", flush=True)
    found = [slider(rows, numbers, SHOTS[-1], draw) for draw in range(options.slider_draws)]
    for setting, cells in zip(SETTINGS, np.mean(found, axis=0), strict=True):
        print(f"| {setting} | " + " | ".join(f"{cell:.2f}" for cell in cells) + " |")


def drawn(numbers: np.ndarray, shots: int, draw: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows to learn from, all other rows, and which of these are of a known class."""
    draws = np.random.default_rng(draw)
    classes = np.unique(numbers)
    known = draws.permutation(classes)[: len(classes) // 2]
    chosen = []
    for number in known:
        members = draws.permutation(np.flatnonzero(numbers == number))
        chosen.append(members[: min(shots, len(members) * 2 // 3)])
    learned = np.concatenate(chosen)
    asked = np.setdiff1d(np.arange(len(numbers)), learned)
    return learned, asked, np.isin(numbers[asked], known)


def named(numbers: np.ndarray) -> list[str]:
    return [f"class {number:02}" for number in numbers]


def signs(rows: np.ndarray, numbers: np.ndarray, shots: int, draw: int) -> list[float]:
    learned, asked, known = drawn(numbers, shots, draw)
    head = fit_head(rows[learned], named(numbers[learned]))
    means = fit_head(rows[learned], named(numbers[learned]), kind="mean")
    logits = head.logits(rows[asked])
    said = logits.argmax(axis=1)
    labels = np.searchsorted(head.classes, named(numbers[learned]))
    cosines = np.where(labels == said[:, None], rows[asked] @ rows[learned].T, -1)
    cosines = -np.sort(-cosines, axis=1)
    found = (
        head.probabilities(rows[asked]).max(axis=1),
        logits.max(axis=1),
        cosines[:, 0],
        cosines[:, :3].mean(axis=1),
        means.logits(rows[asked])[np.arange(len(asked)), said],
    )
    return [float(roc_auc_score(known, sign)) for sign in found]


def slider(rows: np.ndarray, numbers: np.ndarray, shots: int, draw: int) -> list[list[float]]:
    learned, asked, known = drawn(numbers, shots, draw)
    names, groups = named(numbers[learned]), np.arange(len(learned))
    quality = judge(rows[learned], names, groups=groups, sources=["search"] * len(names))
    head = fit_as_judged(rows[learned], names, quality)
    rejection = Rejection.fit(rows[learned], names, quality, groups=groups, gallery=rows)
    evidence = rejection.evidence(head, rows[asked])
    right = np.array(head.classes)[evidence.said] == np.array(named(numbers[asked]))
    cells = []
    for setting in SETTINGS:
        kept, promised = rejection.keeps(evidence, setting), rejection.outlook(setting).precision
        cells.append(
            [
                promised.value if promised else np.nan,
                right[kept & known].mean(),
                kept[known].mean(),
                kept[~known].mean(),
            ]
        )
    return cells


if __name__ == "__main__":
    main()
