"""Some of a folder's photos, drawn at random, as an encoder sees them."""

import os
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np

from indexer.providers import cores
from indexer.wording import shown
from training.errors import CollectionError, PhotoError
from training.photos import FoundFile, read_photo, walk
from training.spec import Preprocessing


def sample_photos(
    root: Path, preprocessing: Preprocessing, *, most: int, seed: int = 0
) -> np.ndarray:
    """Prepared photos `(n, S, S, 3)` uint8, n from 1 to `most`, the same ones each time.

    Each is decoded in a process of its own, for nobody has looked at these files yet.

    Raises:
        CollectionError: the folder is missing, or none of its files is a usable photo.
    """
    files = [item.path for item in walk(root) if isinstance(item, FoundFile)]
    random.Random(seed).shuffle(files)

    def prepared(path: bytes) -> np.ndarray | None:
        try:
            file = root / os.fsdecode(path)
            photo = read_photo(file, at_least=preprocessing.at_least, isolated=True)
        except PhotoError:
            return None  # the build tells why
        return preprocessing.prepare(photo.image)

    found: list[np.ndarray] = []
    waiting: Iterator[bytes] = iter(files)
    with ThreadPoolExecutor(cores()) as pool:
        while len(found) < most and (some := list(islice(waiting, most - len(found)))):
            found += [pixels for pixels in pool.map(prepared, some) if pixels is not None]
    if not found:
        raise CollectionError(
            f"none of the {len(files):,} files in {shown(root)} is a usable photo",
            hint="a precision is measured on photos; a build without --precision lists the reasons",
        )
    return np.stack(found)
