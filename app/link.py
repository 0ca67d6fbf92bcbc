"""The link that names a search: what the address bar holds, read and written."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import isfinite

from app.narrowing import ANY, Narrowing

RESULT_CHOICES = (24, 60, 120)
DEFAULT_RESULTS = 60
MAX_RESULTS = 500

# More examples than anyone sets by hand; a link stays below what browsers take.
MAX_EXAMPLES = 40

# A weight outside of these is a slip.
WEIGHT_BOUNDS = (0.05, 20.0)

# A smaller part of a photo holds nothing that could be searched for.
SMALLEST_CROP = 0.02

# A SQLite id has 63 bits; a longer number in a link is no id.
_ID = re.compile(r"[0-9]{1,18}")
_UPLOAD = re.compile(r"[0-9a-f]{64}")
_CROP = re.compile(r"([0-9]{1,4})-([0-9]{1,4})-([0-9]{1,4})-([0-9]{1,4})")
_EXAMPLE = re.compile(r"([0-9]{1,18})(?:x([0-9]{1,2}(?:\.[0-9]{1,3})?))?")


@dataclass(frozen=True, slots=True)
class Crop:
    """A part of a photo: its edges in thousandths of the upright photo's width and height."""

    left: int
    top: int
    right: int
    bottom: int

    @classmethod
    def from_fractions(cls, left: float, top: float, right: float, bottom: float) -> "Crop | None":
        """A region from fractions in [0, 1]; None where it is all of the photo, or next to nothing.

        Sides may come in either order.
        """
        if not all(map(isfinite, (left, top, right, bottom))):
            return None
        x = sorted(round(1000 * min(1, max(0, value))) for value in (left, right))
        y = sorted(round(1000 * min(1, max(0, value))) for value in (top, bottom))
        made = cls(x[0], y[0], x[1], y[1])
        least = 1000 * SMALLEST_CROP
        if made == cls(0, 0, 1000, 1000) or min(x[1] - x[0], y[1] - y[0]) < least:
            return None
        return made

    def text(self) -> str:
        """As a link has it: `250-100-750-600`."""
        return f"{self.left}-{self.top}-{self.right}-{self.bottom}"

    def fractions(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom as fractions of the sides."""
        return self.left / 1000, self.top / 1000, self.right / 1000, self.bottom / 1000


@dataclass(frozen=True, slots=True)
class Example:
    """A photo of the gallery that results should be like, or unlike."""

    photo: int
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Link:
    """A search as the address bar holds it.

    `?q=<id>` or `?u=<upload>`, `&crop=` thousandths, `&like=` and `&unlike=` ids with weights
    (`7_9x2`), `&k=`, `&min=`, `&alike=one`, and `Narrowing`'s. Without a photo, an upload and
    examples it is the start page. `problems` tells, in words, what could not be understood; the
    rest of it counts all the same.
    """

    photo: int | None = None
    upload: str | None = None
    crop: Crop | None = None  # of the photo or the upload
    likes: tuple[Example, ...] = ()
    unlikes: tuple[Example, ...] = ()
    results: int = DEFAULT_RESULTS
    min_score: float | None = None  # a cosine in (0, 1]; None: no minimum
    one_of_alike: bool = False  # near-duplicates are shown as one
    narrowing: Narrowing = ANY
    problems: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def parse(cls, params: Mapping[str, str]) -> "Link":
        """Read a link's parameters; what is unreadable becomes a problem, never an error."""
        problems: list[str] = []
        photo = _parsed_photo(params.get("q", ""), problems)
        upload = None if photo is not None else _parsed_upload(params.get("u", ""), problems)
        likes = _parsed_examples("like", params, problems)
        liked = {example.photo for example in likes}
        unlikes = _parsed_examples("unlike", params, problems)
        return cls(
            photo,
            upload,
            crop=_parsed_crop(params.get("crop", ""), problems),
            likes=likes,
            unlikes=tuple(example for example in unlikes if example.photo not in liked),
            results=_parsed_results(params.get("k", ""), problems),
            min_score=_parsed_min_score(params.get("min", ""), problems),
            one_of_alike=params.get("alike") == "one",
            narrowing=Narrowing.parse(params, problems),
            problems=tuple(problems),
        )

    def params(self) -> dict[str, str]:
        """The parameters that `parse` reads back; defaults are left out."""
        found = {
            "q": None if self.photo is None else str(self.photo),
            "u": self.upload,
            "crop": self.crop and self.crop.text(),
            "like": "_".join(map(_written, self.likes)),
            "unlike": "_".join(map(_written, self.unlikes)),
            "k": None if self.results == DEFAULT_RESULTS else str(self.results),
            "min": None if self.min_score is None else f"{self.min_score:g}",
            "alike": "one" if self.one_of_alike else None,
            **self.narrowing.params(),
        }
        return {name: value for name, value in found.items() if value}

    @property
    def is_start(self) -> bool:
        """Whether nothing is looked up."""
        return self.photo is None and self.upload is None and not self.likes and not self.unlikes

    def for_photo(self, photo_id: int) -> "Link":
        """The same settings, looking up a photo of the gallery."""
        return replace(self.for_start(), photo=photo_id)

    def for_upload(self, key: str) -> "Link":
        """The same settings, looking up an upload."""
        return replace(self.for_start(), upload=key)

    def for_start(self) -> "Link":
        """The same settings, looking up nothing."""
        return replace(self, photo=None, upload=None, crop=None, likes=(), unlikes=(), problems=())

    def with_settings(
        self, *, results: int, min_score: float | None, one_of_alike: bool | None = None
    ) -> "Link":
        """The same query with other settings; None keeps how near-duplicates are shown."""
        return replace(
            self,
            results=results,
            min_score=min_score,
            one_of_alike=self.one_of_alike if one_of_alike is None else one_of_alike,
            problems=(),
        )

    def with_narrowing(self, narrowing: Narrowing) -> "Link":
        """The same search among other photos."""
        return replace(self, narrowing=narrowing, problems=())

    def with_crop(self, crop: Crop | None) -> "Link":
        """The same search for a part of the photo or upload, or for all of it."""
        return replace(self, crop=crop, problems=())

    def with_example(self, photo_id: int, *, liked: bool, weight: float = 1.0) -> "Link":
        """With one photo more in the basket, or with another weight; it leaves the other side."""
        example = Example(photo_id, weight)
        added = _with(self.likes if liked else self.unlikes, example)
        bare = self.without_example(photo_id)
        return replace(bare, likes=added) if liked else replace(bare, unlikes=added)

    def without_example(self, photo_id: int) -> "Link":
        """With one photo less in the basket."""
        return replace(
            self,
            likes=tuple(e for e in self.likes if e.photo != photo_id),
            unlikes=tuple(e for e in self.unlikes if e.photo != photo_id),
            problems=(),
        )


def _with(examples: tuple[Example, ...], example: Example) -> tuple[Example, ...]:
    """With an example in its own place, or at the end; a full basket loses its oldest."""
    if any(e.photo == example.photo for e in examples):
        return tuple(example if e.photo == example.photo else e for e in examples)
    return (*examples, example)[-MAX_EXAMPLES:]


def _written(example: Example) -> str:
    return f"{example.photo}" if example.weight == 1 else f"{example.photo}x{example.weight:g}"


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


def _parsed_crop(text: str, problems: list[str]) -> Crop | None:
    found = _CROP.fullmatch(text)
    if found:
        crop = Crop.from_fractions(*(int(edge) / 1000 for edge in found.groups()))
        if crop is not None:
            return crop
    if text:
        problems.append(
            "“crop” should be the part's left, top, right and bottom edge in thousandths, "
            "as in 250-100-750-600."
        )
    return None


def _parsed_examples(
    name: str, params: Mapping[str, str], problems: list[str]
) -> tuple[Example, ...]:
    text = params.get(name, "")
    found: dict[int, Example] = {}
    for part in text.split("_") if text else ():
        match = _EXAMPLE.fullmatch(part)
        weight = float(match[2] or 1) if match else 0.0
        if match and WEIGHT_BOUNDS[0] <= weight <= WEIGHT_BOUNDS[1]:
            found[int(match[1])] = Example(int(match[1]), weight)
        elif not problems or not problems[-1].startswith(f"“{name}”"):
            problems.append(f"“{name}” should be photos' numbers with weights, as in 7_9x2.")
    if len(found) > MAX_EXAMPLES:
        problems.append(f"“{name}” can name {MAX_EXAMPLES} photos; the first ones count.")
    return tuple(found.values())[:MAX_EXAMPLES]


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
        score = float("nan")
    if not 0 <= score <= 1:  # false for NaN as well
        problems.append("“min” should be a score from 0 to 1.")
        return None
    return round(score, 2) or None
