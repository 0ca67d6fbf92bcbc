"""A blind comparison of two encoders, for the one who knows the photos."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.checkpoint import load_encoder
from training.config import config_from_json
from training.console import readable
from training.errors import CollectionError, ConfigError
from training.markup import document, escape, part, picture
from training.progress import Progress
from training.runs import CONFIG_FILE, RunFolder, finished_run
from training.sides import Side, before_and_after, nearest, sample_paths, see, thumbnail

HITS = 8
QUERIES = 30
GALLERY = 2000
QUERY_PIXELS = 320
HIT_PIXELS = 150


@dataclass(frozen=True)
class CompareRequest:
    """Which encoders, on which photos."""

    first: Path  # a run, or a .safetensors file of one
    second: Path | None  # None: the start of the first run against what it exports
    photos: Path | None = None  # None: the folder that the first run learned from
    queries: int = QUERIES
    gallery: int = GALLERY
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Question:
    """A query with what both sides find; left and right are drawn by lot."""

    query: int
    left: np.ndarray  # (k,) indices of photos, best first
    right: np.ndarray
    left_is_first: bool


@dataclass(frozen=True, eq=False)
class Comparison:
    """Everything that the page asks."""

    root: Path
    paths: tuple[bytes, ...]
    names: tuple[str, str]
    questions: tuple[Question, ...]
    same: int  # drawn queries where both sides find the same photos: nothing to judge


def compare(request: CompareRequest, *, progress: Progress, stop: Callable[[], bool]) -> Comparison:
    """Search with both encoders for the same photos.

    Raises:
        ConfigError: both are the same encoder, or never find different photos.
        CollectionError: the photos are missing or too few.
        RunError: there is no such run.
        EncoderError: a file is no encoder.
        Interrupted: `stop` said so.
    """
    sides = _sides(request)
    root = request.photos or _photos_of(request.first)
    paths = sample_paths(root, request.gallery, request.seed)
    seen = see(root, paths, sides, progress=progress, stop=stop)
    if len(seen.paths) <= HITS + 1:
        raise CollectionError(
            f"{root} holds {len(seen.paths)} photos, expected more than {HITS + 1} to search among",
            hint="give a larger folder with --photos",
        )
    questions, same = ask(seen.rows[0], seen.rows[1], request.queries, request.seed)
    if not questions:
        raise ConfigError(
            "both encoders find the same photos for every query: there is nothing to compare",
            hint="name two encoders that differ",
        )
    names = (sides[0].name, sides[1].name)
    return Comparison(root, seen.paths, names, questions, same)


def ask(
    first: np.ndarray, second: np.ndarray, count: int, seed: int
) -> tuple[tuple[Question, ...], int]:
    """Queries in random order, each with both results on random sides.

    Where both find the same photos there is nothing to prefer, whichever encoder is better, so
    leaving those out favours none.

    Args:
        first: `(n, d)` unit embeddings of one encoder.
        second: `(n, e)` of the other, of the same photos.
        count: of questions, at most.
        seed: fixes queries and sides.

    Returns:
        The questions, and how many queries were passed over.
    """
    draws = np.random.default_rng(seed)
    questions: list[Question] = []
    same = 0
    for query in draws.permutation(len(first)):
        one, two = nearest(first, int(query), HITS), nearest(second, int(query), HITS)
        straight = bool(draws.integers(2))
        if set(one.tolist()) == set(two.tolist()):
            same += 1
            continue
        left, right = (one, two) if straight else (two, one)
        questions.append(Question(int(query), left, right, straight))
        if len(questions) == count:
            break
    return tuple(questions), same


def compare_page(comparison: Comparison) -> str:
    """The page: one question at a time, the names only at the end."""
    pictures: dict[str, str] = {}

    def shown(index: int, side: int) -> str:
        key = f"{index}-{side}"
        if key not in pictures:
            photo = thumbnail(comparison.root, comparison.paths[index], side)
            pictures[key] = picture(photo)
        return key

    questions = [
        {
            "query": shown(question.query, QUERY_PIXELS),
            "left": [shown(int(i), HIT_PIXELS) for i in question.left],
            "right": [shown(int(i), HIT_PIXELS) for i in question.right],
            "leftIsFirst": question.left_is_first,
        }
        for question in comparison.questions
    ]
    data = {
        "names": [readable(name) for name in comparison.names],
        "questions": questions,
        "same": comparison.same,
        "pictures": pictures,
    }
    scripts = (
        f"const COMPARISON = {_script_json(data)};",
        part("sign_test.js"),
        part("compare.js"),
    )
    body = part("compare.html").replace("{{count}}", escape(str(len(questions))))
    return document("Which finds better?", part("look.css") + part("compare.css"), body, scripts)


def _script_json(data: object) -> str:
    """JSON that can stand in a script element: no markup can end it early."""
    text = json.dumps(data, ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _sides(request: CompareRequest) -> tuple[Side, Side]:
    if request.second is None:
        run = finished_run(request.first)
        before, after = before_and_after(run)
        name = os.fspath(run.path)
        return Side(f"{name}: {before.name}", before.weights), Side(
            f"{name}: {after.name}", after.weights
        )
    first, second = load_encoder(request.first), load_encoder(request.second)
    if first.sha256 == second.sha256:
        raise ConfigError(
            f"{request.first} and {request.second} hold the same encoder",
            hint="name two encoders that differ; one run alone compares its start with its result",
        )
    return Side(os.fspath(request.first), first), Side(os.fspath(request.second), second)


def _photos_of(first: Path) -> Path:
    """The folder that a run learned from, also for one of its files."""
    run = RunFolder(first if first.is_dir() else first.parent)
    if not (run.path / CONFIG_FILE).is_file():
        raise ConfigError(
            f"{first} does not say which photos it learned from", hint="name them with --photos"
        )
    return config_from_json(run.read_json(CONFIG_FILE)).photos
