"""Folders of photos for the benchmarks to work on."""

import os
from pathlib import Path

from training.photos import FoundFile, walk


def linked(photos: Path, folder: Path, *, most: int) -> Path:
    """A new folder with links to the first photos of another one."""
    folder.mkdir()
    files = [item for item in walk(photos) if isinstance(item, FoundFile)][:most]
    for number, file in enumerate(files):
        (folder / f"{number:07d}").symlink_to((photos / os.fsdecode(file.path)).resolve())
    return folder
