"""Arrays in a file of ours that is a cache: read whole, or not at all."""

import zipfile
from pathlib import Path

import numpy as np


def read_arrays(path: Path) -> dict[str, np.ndarray] | None:
    """All arrays of an `.npz`; None where it is missing, or damaged: each carries a checksum."""
    try:
        # Opened here: given a name, numpy leaves a damaged file open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            return {name: kept[name] for name in kept.files}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
