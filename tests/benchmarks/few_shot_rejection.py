"""Which sign tells photos of no class from the others, and does the slider keep its word?

    python tests/benchmarks/few_shot_rejection.py LABELLED --encoder gallery/encoder.onnx

LABELLED holds class folders. Prints three Markdown tables. First, half of the classes are drawn as
known and so many photos of each are learned from; all others are asked, those of the other half
belong to no class: for each sign, the area under the ROC curve of known against unknown. Second,
the same at 20 labels a class: what the slider promises and what then holds. Third, photos are
labelled as people do it (`labelling_person`), out of five eighths of them, and the others are
asked: how many right answers keep their class at the default, what precision is shown and what
holds, and what coverage is shown and seen; once with every label counting the same, once with each
for so many photos as are like it. Three classes of ten belong to none, unless all are known.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from few_shot_heads import embedded, interval
from labelling_person import HABITS, label
from sklearn.metrics import roc_auc_score

from app.fewshot.estimator import Head, fit_head
from app.fewshot.folds import Labelled
from app.fewshot.judging import fit_as_judged, judge
from app.fewshot.regions import find_regions
from app.fewshot.rejection import Rejection
from app.fewshot.suggest import Photos
from indexer.duplicates import near_groups
from indexer.encoder import OnnxEncoder

SIGNS = ("share", "logit", "nearest example", "three nearest", "class mean")
SHOTS = (3, 10, 20)
SETTINGS = (0.5, 0.8, 0.9, 0.95, 1.0)

# What becomes of photos of three classes out of ten.
UNKNOWN = ("all classes known", "labelled none of these", "set aside")
GATHERED = (
    "right answers kept", "precision shown", "precision held", "apart by", "unknown kept",
    "coverage shown", "coverage seen",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("labelled", type=Path)
    parser.add_argument("--encoder", type=Path, required=True)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--labels", type=int, default=300, help="gathered for the third table")
    options = parser.parse_args()
    rows, numbers = embedded(options.labelled, OnnxEncoder.open(options.encoder))
    print("| shots | " + " | ".join(SIGNS) + " |\n|---|" + "---|" * len(SIGNS))
    for shots in SHOTS:
        areas = [signs(rows, numbers, shots, draw) for draw in range(options.draws)]
        print(f"| {shots} | " + " | ".join(f"{a:.3f}" for a in np.mean(areas, axis=0)) + " |")
    print("\n| setting | promised | right of known kept | known kept | unknown kept |")
    print("|---|---|---|---|---|", flush=True)
    found = [slider(rows, numbers, SHOTS[-1], draw) for draw in range(options.draws)]
    for setting, cells in zip(SETTINGS, np.mean(found, axis=0), strict=True):
        print(f"| {setting} | " + " | ".join(f"{cell:.2f}" for cell in cells) + " |")
    print("\n| unknown photos are | labels | each counts | " + " | ".join(GATHERED) + " |")
    print("|---|---|---|" + "---|" * len(GATHERED), flush=True)
    for unknown in UNKNOWN:
        for habit in HABITS:
            every = [
                gathered(rows, numbers, habit, unknown, options.labels, draw)
                for draw in range(options.draws)
            ]
            for counts, cells in zip(
                ("the same", "for those like it"), zip(*every, strict=True), strict=True
            ):
                told = " | ".join(_mean(column) for column in zip(*cells, strict=True))
                print(f"| {unknown} | {habit} | {counts} | {told} |", flush=True)


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
    rejection, head = learn(rows, learned, named(numbers[learned]), ["search"] * len(learned))
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


def gathered(
    rows: np.ndarray, numbers: np.ndarray, habit: str, unknown: str, count: int, draw: int
) -> list[list[float]]:
    """The third table's figures, in its order: with weights of one, and as they are."""
    draws = np.random.default_rng(draw)
    order = draws.permutation(len(rows))
    gallery, asked = order[: len(rows) * 5 // 8], order[len(rows) * 5 // 8 :]
    classes = np.unique(numbers)
    known = (
        classes if unknown == UNKNOWN[0] else draws.permutation(classes)[: len(classes) * 7 // 10]
    )
    names = np.where(np.isin(numbers, known), named(numbers), "")
    photos = Photos(np.arange(len(gallery)), rows[gallery], find_regions(rows[gallery]))
    truth = [str(name) or None for name in names[gallery]]
    says_none = unknown == UNKNOWN[1]
    labels = label(habit, photos, truth, count=count, says_none=says_none, draw=draw)
    learned = np.array(sorted(labels))
    given = [labels[row] for row in learned]
    rejection, head = learn(photos.rows, learned, [g[0] for g in given], [g[1] for g in given])
    evidence = rejection.evidence(head, rows[asked])
    right = np.array(rejection.classes)[evidence.said] == names[asked]
    cells = []
    for each in (replace(rejection, weights=np.ones(len(rejection.truth))), rejection):
        kept, outlook = each.keeps(evidence), each.outlook()
        shown = outlook.precision.value if outlook.precision else np.nan
        held, none = right[kept].mean(), names[asked] == ""
        cells.append(
            [
                kept[right].mean(),
                shown,
                held,
                abs(shown - held),
                kept[none].mean() if none.any() else np.nan,
                outlook.coverage,
                kept.mean(),
            ]
        )
    return cells


def learn(
    gallery: np.ndarray, learned: np.ndarray, names: list[str], sources: list[str]
) -> tuple[Rejection, Head]:
    """Judged and fitted as the app does it."""
    shots = Labelled.of(gallery[learned], names, near_groups(gallery[learned]))
    quality = judge(shots.rows, names, groups=shots.groups, sources=sources)
    head = fit_as_judged(shots.rows, names, quality)
    labelled = np.isin(np.arange(len(gallery)), learned)
    return Rejection.fit(head, shots, quality, gallery=gallery, labelled=labelled), head


def _mean(figures: tuple[float, ...]) -> str:
    return "" if np.isnan(figures).all() else interval(list(figures))


if __name__ == "__main__":
    main()
