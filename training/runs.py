"""A run's folder: what it holds, how it is created, found and read."""

import csv
import io
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from training.checkpoint import (
    CHECKPOINT_FILE,
    INTERPOLATED_FILE,
    START_FILE,
    TRAINED_FILE,
)
from training.config import TrainConfig, config_from_json
from training.errors import RunError
from training.files import atomic_write, mark_folder
from training.labels import PhotoLabels
from training.lock import only_writer
from training.photos import MARKER, SkippedFile
from training.spec import ENCODER_FILE
from training.wording import quoted

ENCODER_SUFFIX = ".safetensors"
CONFIG_FILE = "config.json"
PLAN_FILE = "plan.json"
SPEC_FILE = "encoder.json"
REPORT_FILE = "report.json"
SKIPPED_FILE = "skipped.csv"
PHOTOS_FILE = "photos.csv"
LABELS_FILE = "labels.csv"
PROBLEMS_FILE = "labels-problems.txt"
VIEWS_FILE = "views.png"
BEST_FILE = "best.safetensors"
SNAPSHOTS = "snapshots"
CURVES_FILE = "curves.png"
EVALUATION_FILE = "evaluation.json"
SUPERVISED_FILE = "supervised.safetensors"
NEAR_FILE = "near-duplicates.csv"

# A run whose processes were ended a moment ago may still hold its folder.
SECONDS_TO_CLAIM = 5.0


@dataclass(frozen=True)
class RunFolder:
    """The paths of a run."""

    path: Path

    @property
    def encoder(self) -> Path:
        """The weights to use: start, trained, or between the two."""
        return self.path / ENCODER_FILE

    @property
    def start(self) -> Path:
        """The weights training started from."""
        return self.path / START_FILE

    @property
    def trained(self) -> Path:
        """The weights at the end of training."""
        return self.path / TRAINED_FILE

    @property
    def best(self) -> Path:
        """The weights of the best measurement by known classes, where one beat the start."""
        return self.path / BEST_FILE

    def snapshot(self, step: int) -> Path:
        """The weights after some steps, where the run keeps them."""
        return self.path / SNAPSHOTS / f"step-{step:08d}.safetensors"

    @property
    def interpolated(self) -> Path:
        """The weights between start and trained, where the run made any."""
        return self.path / INTERPOLATED_FILE

    @property
    def supervised(self) -> Path:
        """The supervised baseline's weights, where `ssl-train eval` trained one."""
        return self.path / SUPERVISED_FILE

    @property
    def checkpoint(self) -> Path:
        """The state after the last saved step."""
        return self.path / CHECKPOINT_FILE

    @property
    def plan(self) -> Path:
        """The plan, as JSON."""
        return self.path / PLAN_FILE

    @property
    def view_size(self) -> int:
        """Side of a training view in pixels, also of a run by an earlier version.

        Raises:
            RunError: the plan is missing or damaged.
        """
        try:
            return int(self.read_json(PLAN_FILE)["network"]["image_size"])
        except (KeyError, TypeError, ValueError):
            raise RunError(
                f"{self.plan} does not say how large a view is",
                hint="train again in another folder with -o",
            ) from None

    @property
    def finished(self) -> bool:
        """Whether the run came to its end."""
        return (self.path / REPORT_FILE).is_file()

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Be the only one to train in this folder.

        Raises:
            RunError: another process does.
            OSError: the folder cannot be written.
        """
        with only_writer(
            self.path, command="ssl-train", wait_seconds=SECONDS_TO_CLAIM, error=RunError
        ):
            for unfinished in self.path.rglob(f".*{ENCODER_SUFFIX}.*"):  # a killed run's
                unfinished.unlink(missing_ok=True)
            yield

    def write_json(self, name: str, values: dict[str, Any]) -> None:
        """Write one JSON file of the run."""
        text = json.dumps(values, indent=2, sort_keys=True)
        atomic_write(self.path / name, text.encode() + b"\n")

    def read_json(self, name: str) -> dict[str, Any]:
        """Read one JSON file of the run.

        Raises:
            RunError: it is missing or damaged.
        """
        try:
            values: dict[str, Any] = json.loads((self.path / name).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RunError(
                f"{self.path / name} cannot be read: {error}",
                hint="start the run anew in another folder with -o",
            ) from None
        return values

    def taught_by(self, photos: Path) -> bool:
        """Whether the run learned from labels of the photos in this folder.

        Raises:
            RunError: the plan or the options are missing or damaged.
        """
        method = self.read_json(PLAN_FILE).get("method")
        learned = Path(str(self.read_json(CONFIG_FILE).get("photos")))
        return method == "supcon" and learned.resolve() == photos.resolve()

    def evaluation(self) -> dict[str, Any] | None:
        """What `ssl-train eval` found, as JSON; None where nothing can be read."""
        try:
            return self.read_json(EVALUATION_FILE)
        except RunError:
            return None

    def write_skipped(self, skipped: tuple[SkippedFile, ...]) -> None:
        """List the files that were not used, path and reason, as CSV."""
        lines = ((os.fsdecode(file.path), file.reason) for file in skipped)
        self.write_csv(SKIPPED_FILE, ("path", "reason"), lines)

    def write_labels(self, paths: tuple[bytes, ...], labels: PhotoLabels) -> None:
        """The labels that a run learns from, as `read_kept_labels` reads them back."""
        rows = [
            (os.fsdecode(path), labels.names[code])
            for path, code in zip(paths, labels.codes, strict=True)
            if code >= 0
        ]
        self.write_csv(LABELS_FILE, ("path", "label"), rows)

    def write_near(self, paths: Sequence[bytes], groups: np.ndarray) -> None:
        """The photos `(n,)` taken for near-duplicates: those with a group number from 0 on."""
        found = sorted(
            (int(group), path) for group, path in zip(groups, paths, strict=True) if group >= 0
        )
        lines = ((str(group), os.fsdecode(path)) for group, path in found)
        self.write_csv(NEAR_FILE, ("group", "path"), lines)

    def write_csv(
        self, name: str, columns: tuple[str, ...], lines: Iterable[tuple[str, ...]]
    ) -> None:
        """Write one CSV file of the run; text may hold undecodable bytes as surrogates."""
        text = io.StringIO()
        rows = csv.writer(text)
        rows.writerow(columns)
        rows.writerows(lines)
        atomic_write(self.path / name, text.getvalue().encode("utf-8", "surrogateescape"))


def create_run(config: TrainConfig) -> RunFolder:
    """Begin a run in a folder that is new or empty.

    Raises:
        RunError: the folder holds something already.
        OSError: it cannot be written.
    """
    run = RunFolder(config.out)
    if (config.out / CONFIG_FILE).exists():
        raise RunError(
            f"{config.out} holds a run already",
            hint=f"`{resume_command(config)}` goes on with it; -o FOLDER starts another",
        )
    if config.out.exists() and not _holds_nothing(config.out):
        raise RunError(
            f"{config.out} exists and is not an empty folder", hint="choose another with -o"
        )
    mark_folder(config.out)
    run.write_json(CONFIG_FILE, config.to_json())
    return run


def open_run(folder: Path) -> tuple[RunFolder, TrainConfig]:
    """A run that was begun earlier, and what was asked of it.

    Raises:
        RunError: there is none in the folder.
    """
    if not (folder / CONFIG_FILE).is_file():
        raise RunError(f"there is no run in {folder} to resume", hint="start one without --resume")
    run = RunFolder(folder)
    return run, config_from_json(run.read_json(CONFIG_FILE))


def finished_run(folder: Path) -> RunFolder:
    """A run that came to its end.

    Raises:
        RunError: there is none in the folder, or it is not finished.
    """
    run = RunFolder(folder)
    if not (folder / CONFIG_FILE).is_file():
        raise RunError(
            f"there is no run in {folder}", hint="name the folder that `ssl-train PHOTOS` wrote"
        )
    if not run.finished:
        raise RunError(
            f"the run in {folder} is not finished",
            hint=f"`ssl-train PHOTOS -o {quoted(folder)} --resume` goes on with it",
        )
    return run


def resume_command(config: TrainConfig) -> str:
    """The command that goes on with a run."""
    return f"ssl-train {quoted(config.photos)} -o {quoted(config.out)} --resume"


def discard_run(run: RunFolder) -> None:
    """Remove a run that ended before it had anything to keep."""
    shutil.rmtree(run.path, ignore_errors=True)


def _holds_nothing(folder: Path) -> bool:
    """Whether a folder is empty, but for the marker that a run killed at once left behind."""
    return folder.is_dir() and all(path.name == MARKER for path in folder.iterdir())
