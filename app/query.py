"""What is looked up: one direction made of photos, parts and examples, and what lies along it."""

import time
from dataclasses import dataclass, field
from math import ceil

import numpy as np
from PIL import Image

from app.link import Crop, Link
from app.uploads import Uploads
from indexer import examples
from indexer.duplicates import near_groups
from indexer.gallery import Gallery, Hit
from training.errors import PhotoError
from training.photos import decode

# Bars of the histogram of scores, from 0 to 1.
BARS = 50

# Hits looked at for each that is shown, where near-duplicates count as one.
ALIKE_LOOK_AHEAD = 4


@dataclass(frozen=True, slots=True)
class Answer:
    """The hits of a search, best first, and how it went."""

    hits: tuple[Hit, ...]
    best_score: float | None  # before the minimum was applied; None where there was no candidate
    candidates: int  # photos that could have been found
    bars: tuple[int, ...]  # candidates by score, BARS equal steps from 0 to 1
    reaching: int  # candidates that reach the minimum
    seconds: float  # embedding included
    alike: dict[int, int] = field(default_factory=dict)  # by hit: near-duplicates it stands for


def answer(
    gallery: Gallery, uploads: Uploads, link: Link, *, among: np.ndarray | None = None
) -> Answer:
    """Look up what a link names.

    The gallery's photos that make up the query are not among its hits; an upload's match is.

    Args:
        gallery: where to look.
        uploads: where the link's upload is.
        link: what to look up.
        among: ids `(m,)` int64 of the photos that may be found; None is all.

    Raises:
        GalleryError: the gallery knows no such photo.
        PhotoError: the upload expired, or a photo's part cannot be read from the disk.
        ConfigError: the examples cancel out.
    """
    started = time.perf_counter()
    query = direction(gallery, uploads, link)
    chosen = frozenset(example.photo for example in (*link.likes, *link.unlikes))
    exclude = chosen if link.photo is None else chosen | {link.photo}
    scores = _scores(gallery, query, among, exclude)
    low = -1.0 if link.min_score is None else link.min_score
    hits, alike = _hits(gallery, query, link, among, exclude)
    return Answer(
        hits=hits,
        best_score=hits[0].score if hits else _best_score(gallery, query, among, exclude),
        candidates=len(scores),
        bars=tuple(np.histogram(scores.clip(max=1), BARS, (0, 1))[0].tolist()),
        reaching=int(np.count_nonzero(scores >= low)),
        seconds=time.perf_counter() - started,
        alike=alike,
    )


def direction(gallery: Gallery, uploads: Uploads, link: Link) -> np.ndarray:
    """The query's direction: `(d,)` float32, unit length.

    The query itself weighs 1 beside the examples that results should be like.

    Raises:
        GalleryError: the gallery knows no such photo.
        PhotoError: the upload expired, or a photo's part cannot be read from the disk.
        ConfigError: the examples cancel out.
    """
    pulls = [(gallery.embedding(e.photo), e.weight) for e in link.likes]
    pushes = [(gallery.embedding(e.photo), e.weight) for e in link.unlikes]
    if link.photo is not None or link.upload is not None:
        pulls.insert(0, (_embedding(gallery, uploads, link), 1.0))
    return examples.direction(pulls, pushes)


def sample(gallery: Gallery, count: int) -> tuple[Hit, ...]:
    """Some photos of the gallery, spread over what it holds; the same ones until it changes."""
    draws = np.random.default_rng(gallery.generation)
    found = {}
    for _ in range(2 * count):
        towards = draws.standard_normal(gallery.encoder.dim, dtype=np.float32)
        for hit in gallery.search(towards / np.linalg.norm(towards), k=1):
            found[hit.id] = hit
    return tuple(found.values())[:count]


def _scores(
    gallery: Gallery, query: np.ndarray, among: np.ndarray | None, exclude: frozenset[int]
) -> np.ndarray:
    """The scores of all candidates, `(m,)` float32, in the order of their ids."""
    ids, rows = gallery.embeddings()
    candidates = ~np.isin(ids, list(exclude))
    if among is not None:
        candidates &= np.isin(ids, among)
    return np.asarray((rows @ query)[candidates])


def _best_score(
    gallery: Gallery, query: np.ndarray, among: np.ndarray | None, exclude: frozenset[int]
) -> float | None:
    found = gallery.search(query, k=1, exclude=exclude, among=among)
    return found[0].score if found else None


def _hits(
    gallery: Gallery,
    query: np.ndarray,
    link: Link,
    among: np.ndarray | None,
    exclude: frozenset[int],
) -> tuple[tuple[Hit, ...], dict[int, int]]:
    """The best hits, and by hit the number of near-duplicates it stands for."""
    wanted = link.results * (ALIKE_LOOK_AHEAD if link.one_of_alike else 1)
    while True:
        found = gallery.search(
            query, k=wanted, min_score=link.min_score, exclude=exclude, among=among
        )
        if not link.one_of_alike:
            return tuple(found), {}
        kept, alike = _one_of_alike(gallery, found)
        if len(kept) >= link.results or len(found) < wanted:
            shown = tuple(kept[: link.results])
            return shown, {hit.id: alike[hit.id] for hit in shown if alike[hit.id]}
        wanted *= ALIKE_LOOK_AHEAD


def _one_of_alike(gallery: Gallery, found: list[Hit]) -> tuple[list[Hit], dict[int, int]]:
    """The best hit of each group of near-duplicates, and how many others its group has."""
    if not found:
        return [], {}
    ids, rows = gallery.embeddings()
    groups = near_groups(rows[np.searchsorted(ids, [hit.id for hit in found])])
    _, first, sizes = np.unique(groups, return_index=True, return_counts=True)
    order = np.argsort(first)
    kept = [found[first[group]] for group in order]
    return kept, {hit.id: int(sizes[group]) - 1 for hit, group in zip(kept, order, strict=True)}


def _embedding(gallery: Gallery, uploads: Uploads, link: Link) -> np.ndarray:
    """The embedding of a link's photo or upload, or of its part: `(d,)` float32, unit length."""
    if link.photo is not None and link.crop is None:
        return gallery.embedding(link.photo)
    at_least = _enough(gallery.encoder.spec.preprocessing.at_least, link.crop)
    if link.photo is not None:
        image = gallery.read(link.photo, at_least=at_least).image
    else:
        kept = uploads.read(link.upload or "")
        if kept is None:
            raise PhotoError(
                "The image of this search is no longer kept.",
                hint="Uploads make room for newer ones, and can be cleared. Add the image again.",
            )
        image = decode(kept, at_least=at_least).image
    return gallery.encoder.embed_image(image if link.crop is None else cropped(image, link.crop))


def cropped(image: Image.Image, crop: Crop) -> Image.Image:
    """A part of an image, at least one pixel of it."""
    left, top, right, bottom = crop.fractions()
    x, y = int(left * image.width), int(top * image.height)
    return image.crop(
        (x, y, max(x + 1, ceil(right * image.width)), max(y + 1, ceil(bottom * image.height)))
    )


def _enough(at_least: int, crop: Crop | None) -> int:
    """The shorter side to decode, so that the part alone has `at_least` pixels where it can."""
    if crop is None:
        return at_least
    left, top, right, bottom = crop.fractions()
    return ceil(at_least / min(right - left, bottom - top))
