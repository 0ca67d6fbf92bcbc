"""A finished training run on drawn shapes, made once for all tests that look at runs."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from training.config import TrainConfig
from training.engine import pretrain
from training.prepare import Surroundings
from training.progress import Silent


@dataclass(frozen=True)
class FinishedRun:
    """A run's folder, the photos it learned from, and a cache that has them decoded."""

    folder: Path
    photos: Path
    cache: Path

    @property
    def around(self) -> Surroundings:
        return Surroundings(Silent(), lambda: False, self.cache)


@pytest.fixture(scope="session")
def kept_run(
    tmp_path_factory: pytest.TempPathFactory, make_shape_folder: Callable[..., Path]
) -> FinishedRun:
    """For reading only; `finished_run` gives a copy to write into."""
    root = tmp_path_factory.mktemp("kept-run")
    photos = make_shape_folder(root / "shapes", per_class=15)
    (photos / "circle" / "notes.txt").write_text("no photo")
    config = TrainConfig(
        photos, root / "run", backbone="mobilenet_v3_small", init="random", image_size=32,
        batch_size=16, epochs=2, interpolate=0.5, offline=True,
    )  # fmt: skip
    pretrain(config, Surroundings(Silent(), lambda: False, root / "cache"))
    return FinishedRun(root / "run", photos, root / "cache")


@pytest.fixture
def finished_run(kept_run: FinishedRun, tmp_path: Path) -> FinishedRun:
    """A copy of a finished run of its own."""
    shutil.copytree(kept_run.folder, tmp_path / "run")
    return FinishedRun(tmp_path / "run", kept_run.photos, kept_run.cache)
