"""The gallery's map for the Map page: drawn in the background, coloured, and selected from."""

import logging
import os
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from app.answers import Answers
from app.colours import GREY, PALETTE, colour_of
from app.task import yield_to_others
from indexer import layout
from indexer.gallery import Gallery
from indexer.layout import Layout
from indexer.records import Embeddings
from training.console import readable
from training.errors import LookalikeError

# Groups with a colour of their own; the smaller ones are one grey group together.
MOST_GROUPS = len(PALETTE)

# What a group of photos without a name is called.
OTHERS, NOTHING = "others", "no label"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Group:
    """Photos that share a colour."""

    name: str
    count: int
    colour: str  # as CSS has it
    quiet: bool = False  # photos that lie below those of other groups


@dataclass(frozen=True, slots=True, eq=False)
class Colouring:
    """Which group each photo belongs to."""

    groups: tuple[Group, ...]
    codes: np.ndarray  # (n,) uint8, an index into `groups`


class Maps:
    """The maps of one gallery's generations; safe for many threads.

    The first asking gives a map by components at once and begins one that keeps neighbours
    together. It is kept in the gallery's folder, so that the next start has it; not where that is
    read-only.
    """

    def __init__(self, folder: Path, *, read_only: bool = False) -> None:
        self._folder = folder
        self._read_only = read_only
        self._lock = threading.Lock()
        self._layout: Layout | None = None
        self._folders: tuple[int, Colouring] | None = None
        self._drawing: threading.Thread | None = None
        self.problem = ""  # why the better map could not be drawn; empty where it could

    @property
    def drawing(self) -> bool:
        """Whether a better map is on its way."""
        return self._drawing is not None and self._drawing.is_alive()

    def layout(self, gallery: Gallery) -> Layout:
        """The best map there is now of the gallery as it is open."""
        with self._lock:
            known = self._layout
            if known is not None and _fits(known, gallery):
                return known
            self.problem = ""
            found = layout.load(
                self._folder,
                generation=gallery.generation,
                encoder=gallery.encoder.fingerprint,
            )
            self._layout = found or layout.by_components(_embeddings(gallery))
            if self._layout.method == "components" and len(gallery) >= layout.FEWEST:
                self._begin(gallery)
            return self._layout

    def folders(self, gallery: Gallery, ids: np.ndarray) -> Colouring:
        """Groups by folder, worked out once a generation: seconds at 100,000 photos."""
        with self._lock:
            if self._folders is None or self._folders[0] != gallery.generation:
                self._folders = (gallery.generation, by_folder(gallery, ids))
            return self._folders[1]

    def wait(self) -> None:
        """Until no map is being drawn; for tests and measurements."""
        if self._drawing is not None:
            self._drawing.join()

    def _begin(self, gallery: Gallery) -> None:
        # A daemon: leaving the app does not wait for it.
        self._drawing = threading.Thread(target=self._draw, args=(gallery,), daemon=True)
        self._drawing.start()

    def _draw(self, gallery: Gallery) -> None:
        yield_to_others()
        try:
            better = layout.by_neighbours(_embeddings(gallery))
        except (ValueError, MemoryError, FloatingPointError) as error:
            self.problem = f"the map could not be drawn in full: {error}"
            _log.warning(self.problem)
            return
        with self._lock:
            # A build meanwhile has opened a newer gallery, whose map this is not.
            if self._layout is not None and _fits(self._layout, gallery):
                self._layout = better
        if self._read_only:
            return
        try:
            layout.save(better, self._folder)
        # Keeping it spares the next start the work; this one has it.
        except (OSError, LookalikeError) as error:
            _log.info("the map stays in memory: %s", error)


def by_folder(gallery: Gallery, ids: np.ndarray) -> Colouring:
    """Groups by the folder that a photo's first path lies in."""

    @cache
    def named(folder: bytes) -> str:
        return readable(folder) or "top folder"

    folders: list[str] = []
    for part in layout.parts(len(ids)):
        numbers = ids[part].tolist()
        paths = gallery.first_paths(numbers)
        folders += [
            named(os.path.dirname(paths[i])) if i in paths else OTHERS  # noqa: PTH120 - bytes
            for i in numbers
        ]
    return _coloured(folders, order=None)


def by_label(answers: Answers, ids: np.ndarray, *, classes: Sequence[str]) -> Colouring:
    """Groups by what people said."""
    return by_name(ids, {i: of.name for i, of in answers.labels.items()}, classes=classes)


def by_guess(answers: Answers, ids: np.ndarray, *, classes: Sequence[str]) -> Colouring:
    """Groups by what the classifier says of every photo; none while it knows one class at most."""
    if answers.scored is None or len(answers.scored.head.classes) < 2:
        return by_name(ids, {}, classes=classes)
    names = np.array([*answers.scored.head.classes, NOTHING], object)
    said = answers.scored.shares.argmax(axis=1)
    at = np.searchsorted(answers.ids, ids).clip(max=len(answers.ids) - 1)
    guessed = np.where(answers.ids[at] == ids, said[at], len(names) - 1)
    return _coloured(names[guessed].tolist(), order=classes)


def by_name(ids: np.ndarray, names: Mapping[int, str], *, classes: Sequence[str]) -> Colouring:
    """Groups by a class each photo has, or has not.

    Args:
        ids: `(n,)` int64, the photos.
        names: the class by id; photos without one are grey.
        classes: all classes in the order they were made, which gives their colours.
    """
    return _coloured([names.get(i, NOTHING) for i in ids.tolist()], order=classes)


def inside(places: np.ndarray, outline: Sequence[Sequence[float]]) -> np.ndarray:
    """Which of `(n, 2)` places lie in a closed outline: `(n,)` bool, by the even-odd rule."""
    within = np.zeros(len(places), bool)
    corners = np.asarray(outline, np.float64).reshape(-1, 2)
    if len(corners) < 3 or not np.isfinite(corners).all():
        return within
    x, y = places[:, 0], places[:, 1]
    for (from_x, from_y), (to_x, to_y) in zip(corners, np.roll(corners, 1, axis=0), strict=True):
        crosses = (from_y > y) != (to_y > y)
        rise = (to_y - from_y) or 1.0  # zero only where nothing crosses
        within ^= crosses & (x < (to_x - from_x) * (y - from_y) / rise + from_x)
    return within


def most_typical_first(gallery: Gallery, ids: np.ndarray) -> list[int]:
    """Photos by how much they look like all of them together, the odd ones last."""
    known, rows = gallery.embeddings()
    chosen = rows[np.searchsorted(known, ids)]  # (m, d)
    scores = chosen @ chosen.mean(axis=0) if len(chosen) else np.zeros(0)
    return [int(i) for i in ids[np.argsort(-scores, kind="stable")]]


def _coloured(names: Sequence[str], *, order: Sequence[str] | None) -> Colouring:
    """Groups in the order of their size, or in a given one; small ones and nameless ones last."""
    counts = Counter(names)
    largest = [name for name, _ in counts.most_common() if name not in (OTHERS, NOTHING)]
    kept = [name for name in order or largest if counts[name]][:MOST_GROUPS]
    number = {name: at for at, name in enumerate(order or kept)}
    groups = [Group(name, counts.pop(name), colour_of(number[name])) for name in kept]
    nameless = counts.pop(NOTHING, 0)
    if rest := sum(counts.values()):
        groups.append(Group(OTHERS, rest, GREY, quiet=True))
    if nameless:
        groups.append(Group(NOTHING, nameless, GREY, quiet=True))
    code = {group.name: at for at, group in enumerate(groups)}
    others = code.get(OTHERS, 0)
    codes = np.fromiter((code.get(name, others) for name in names), np.uint8, len(names))
    return Colouring(tuple(groups), codes)


def _fits(known: Layout, gallery: Gallery) -> bool:
    return (known.generation, known.encoder) == (gallery.generation, gallery.encoder.fingerprint)


def _embeddings(gallery: Gallery) -> Embeddings:
    ids, rows = gallery.embeddings()
    return Embeddings(gallery.generation, gallery.encoder.fingerprint, ids, rows)
