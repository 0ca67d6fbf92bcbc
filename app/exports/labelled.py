"""What every export of labels begins with: the labelled photos, by path."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from indexer.labels import Label, Labels
from indexer.records import PhotoFacts
from indexer.selection import facts_of


@dataclass(frozen=True, slots=True)
class LabelledPhoto:
    """A photo with its label."""

    photo: PhotoFacts
    label: Label

    @property
    def paths(self) -> tuple[str, ...]:
        """Its path and those of its copies, relative to the photo root."""
        return tuple(os.fsdecode(path) for path in (self.photo.path, *self.photo.other_paths))


def labelled_photos(catalogue: Path) -> tuple[LabelledPhoto, ...]:
    """The labelled photos in a gallery's catalogue, in the order of their paths' bytes."""
    current = Labels(catalogue).current()
    found = facts_of(catalogue, current)
    photos = [LabelledPhoto(found[i], label) for i, label in current.items() if i in found]
    return tuple(sorted(photos, key=lambda labelled: labelled.photo.path))


def classes_in(photos: Iterable[LabelledPhoto]) -> tuple[str, ...]:
    """The classes that these photos have, by name."""
    return tuple(sorted({labelled.label.name for labelled in photos}))
