"""A folder of labelled photos to judge encoders by: each class folder is a class."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.cache import PhotoSet
from training.errors import CollectionError

# Both sides of the split need two of every class: one is no majority and has no neighbour.
PHOTOS_PER_CLASS_MIN = 4
TEST_SHARE = 0.3


@dataclass(frozen=True, eq=False)
class Labelled:
    """Photos that lie in class folders, by index into the `PhotoSet` they came from."""

    chosen: np.ndarray  # (n,) int64
    codes: np.ndarray  # (n,) int64, the class of each
    names: tuple[str, ...]  # of the classes
    loose: int  # photos in no class folder: not used

    def __len__(self) -> int:
        return len(self.codes)


def label_by_folder(root: Path, photos: PhotoSet) -> Labelled:
    """The classes of a photo set: the folder that a photo lies in is its class.

    Raises:
        CollectionError: fewer than two classes, or one with fewer than four photos.
    """
    folders = [path.rpartition(b"/")[0] for path in photos.paths]
    chosen = np.array([i for i, folder in enumerate(folders) if folder], np.int64)
    names = sorted({folders[i] for i in chosen})
    if len(names) < 2:
        found = f"only the class {os.fsdecode(names[0])!r}" if names else "no class folders"
        raise CollectionError(
            f"{root} holds {found}, expected at least two folders, each with the photos of a class",
            hint="put the photos of every class into a folder of its own, as labelled/cat/1.jpg",
        )
    code_of = {name: code for code, name in enumerate(names)}
    codes = np.array([code_of[folders[i]] for i in chosen], np.int64)
    counts = np.bincount(codes)
    if counts.min() < PHOTOS_PER_CLASS_MIN:
        few = ", ".join(
            f"{os.fsdecode(names[code])!r} has {counts[code]}"
            for code in np.flatnonzero(counts < PHOTOS_PER_CLASS_MIN)
        )
        raise CollectionError(
            f"too few photos to judge by in {root}: {few}, expected at least "
            f"{PHOTOS_PER_CLASS_MIN} a class",
            hint="add photos to these classes, or move their folders away",
        )
    named = tuple(os.fsdecode(name) for name in names)
    return Labelled(chosen, codes, named, len(photos) - len(chosen))


def stratified_split(codes: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices to train on and to test by, sorted int64: of every class 30 %, but two at least.

    `codes` is `(n,)` int64 with at least four of every class.
    """
    draws = np.random.default_rng(seed)
    test: list[int] = []
    for code in np.unique(codes):
        members = draws.permutation(np.flatnonzero(codes == code))
        test += members[: max(2, round(TEST_SHARE * len(members)))].tolist()
    held = np.zeros(len(codes), bool)
    held[test] = True
    return np.flatnonzero(~held), np.flatnonzero(held)
