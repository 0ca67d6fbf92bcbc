"""How long from a label to new suggestions? Refit, rescore and suggest on a large gallery.

    python tests/benchmarks/few_shot_speed.py [--photos 100000] [--labels 500] [--rounds 20]

Embeddings are random unit rows around 10 centres. Every round has one label more. Prints a
Markdown table: the median, fastest and slowest round by the clock, the median of processor time
(all threads together), and how busy the machine was, since a busy one only leaves the last and
the fastest to go by.
"""

import argparse
import os
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from app.fewshot.estimator import LOGISTIC, MEAN, fit_head
from app.fewshot.judging import judge
from app.fewshot.regions import find_regions
from app.fewshot.suggest import Photos, Scored, suggest, suggest_of

T = TypeVar("T")

CLASSES, DIMENSIONS = 10, 128


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=100_000)
    parser.add_argument("--labels", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    rows, numbers = gallery(options.photos)
    ids = np.arange(len(rows))
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start\n")
    print("| what | median | fastest | slowest | processor |\n|---|---|---|---|---|")
    regions = timed("clusters of the gallery (once)", lambda _: find_regions(rows), rounds=1)
    photos = Photos(ids, rows, regions)

    timed("the first 24 suggestions", lambda _: suggest(photos, {}, None), options.rounds)

    def shots(round_number: int) -> tuple[np.ndarray, list[str]]:
        chosen = np.arange(options.labels - options.rounds + round_number)
        return rows[chosen], [f"class {n}" for n in numbers[chosen]]

    for kind in (MEAN, LOGISTIC):
        timed(f"refit, {kind}", lambda n, k=kind: fit_head(*shots(n), kind=k), options.rounds)
        timed(
            f"refit and rescore, {kind}",
            lambda n, k=kind: Scored.of(fit_head(*shots(n), kind=k), rows),
            options.rounds,
        )
    known, names = shots(options.rounds)
    labels = dict(enumerate(names))
    scored = Scored.of(fit_head(known, names), rows)
    timed("the next 24 suggestions", lambda n: suggest(photos, labels, scored, seed=n),
          options.rounds)  # fmt: skip
    timed("24 photos of a class", lambda _: suggest_of(photos, labels, scored, "class 3"),
          options.rounds)  # fmt: skip
    timed(
        "choosing head and C, calibration (in the background)",
        lambda n: judge(known, names, groups=ids[: len(names)], sources=["search"] * len(names),
                        seed=n),
        rounds=3,
    )  # fmt: skip
    print(f"\nload {os.getloadavg()[0]:.1f} at the end")


def gallery(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Unit rows `(n, d)` float32 whose classes overlap, and the class of each."""
    draws = np.random.default_rng(0)
    centres = draws.normal(size=(CLASSES, DIMENSIONS)).astype(np.float32)
    numbers = np.arange(count) % CLASSES
    rows = 0.15 * centres[numbers] + draws.normal(size=(count, DIMENSIONS)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True), numbers


def timed(what: str, work: Callable[[int], T], rounds: int) -> T:
    """Run so many times, print how long it took, and give the last result."""
    clock, processor = [], []
    for number in range(rounds):
        start, start_busy = time.perf_counter(), time.process_time()
        result = work(number)
        clock.append((time.perf_counter() - start) * 1000)
        processor.append((time.process_time() - start_busy) * 1000)
    figures = (np.median(clock), min(clock), max(clock), np.median(processor))
    print(f"| {what} | " + " | ".join(f"{f:,.0f} ms" for f in figures) + " |", flush=True)
    return result


if __name__ == "__main__":
    main()
