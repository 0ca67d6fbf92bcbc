"""What is looked up: the link that names a search, and its answer."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from app.uploads import Uploads
from indexer.gallery import Gallery, Hit
from training.errors import PhotoError
from training.photos import decode

RESULT_CHOICES = (24, 60, 120)
DEFAULT_RESULTS = 60
MAX_RESULTS = 500

# A SQLite id has 63 bits; a longer number in a link is no id.
_ID = re.compile(r"[0-9]{1,18}")
_UPLOAD = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Link:
    """A search as the address bar holds it; `?q=<id>` or `?u=<upload>`, `&k=`, `&min=`.

    Without a photo and an upload it is the start page. `problems` tells, in words, what in the
    link could not be understood; the rest of it counts all the same.
    """

    photo: int | None = None
    upload: str | None = None
    results: int = DEFAULT_RESULTS
    min_score: float | None = None  # a cosine in (0, 1]; None: no minimum
    problems: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def parse(cls, params: Mapping[str, str]) -> "Link":
        """Read a link's parameters; what is unreadable becomes a problem, never an error."""
        problems: list[str] = []
        photo = _parsed_photo(params.get("q", ""), problems)
        upload = None if photo is not None else _parsed_upload(params.get("u", ""), problems)
        return cls(
            photo,
            upload,
            results=_parsed_results(params.get("k", ""), problems),
            min_score=_parsed_min_score(params.get("min", ""), problems),
            problems=tuple(problems),
        )

    def params(self) -> dict[str, str]:
        """The parameters that `parse` reads back; defaults are left out."""
        params = {}
        if self.photo is not None:
            params["q"] = str(self.photo)
        if self.upload is not None:
            params["u"] = self.upload
        if self.results != DEFAULT_RESULTS:
            params["k"] = str(self.results)
        if self.min_score is not None:
            params["min"] = f"{self.min_score:g}"
        return params

    @property
    def is_start(self) -> bool:
        """Whether nothing is looked up."""
        return self.photo is None and self.upload is None

    def for_photo(self, photo_id: int) -> "Link":
        """The same search settings, looking up a photo of the gallery."""
        return replace(self, photo=photo_id, upload=None, problems=())

    def for_upload(self, key: str) -> "Link":
        """The same search settings, looking up an upload."""
        return replace(self, photo=None, upload=key, problems=())

    def with_settings(self, *, results: int, min_score: float | None) -> "Link":
        """The same query with other settings."""
        return replace(self, results=results, min_score=min_score, problems=())

    def for_start(self) -> "Link":
        """The same search settings, looking up nothing."""
        return replace(self, photo=None, upload=None, problems=())


@dataclass(frozen=True, slots=True)
class Answer:
    """The hits of a search, best first, and how it went."""

    hits: tuple[Hit, ...]
    best_score: float | None  # before the minimum was applied; None where the gallery has no other
    seconds: float  # embedding included


def answer(gallery: Gallery, uploads: Uploads, link: Link) -> Answer:
    """Look up what a link names.

    A photo of the gallery is not among its own hits; an upload's exact match is.

    Raises:
        GalleryError: the gallery knows no such photo.
        PhotoError: the upload expired.
    """
    started = time.perf_counter()
    exclude = frozenset() if link.photo is None else frozenset({link.photo})
    found = gallery.search(_embedding(gallery, uploads, link), k=link.results, exclude=exclude)
    low = -np.inf if link.min_score is None else link.min_score
    return Answer(
        hits=tuple(hit for hit in found if hit.score >= low),
        best_score=found[0].score if found else None,
        seconds=time.perf_counter() - started,
    )


def sample(gallery: Gallery, count: int) -> tuple[Hit, ...]:
    """Some photos of the gallery, spread over what it holds; the same ones until it changes."""
    draws = np.random.default_rng(gallery.generation)
    found = {}
    for _ in range(2 * count):
        direction = draws.standard_normal(gallery.encoder.dim, dtype=np.float32)
        for hit in gallery.search(direction / np.linalg.norm(direction), k=1):
            found[hit.id] = hit
    return tuple(found.values())[:count]


def _embedding(gallery: Gallery, uploads: Uploads, link: Link) -> np.ndarray:
    """The embedding of what a link names: `(d,)` float32, unit length."""
    if link.photo is not None:
        return gallery.embedding(link.photo)
    kept = uploads.read(link.upload or "")
    if kept is None:
        raise PhotoError(
            "The image of this search is no longer kept.",
            hint="Uploads make room for newer ones, and can be cleared. Add the image again.",
        )
    at_least = gallery.encoder.spec.preprocessing.at_least
    return gallery.encoder.embed_image(decode(kept, at_least=at_least).image)


def _parsed_photo(text: str, problems: list[str]) -> int | None:
    if _ID.fullmatch(text):
        return int(text)
    if text:
        problems.append("The link names no photo: “q” should be a photo's number.")
    return None


def _parsed_upload(text: str, problems: list[str]) -> str | None:
    if _UPLOAD.fullmatch(text):
        return text
    if text:
        problems.append("The link names no upload: “u” should be 64 letters and digits.")
    return None


def _parsed_results(text: str, problems: list[str]) -> int:
    if not text:
        return DEFAULT_RESULTS
    if text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MAX_RESULTS:
        return int(text)
    problems.append(f"“k” should be a number of results from 1 to {MAX_RESULTS}.")
    return DEFAULT_RESULTS


def _parsed_min_score(text: str, problems: list[str]) -> float | None:
    if not text:
        return None
    try:
        score = float(text)
    except ValueError:
        score = np.nan
    if not 0 <= score <= 1:  # false for NaN as well
        problems.append("“min” should be a score from 0 to 1.")
        return None
    return round(score, 2) or None
