"""What a run's report shows: read from its folder, and seen through its weights."""

import csv
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from training.checkpoint import load_encoder
from training.config import TrainConfig, config_from_json
from training.errors import CollectionError, ConfigError, Interrupted
from training.evaluate import folder_labels
from training.metrics import read_metrics
from training.progress import Progress
from training.runs import (
    CONFIG_FILE,
    PLAN_FILE,
    REPORT_FILE,
    SKIPPED_FILE,
    RunFolder,
    finished_run,
)
from training.sides import Side, before_and_after, nearest, sample_paths, see

QUERIES = 8
NEIGHBOURS = 6
CLUSTERS = 8
SAMPLE = 800

# t-SNE needs some neighbours to look at, and is slow on many dimensions.
MAPPED_MIN = 12
_PERPLEXITY = 30.0
_DIMENSIONS = 50

SUPERVISED_NAME = "supervised from scratch"


@dataclass(frozen=True)
class ReportRequest:
    """Which run, and which photos to look at through it."""

    run: Path
    photos: Path | None = None  # None: the folder that the run learned from
    labelled: Path | None = None  # class folders to look at instead
    sample: int = SAMPLE
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Look:
    """Photos through the network before and after training, and the supervised one."""

    root: Path
    paths: tuple[bytes, ...]  # (n,)
    sides: tuple[str, ...]  # the names: the start, the result, perhaps the baseline
    queries: tuple[int, ...]
    hits: tuple[tuple[np.ndarray, np.ndarray], ...]  # a query: before and after, best first
    labels: np.ndarray | None  # (n,) int64, classes by folder; None where folders are no classes
    codes: np.ndarray  # (n,) int64, what colours the maps: the labels, or clusters
    names: tuple[str, ...]  # of the classes; empty for clusters
    maps: tuple[np.ndarray, ...]  # a side: (n, 2); none for too few photos


@dataclass(frozen=True, eq=False)
class ReportContent:
    """Everything that the page says."""

    run: RunFolder
    report: dict[str, Any]
    plan: dict[str, Any]
    metrics: list[dict[str, Any]]
    evaluation: dict[str, Any] | None
    skipped: list[tuple[str, str]]  # path and reason
    look: Look | None
    look_missing: str  # why there is no look


def gather(
    request: ReportRequest, *, progress: Progress, stop: Callable[[], bool]
) -> ReportContent:
    """Read a finished run and look at photos through it.

    The photos may be gone; then the report does without and says so.

    Raises:
        RunError: there is no finished run.
        CollectionError: photos that were named explicitly cannot be used.
        Interrupted: `stop` said so.
    """
    run = finished_run(request.run)
    look, missing = None, ""
    try:
        look = _look(request, run, progress, stop)
    except (CollectionError, ConfigError) as error:
        if request.photos or request.labelled:
            raise
        missing = f"{error.message}. --photos says where they are now"
    return ReportContent(
        run=run,
        report=run.read_json(REPORT_FILE),
        plan=run.read_json(PLAN_FILE),
        metrics=read_metrics(run.path),
        evaluation=run.evaluation(),
        skipped=_skipped(run),
        look=look,
        look_missing=missing,
    )


def embedding_maps(sides: list[np.ndarray], seed: int) -> tuple[np.ndarray, ...]:
    """Maps `(n, 2)` of `(n, d)` embeddings by t-SNE; none for fewer than twelve photos.

    The first starts from its principal components, every other from the first map, so that a
    photo keeps its place where nothing moved it and the maps can be compared.
    """
    count = len(sides[0])
    if count < MAPPED_MIN:
        return ()
    maps: list[np.ndarray] = []
    for rows in sides:
        dimensions = min(_DIMENSIONS, count, rows.shape[1])
        reduced = PCA(dimensions, random_state=seed).fit_transform(rows)
        start: Any = "pca"
        if maps:
            start = (maps[0] / max(float(maps[0].std()), 1e-9) * 1e-4).astype(np.float32)
        perplexity = min(_PERPLEXITY, (count - 1) / 3)
        tsne = TSNE(perplexity=perplexity, init=start, random_state=seed)
        found = tsne.fit_transform(reduced)
        maps.append(_turned(found, maps[0]) if maps else found)
    return tuple(maps)


def _turned(points: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Points `(n, 2)` turned and mirrored to lie as near `like` as they can (Schoenemann 1966).

    t-SNE knows no up and no left: a map may come out turned, which would look like a change.
    """
    points, like = points - points.mean(axis=0), like - like.mean(axis=0)
    left, _, right = np.linalg.svd(points.T @ like)
    turned: np.ndarray = points @ (left @ right)
    return turned


def _look(
    request: ReportRequest, run: RunFolder, progress: Progress, stop: Callable[[], bool]
) -> Look:
    root = request.labelled or request.photos or _config(run).photos
    sides: tuple[Side, ...] = before_and_after(run)
    if run.supervised.is_file():
        sides = (*sides, Side(SUPERVISED_NAME, load_encoder(run.supervised)))
    paths = sample_paths(root, request.sample, request.seed)
    seen = see(root, paths, sides, progress=progress, stop=stop)
    if stop():
        raise Interrupted("stopped; nothing was written")
    progress.say("Drawing the maps ...")
    labels = folder_labels(seen.paths)
    before, after = seen.rows[0], seen.rows[1]
    draws = np.random.default_rng(request.seed)
    queries = np.sort(draws.permutation(len(seen.paths))[:QUERIES]).tolist()
    return Look(
        root=root,
        paths=seen.paths,
        sides=tuple(side.name for side in sides),
        queries=tuple(queries),
        hits=tuple(
            (nearest(before, query, NEIGHBOURS), nearest(after, query, NEIGHBOURS))
            for query in queries
        ),
        labels=labels,
        codes=_clusters(after, request.seed) if labels is None else labels,
        names=() if labels is None else _class_names(seen.paths),
        maps=embedding_maps(list(seen.rows), request.seed),
    )


def _clusters(rows: np.ndarray, seed: int) -> np.ndarray:
    count = min(CLUSTERS, len(rows))
    codes: np.ndarray = KMeans(count, n_init=4, random_state=seed).fit_predict(rows)
    return codes.astype(np.int64)


def _class_names(paths: tuple[bytes, ...]) -> tuple[str, ...]:
    """In the order of `folder_labels`' codes: by their bytes."""
    return tuple(os.fsdecode(folder) for folder in sorted({p.rpartition(b"/")[0] for p in paths}))


def _config(run: RunFolder) -> TrainConfig:
    return config_from_json(run.read_json(CONFIG_FILE))


def _skipped(run: RunFolder) -> list[tuple[str, str]]:
    file = run.path / SKIPPED_FILE
    if not file.is_file():
        return []
    with file.open(encoding="utf-8", errors="surrogateescape", newline="") as opened:
        rows = list(csv.reader(opened))[1:]
    return [(row[0], row[1]) for row in rows if len(row) == 2]
