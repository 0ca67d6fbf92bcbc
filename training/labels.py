"""Labels to learn from: class folders, or a CSV with one photo and its label a line."""

import csv
import os
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.cells import plain_text, read_table
from training.errors import ConfigError, RunError

UNLABELLED = -1

# Names of the columns, as `ssl-label export` writes them.
PATH_COLUMN, LABEL_COLUMN = "path", "label"


@dataclass(frozen=True, eq=False)
class PhotoLabels:
    """The labels of a collection's photos."""

    names: tuple[str, ...]  # of the classes, sorted
    codes: np.ndarray  # (n,) int64 index into names, UNLABELLED where a photo has none
    problems: tuple[str, ...] = ()  # what could not be used, one sentence each

    @property
    def count(self) -> int:
        """How many photos have a label."""
        return int((self.codes >= 0).sum())


def folder_classes(paths: tuple[bytes, ...]) -> PhotoLabels:
    """The folder of each photo as its class; photos outside any folder have none."""
    return _coded({i: os.fsdecode(posixpath.dirname(path)) for i, path in enumerate(paths)}, paths)


def read_labels(file: Path, paths: tuple[bytes, ...]) -> PhotoLabels:
    """The labels that a CSV gives to photos, by their path relative to the photo folder.

    The first line may name the columns: then `path` and `label` are read and others ignored.
    Otherwise a line is a path and a label. Lines that cannot be used are told as problems.

    Raises:
        ConfigError: the file cannot be read, is no CSV, or labels no photo at all.
    """
    places = {path: index for index, path in enumerate(paths)}
    found: dict[int, str] = {}
    problems: list[str] = []
    for line, path, label in _rows(file, problems):
        index = places.get(os.fsencode(posixpath.normpath(path)))
        if index is None:
            problems.append(f"line {line}: there is no usable photo {path}")
        elif found.get(index, label) != label:
            problems.append(f"line {line}: {path} is {found[index]} already, {label} is ignored")
        elif label:
            found[index] = label
        else:
            problems.append(f"line {line}: {path} has no label")
    if not found:
        first = f"; {problems[0]}" if problems else ""
        raise ConfigError(
            f"{file} labels none of the {len(paths):,} photos{first}",
            hint="write one `path,label` a line, paths relative to the photo folder",
        )
    return _coded(found, paths, problems)


def read_kept_labels(file: Path, paths: tuple[bytes, ...]) -> PhotoLabels:
    """The labels that a run began with, from its own list: names are taken to the letter.

    `read_labels` forgives what people type and would change a folder's name that ends with a
    space or begins as `'=`.

    Raises:
        RunError: the list is damaged.
    """
    places = {path: index for index, path in enumerate(paths)}
    try:
        rows = read_table(file.read_bytes())[1:]
        found = {places[os.fsencode(path)]: label for _, (path, label) in rows}
    except (KeyError, ValueError, csv.Error):
        raise RunError(
            f"{file} is damaged", hint="start the run anew in another folder with -o"
        ) from None
    return _coded(found, paths)


def check_teachable(labels: PhotoLabels) -> None:
    """See whether labels can teach anything.

    Raises:
        ConfigError: no two photos share a label, or all photos do.
    """
    used = labels.codes[labels.codes >= 0]
    counts = np.bincount(used) if len(used) else np.zeros(1, np.int64)
    hint = "put photos into class folders, or give --labels FILE; --method byol needs no labels"
    if counts.max() < 2:
        raise ConfigError("--method supcon: no two photos share a label", hint=hint)
    if counts.max() == len(labels.codes):
        raise ConfigError(
            f"--method supcon: all photos have the one label {labels.names[used[0]]}", hint=hint
        )


def _rows(file: Path, problems: list[str]) -> Iterator[tuple[int, str, str]]:
    """Line number, path and label of every line that has them."""
    try:
        lines = read_table(file.read_bytes())
    except OSError as error:
        raise ConfigError(f"cannot read {file}: {error.strerror}") from None
    except csv.Error as error:
        raise ConfigError(f"{file} is not a CSV file: {error}") from None
    at, first = (0, 1), 0
    header = [name.strip().lower() for name in lines[0][1]] if lines else []
    if PATH_COLUMN in header and LABEL_COLUMN in header:
        at, first = (header.index(PATH_COLUMN), header.index(LABEL_COLUMN)), 1
    for number, row in lines[first:]:
        if len(row) > max(at):
            yield number, plain_text(row[at[0]].strip()), plain_text(row[at[1]].strip())
        elif row:
            problems.append(f"line {number}: {len(row)} columns, a path and a label are needed")


def _coded(
    found: dict[int, str], paths: tuple[bytes, ...], problems: list[str] | None = None
) -> PhotoLabels:
    names = tuple(sorted({name for name in found.values() if name}))
    numbers = {name: number for number, name in enumerate(names)}
    codes = np.full(len(paths), UNLABELLED, np.int64)
    for index, name in found.items():
        codes[index] = numbers.get(name, UNLABELLED)
    return PhotoLabels(names, codes, tuple(problems or ()))
