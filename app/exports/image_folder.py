"""Labels as an ImageFolder: a folder a class, in it its photos as links or as copies."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from app.exports.folders import new_folder
from app.exports.labelled import LabelledPhoto, classes_in
from app.exports.location import location_free
from training.errors import PhotoError
from training.photos import SkippedFile, read_file

# What no common file system has in a name, and what would lead out of the folder.
_FORBIDDEN = '/\\:*?"<>|\0'


@dataclass(frozen=True, slots=True)
class FolderReport:
    """What an export to folders wrote, and what it could not."""

    written: int
    skipped: tuple[SkippedFile, ...]  # with their reasons


@dataclass(frozen=True, slots=True)
class HowToCopy:
    """Links or copies."""

    copy: bool = False  # False: symbolic links to the originals
    keep_location: bool = False  # whether copies keep the GPS position that a photo may carry


def write_image_folder(
    photos: Sequence[LabelledPhoto], photo_root: Path, destination: Path, how: HowToCopy
) -> FolderReport:
    """Write `class/photo.jpg` for every labelled photo; exact copies are written once.

    A photo whose original has changed since it was labelled is skipped: its label speaks of what
    it was.

    Raises:
        LabelError: `destination` exists, or lies among the photos.
    """
    folders = folder_names(classes_in(photos))
    taken: set[tuple[str, str]] = set()
    skipped: list[SkippedFile] = []
    with new_folder(destination, photo_root=photo_root) as root:
        for name in folders.values():
            (root / name).mkdir()
        for labelled in photos:
            folder = folders[labelled.label.name]
            file = root / folder / _free_name(labelled, folder, taken)
            try:
                _place(labelled, photo_root, file, how)
            except PhotoError as error:
                skipped.append(SkippedFile(labelled.photo.path, error.message))
    return FolderReport(len(photos) - len(skipped), tuple(skipped))


def folder_names(classes: Sequence[str]) -> dict[str, str]:
    """A folder's name for every class: possible, and distinct even where case does not count."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for name in classes:
        base = "".join("_" if c in _FORBIDDEN else c for c in name).strip(". ") or "_"
        free, number = base, 1
        while free.casefold() in taken:
            number += 1
            free = f"{base}-{number}"
        taken.add(free.casefold())
        names[name] = free
    return names


def _free_name(labelled: LabelledPhoto, folder: str, taken: set[tuple[str, str]]) -> str:
    """The photo's own name; where another has it, with the beginning of the photo's hash."""
    own = PurePosixPath(os.fsdecode(labelled.photo.path))
    name, length = own.name, 8
    while (folder, name.casefold()) in taken:
        name = f"{own.stem}~{labelled.photo.content_hash[:length]}{own.suffix}"
        length += 8
    taken.add((folder, name.casefold()))
    return name


def _place(labelled: LabelledPhoto, photo_root: Path, file: Path, how: HowToCopy) -> None:
    original, data = _original(labelled, photo_root)
    if not how.copy:
        file.symlink_to(original)
    elif how.keep_location:
        file.write_bytes(data)
    else:
        file.write_bytes(location_free(data))


def _original(labelled: LabelledPhoto, photo_root: Path) -> tuple[Path, bytes]:
    """The first path that still holds this photo, absolute, and its bytes.

    Raises:
        PhotoError: none does.
    """
    reason = ""
    for path in labelled.paths:
        file = photo_root.resolve() / path
        try:
            data = read_file(file)
        except PhotoError as error:
            reason = error.message
            continue
        if hashlib.sha256(data).hexdigest() == labelled.photo.content_hash:
            return file, data
        reason = "the file has changed since the gallery was built"
    raise PhotoError(reason, hint="run `ssl-index build` again")
