"""Neighbourhoods: the photos nearest to each photo of a gallery, found once and kept beside it.

A search by neighbourhoods (indexer/expansion.py) asks for those of hundreds of photos: looking them
up takes no time, finding them each time took most of it. `neighbours.npz` is a cache of one
generation. A build brings it up to date in proportion to what changed; while it is missing or
stale, searches find the neighbourhoods themselves.
"""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from indexer import exact, index_files, providers
from indexer.arrays import read_arrays, write_arrays
from indexer.catalogue import Catalogue
from indexer.folder import GalleryFolder
from indexer.records import Embeddings
from training.errors import Interrupted
from training.progress import Progress

NEIGHBOURS_FILE = "neighbours.npz"

# Measured on garments and on CIFAR-10: three neighbours, the photo itself among them, help both
# ranking measures; ten help mAP and blur the top.
NEIGHBOURS = 3

# To compare all with all takes four times as long for twice as many: minutes, for so many.
MOST_PHOTOS = 200_000

# Photos that are compared with all others at a time: how often a stop is asked for.
_AT_A_TIME = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Neighbourhoods:
    """The nearest photos of every photo of one generation."""

    generation: int
    encoder: str  # fingerprint
    ids: np.ndarray  # (n,) int64, ascending
    near: np.ndarray  # (n, k) int32, positions of the k nearest, the photo itself among them
    marks: np.ndarray  # (n,) uint32, a checksum of each embedding

    def of(self, ids: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The neighbours of some photos.

        Args:
            ids: `(m,)` int64, all of them here.
            rows: `(n, d)` float32, the embeddings of this generation.

        Returns:
            Their rows `(m, k, d)` float32 and cosines `(m, k)` float32.
        """
        places = np.searchsorted(self.ids, ids)
        found = rows[self.near[places]]  # (m, k, d)
        return found, np.einsum("md,mkd->mk", rows[places], found)


class KeptNeighbourhoods:
    """The neighbourhoods kept for some embeddings, read when they are asked for."""

    def __init__(self, folder: Path, stored: Embeddings) -> None:
        self._path = folder / NEIGHBOURS_FILE
        self._stored = stored
        self._known: Neighbourhoods | None = None

    def known(self) -> Neighbourhoods | None:
        """None while they are missing or stale: a build may still be finding them."""
        if self._known is None:
            kept = _read(self._path)
            self._known = kept if _fits(kept, self._stored) else None
        return self._known


def refresh(
    folder: GalleryFolder, catalogue: Catalogue, *, progress: Progress, stop: Callable[[], bool]
) -> None:
    """Make a gallery's neighbourhoods fit its index, where they pay.

    Raises:
        Interrupted: `stop` said so; what was there stays.
    """
    state = catalogue.state()
    path = folder.path / NEIGHBOURS_FILE
    assert state.published is not None
    generation, encoder = state.generation, state.published.fingerprint
    index = index_files.load(folder.path, generation=generation, encoder=encoder)
    if index is None or len(index) > MOST_PHOTOS:
        path.unlink(missing_ok=True)
        return
    before = _read(path)
    if _fits(before, index.stored):
        return
    made = found_for(index.stored, before=before, progress=progress, stop=stop)
    _save(made, path)


def found_for(
    stored: Embeddings,
    *,
    before: Neighbourhoods | None,
    progress: Progress,
    stop: Callable[[], bool],
) -> Neighbourhoods:
    """The neighbourhoods of all photos.

    Args:
        stored: the embeddings.
        before: of an earlier generation. Where its photos are still there, and their neighbours,
            only those that came have to be compared with them.
        progress: told of the photos that were compared.
        stop: asked now and then.

    Raises:
        Interrupted: `stop` said so.
    """
    rows, count = stored.rows, len(stored.ids)
    marks = np.fromiter((zlib.crc32(row) for row in rows), np.uint32, count)
    near = np.empty((count, min(NEIGHBOURS, count)), np.int32)
    came, kept, kept_near = _carried_over(stored.ids, marks, near.shape[1], before)
    anew = np.setdiff1d(np.arange(count), kept, assume_unique=True)
    progress.start("finding neighbours", total=count, unit="photos")
    for part in _parts(len(anew), progress, stop):
        near[anew[part]] = exact.nearest(
            rows, rows[anew[part]], near.shape[1], threads=providers.cores()
        )[1]
    for part in _parts(len(kept), progress, stop):
        near[kept[part]] = _with_those_that_came(rows, kept[part], kept_near[part], came)
    progress.finish()
    return Neighbourhoods(stored.generation, stored.encoder, stored.ids, near, marks)


def _fits(kept: Neighbourhoods | None, stored: Embeddings) -> bool:
    if kept is None or (kept.generation, kept.encoder) != (stored.generation, stored.encoder):
        return False
    return np.array_equal(kept.ids, stored.ids)


def _carried_over(
    ids: np.ndarray, marks: np.ndarray, k: int, before: Neighbourhoods | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What is left of an earlier generation.

    Returns:
        The positions `(c,)` of photos that came, those `(m,)` of photos that were there and whose
        neighbours are all still there, and where these neighbours `(m, k)` are now.
    """
    count = len(ids)
    if before is None or before.near.shape[1] != k:
        return np.arange(count), np.empty(0, np.int64), np.empty((0, k), np.int64)
    places = np.minimum(np.searchsorted(before.ids, ids), len(before.ids) - 1)  # (n,)
    stays = (before.ids[places] == ids) & (before.marks[places] == marks)
    now = np.full(len(before.ids), -1)  # where the old ones are now
    now[places[stays]] = np.flatnonzero(stays)
    near = now[before.near[places[stays]]]  # (s, k)
    whole = (near >= 0).all(axis=1)
    return np.flatnonzero(~stays), np.flatnonzero(stays)[whole], near[whole]


def _with_those_that_came(
    rows: np.ndarray, own: np.ndarray, near: np.ndarray, came: np.ndarray
) -> np.ndarray:
    """The nearest `(m, k)` of what was near to the photos at `own` `(m,)` and of what came."""
    if not len(came):
        return near
    k = near.shape[1]
    asked = rows[own]
    scores, places = exact.nearest(rows[came], asked, min(k, len(came)), threads=providers.cores())
    before = np.einsum("md,mkd->mk", asked, rows[near])
    order = np.argsort(-np.concatenate([before, scores], axis=1), axis=1, kind="stable")[:, :k]
    return np.take_along_axis(np.concatenate([near, came[places]], axis=1), order, axis=1)


def _parts(count: int, progress: Progress, stop: Callable[[], bool]) -> Iterator[slice]:
    """So many photos in parts, which are told once they are done."""
    for start in range(0, count, _AT_A_TIME):
        if stop():
            raise Interrupted(
                "stopped while finding neighbours; the gallery is up to date, but searches by "
                "neighbourhoods take longer",
                hint="run the same command again to go on",
            )
        part = slice(start, min(start + _AT_A_TIME, count))
        yield part
        progress.advance(part.stop - start)


def _read(path: Path) -> Neighbourhoods | None:
    """What is kept, of whatever generation; None where that is missing or damaged."""
    found = read_arrays(path)
    try:
        kept = (
            None
            if found is None
            else Neighbourhoods(
                int(found["generation"]),
                str(found["encoder"]),
                found["ids"].astype(np.int64, copy=False),
                found["near"].astype(np.int32, copy=False),
                found["marks"].astype(np.uint32, copy=False),
            )
        )
    except (KeyError, TypeError, ValueError):
        return None
    return kept if kept is not None and _is_sound(kept) else None


def _is_sound(kept: Neighbourhoods) -> bool:
    """Whether what a file holds can be looked up in, whoever wrote it."""
    count = len(kept.ids)
    k = min(NEIGHBOURS, count)
    shapes = (kept.ids.shape, kept.near.shape, kept.marks.shape)
    whole = shapes == ((count,), (count, k), (count,))
    return whole and bool(((kept.near >= 0) & (kept.near < count)).all())


def _save(made: Neighbourhoods, path: Path) -> None:
    write_arrays(
        path,
        generation=made.generation,
        encoder=made.encoder,
        ids=made.ids,
        near=made.near,
        marks=made.marks,
    )
