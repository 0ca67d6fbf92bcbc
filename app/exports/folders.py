"""A new folder for an export: filled beside its place and renamed, or not there at all."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from indexer.wording import shown
from training.errors import LabelError


@contextmanager
def new_folder(destination: Path, *, photo_root: Path) -> Iterator[Path]:
    """Give an empty folder to fill; it becomes `destination` at the end, or goes on an error.

    Raises:
        LabelError: there is something at `destination`, or it would lie among the originals:
            nothing is ever written over, nor beside them.
    """
    if destination.resolve().is_relative_to(photo_root.resolve()):
        raise LabelError(
            f"{shown(destination)} lies among the photos of the gallery",
            hint="name a folder outside of it with -o",
        )
    if destination.exists() or destination.is_symlink():
        raise LabelError(
            f"{shown(destination)} is there already, and an export never writes into a folder "
            "that exists",
            hint="name a new folder with -o",
        )
    parent = destination.absolute().parent
    parent.mkdir(parents=True, exist_ok=True)
    filling = Path(tempfile.mkdtemp(prefix=f".{destination.name}.", dir=parent))
    try:
        filling.chmod(0o755)
        yield filling
        filling.rename(destination)
    except BaseException:
        shutil.rmtree(filling, ignore_errors=True)
        raise
