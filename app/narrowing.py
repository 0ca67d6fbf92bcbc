"""Which photos a search may find at all: by folder, by date, by label."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from indexer.filters import Filter
from indexer.gallery import Gallery
from indexer.labels import Labels
from training.console import readable
from training.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Narrowing:
    """What photos must be, all of it; what is None or False does not narrow."""

    folder: str | None = None  # below the photo root, as people read it
    since: date | None = None  # taken on this day or later
    until: date | None = None  # taken on this day or earlier
    label: str | None = None
    unlabelled: bool = False

    @property
    def count(self) -> int:
        """How many conditions there are."""
        given = (self.folder, self.since, self.until, self.label)
        return sum(value is not None for value in given) + self.unlabelled

    @classmethod
    def parse(cls, params: Mapping[str, str], problems: list[str]) -> "Narrowing":
        """Read a link's parameters; what is unreadable becomes a problem."""
        return cls(
            folder=params.get("in") or None,
            since=_parsed_day("since", params, problems),
            until=_parsed_day("until", params, problems),
            label=params.get("label") or None,
            unlabelled=params.get("unlabelled") == "1",
        )

    def params(self) -> dict[str, str | None]:
        """The parameters that `parse` reads back; None where there is none."""
        return {
            "in": self.folder,
            "since": _written(self.since),
            "until": _written(self.until),
            "label": self.label,
            "unlabelled": "1" if self.unlabelled else None,
        }


# A search among all photos.
ANY = Narrowing()


def narrowed(
    gallery: Gallery, labels: Labels, folders: Mapping[str, bytes], narrowing: Narrowing
) -> np.ndarray | None:
    """The ids `(m,)` int64, ascending, of the photos that may be found; None is all.

    Args:
        gallery: the photos.
        labels: their labels.
        folders: the gallery's folders by how people read them, as `folders_of` gives them.
        narrowing: what photos must be.

    Raises:
        ConfigError: it names a folder that holds no photo of the gallery.
    """
    if narrowing.count == 0:
        return None
    ids = gallery.select(
        Filter(
            folder=_folder(folders, narrowing.folder),
            taken_from=_written(narrowing.since),
            # The filter's end is exclusive.
            taken_to=_written(narrowing.until and narrowing.until + timedelta(days=1)),
        )
    )
    if narrowing.label is None and not narrowing.unlabelled:
        return ids
    current = labels.current()
    if narrowing.unlabelled:
        return np.setdiff1d(ids, np.array(list(current), dtype=np.int64))
    named = [photo_id for photo_id, label in current.items() if label.name == narrowing.label]
    return np.intersect1d(ids, np.array(named, dtype=np.int64))


def folders_of(paths: Iterable[bytes]) -> dict[str, bytes]:
    """The folders above paths, in the order of their names, by how people read them."""
    found: set[bytes] = set()
    for path in paths:
        folder = os.path.dirname(path)  # noqa: PTH120 - paths are bytes
        while folder and folder not in found:
            found.add(folder)
            folder = os.path.dirname(folder)  # noqa: PTH120
    return {readable(folder): folder for folder in sorted(found)}


def _folder(folders: Mapping[str, bytes], name: str | None) -> bytes | None:
    if name is None:
        return None
    if name not in folders:
        raise ConfigError(
            f"no photo of the gallery is in a folder {readable(name)}",
            hint="choose another under Filters",
        )
    return folders[name]


def _written(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _parsed_day(name: str, params: Mapping[str, str], problems: list[str]) -> date | None:
    text = params.get(name, "")
    try:
        day = date.fromisoformat(text) if text else None
        # One day later must be a day as well.
        return None if day == date.max else day
    except ValueError:
        problems.append(f"“{name}” should be a day, as in 2024-06-30.")
        return None
