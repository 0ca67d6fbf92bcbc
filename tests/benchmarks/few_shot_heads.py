"""Which head for how many labels? Macro-F1 of the heads on photos that were not learned from.

    python tests/benchmarks/few_shot_heads.py LABELLED --encoder gallery/encoder.onnx

LABELLED holds class folders. For each number of shots, 30 times: so many photos of every class (two
thirds of a class at most) are drawn, the heads learn from them and answer for all the others.
"20 and 1" gives every second class 20 photos and the others one. Prints two Markdown tables:
macro-F1, and the temperature that makes the heads' probabilities most honest on the others.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from sklearn.metrics import f1_score

from app.fewshot.calibration import best_temperature
from app.fewshot.heads import Logistic, NearestMean
from indexer.encoder import BATCH, OnnxEncoder
from training.photos import read_photo

Answer = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]

SHOTS = {
    **{str(count): (count, count) for count in (1, 2, 5, 10, 20)},
    **{f"{many} and {few}": (many, few) for many, few in ((20, 1), (20, 2), (20, 5), (50, 5))},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("labelled", type=Path)
    parser.add_argument("--encoder", type=Path, required=True)
    parser.add_argument("--draws", type=int, default=30)
    options = parser.parse_args()
    rows, numbers = embedded(options.labelled, OnnxEncoder.open(options.encoder))
    classes = len(np.unique(numbers))
    print(f"{len(rows):,} photos in {classes} classes, {rows.shape[1]} dimensions\n")
    print("| shots | " + " | ".join(HEADS) + " |")
    print("|---|" + "---|" * len(HEADS), flush=True)
    warmths: dict[str, list[list[float]]] = {}
    for shots, wanted in SHOTS.items():
        figures: dict[str, list[float]] = {name: [] for name in HEADS}
        warmths[shots] = [[], []]
        for draw in range(options.draws):
            learned, asked = drawn(numbers, wanted, np.random.default_rng(draw))
            known, truth = numbers[learned], numbers[asked]
            for name, answer in HEADS.items():
                said = answer(rows[learned], known, rows[asked])
                figures[name].append(f1_score(truth, said, average="macro"))
            for found, head in zip(warmths[shots], (NearestMean(), Logistic()), strict=True):
                head.fit(rows[learned], known)
                logits = (rows[asked] @ head.coef_.T + head.intercept_).astype(np.float64)
                found.append(best_temperature(logits, truth))
        cells = [interval(found) for found in figures.values()]
        print(f"| {shots} | " + " | ".join(cells) + " |", flush=True)
    print("\n| shots | best temperature of nearest mean | of logistic regression |\n|---|---|---|")
    for shots, (mean, logistic) in warmths.items():
        print(f"| {shots} | {np.median(mean):.3f} | {np.median(logistic):.2f} |")


def embedded(folder: Path, encoder: OnnxEncoder) -> tuple[np.ndarray, np.ndarray]:
    """Unit rows `(n, d)` and class numbers `(n,)` of the photos in class folders."""
    files = sorted(path for path in folder.glob("*/*") if path.is_file())
    prepare = encoder.spec.preprocessing
    parts = []
    for start in range(0, len(files), BATCH):
        photos = (
            read_photo(file, at_least=prepare.at_least) for file in files[start : start + BATCH]
        )
        parts.append(encoder.embed(np.stack([prepare.prepare(photo.image) for photo in photos])))
    names = [file.parent.name for file in files]
    return np.concatenate(parts), np.unique(names, return_inverse=True)[1]


def drawn(
    numbers: np.ndarray, wanted: tuple[int, int], draws: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Rows to learn from, so many of even and of odd classes, and all the others."""
    chosen = []
    for number in np.unique(numbers):
        members = draws.permutation(np.flatnonzero(numbers == number))
        chosen.append(members[: min(wanted[number % 2], len(members) * 2 // 3)])
    learned = np.concatenate(chosen)
    return learned, np.setdiff1d(np.arange(len(numbers)), learned)


def logistic(c: float) -> Answer:
    return lambda rows, numbers, photos: Logistic(C=c).fit(rows, numbers).predict(photos)


def nearest(k: int) -> Answer:
    """A vote of the k nearest, weighted by exp(cosine / 0.07) as in training's evaluation."""

    def answer(rows: np.ndarray, numbers: np.ndarray, photos: np.ndarray) -> np.ndarray:
        cosines = photos @ rows.T
        near = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
        weights = np.exp(np.take_along_axis(cosines, near, 1) / 0.07)
        votes = np.einsum("nk,nkc->nc", weights, np.eye(numbers.max() + 1)[numbers[near]])
        said: np.ndarray = votes.argmax(axis=1)
        return said

    return answer


def interval(figures: list[float]) -> str:
    """The mean, and the 95 % interval of the mean over the draws, in points."""
    spread = 1.96 * np.std(figures, ddof=1) / np.sqrt(len(figures))
    return f"{100 * np.mean(figures):.1f} ± {100 * spread:.1f}"


HEADS: dict[str, Answer] = {
    "nearest mean": lambda rows, numbers, photos: NearestMean().fit(rows, numbers).predict(photos),
    "nearest photo": nearest(1),
    "5-NN": nearest(5),
    **{f"C = {c:g}": logistic(c) for c in (0.1, 1.0, 3.0, 10.0, 100.0)},
}

if __name__ == "__main__":
    main()
