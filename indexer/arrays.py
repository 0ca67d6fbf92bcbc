"""Arrays in a file of ours that is a cache: read whole, or not at all."""

import io
import zipfile
from pathlib import Path

import numpy as np

from training.files import atomic_write


def read_arrays(path: Path) -> dict[str, np.ndarray] | None:
    """All arrays of an `.npz`; None where it is missing, or damaged: each carries a checksum."""
    try:
        # Opened here: given a name, numpy leaves a damaged file open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            return {name: kept[name] for name in kept.files}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def write_arrays(path: Path, **arrays: object) -> None:
    """Keep arrays, numbers and words in an `.npz`, in place of what was there.

    Raises:
        OSError: the file cannot be written; what was there stays.
    """
    data = io.BytesIO()
    np.savez(data, allow_pickle=False, **{name: np.asarray(a) for name, a in arrays.items()})
    atomic_write(path, data.getvalue())
