"""Which photos a run learns from: remembered when it begins, compared when it goes on."""

import csv
import os
from pathlib import Path

from training.errors import RunError
from training.runs import PHOTOS_FILE, RunFolder

_COLUMNS = ("path", "size_bytes")


def same_collection(run: RunFolder, root: Path, paths: tuple[bytes, ...]) -> None:
    """Remember the photos of a run that begins; refuse to go on with others.

    A photo is taken for the same while its path and its size in bytes are: times change when a
    folder is copied.

    Raises:
        RunError: photos came, went or changed since.
    """
    now = {os.fsdecode(path): _size(root / os.fsdecode(path)) for path in paths}
    remembered = run.path / PHOTOS_FILE
    if not remembered.is_file():
        run.write_csv(PHOTOS_FILE, _COLUMNS, ((name, str(size)) for name, size in now.items()))
        return
    before = _read(remembered)
    came, went = sorted(now.keys() - before.keys()), sorted(before.keys() - now.keys())
    changed = [name for name in now if name in before and before[name] != now[name]]
    found = {"came": came, "went": went, "changed": changed}
    if any(found.values()):
        counts = ", ".join(f"{len(names):,} {what}" for what, names in found.items() if names)
        first = next(names[0] for names in found.values() if names)
        raise RunError(
            f"the photo folder changed since this run began with {len(before):,} photos: "
            f"{counts}; the first: {first}",
            hint="bring the photos back, or start a new run with -o",
        )


def _read(file: Path) -> dict[str, int]:
    text = file.read_bytes().decode("utf-8", "surrogateescape")
    try:
        rows = list(csv.reader(text.splitlines(keepends=True)))[1:]
        return {path: int(size) for path, size in rows}
    except (ValueError, csv.Error):
        raise RunError(
            f"{file} is damaged", hint="start the run anew in another folder with -o"
        ) from None


def _size(path: Path) -> int:
    """Bytes of a file; -1 where it has vanished since it was found."""
    try:
        return path.stat().st_size
    except OSError:
        return -1
