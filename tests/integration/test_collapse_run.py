"""Configurations that really break: the run says so, and keeps what it started from."""

from collections.abc import Callable
from pathlib import Path

import pytest

from training.checkpoint import load_encoder
from training.config import TrainConfig
from training.engine import pretrain
from training.errors import RunError
from training.metrics import read_metrics
from training.prepare import Surroundings
from training.progress import Silent

pytestmark = pytest.mark.slow


def broken(
    tmp_path: Path, make_shape_folder: Callable[..., Path], lr: float
) -> tuple[Path, RunError]:
    """A BYOL run at an absurd learning rate, and how it ended."""
    config = TrainConfig(
        make_shape_folder(tmp_path / "shapes", per_class=15), tmp_path / "run", method="byol",
        backbone="mobilenet_v3_small", init="random", image_size=32, batch_size=16, epochs=10,
        lr=lr, offline=True,
    )  # fmt: skip
    around = Surroundings(Silent(), lambda: False, tmp_path / "cache")
    with pytest.raises(RunError) as ended:
        pretrain(config, around)
    return tmp_path / "run", ended.value


def test_a_run_that_collapses_is_stopped_and_explained(
    tmp_path: Path, make_shape_folder: Callable[..., Path]
) -> None:
    run, error = broken(tmp_path, make_shape_folder, lr=1.0)

    assert "collapsed" in error.message
    assert "learning rate" in error.hint
    measured = [line for line in read_metrics(run) if line["group"] == "quality"]
    assert measured[0]["spread"] > 0.2
    assert measured[-1]["spread"] < 0.1
    assert len(measured) < 11  # it did not go on to the end
    assert load_encoder(run / "start.safetensors").tensors
    assert not (run / "report.json").exists()


def test_a_run_that_diverges_ends_in_words_and_not_in_a_traceback(
    tmp_path: Path, make_shape_folder: Callable[..., Path]
) -> None:
    _, error = broken(tmp_path, make_shape_folder, lr=30.0)

    assert (
        "diverged" in error.message
        or "loss became" in error.message
        or "collapsed" in (error.message)
    )
    assert "learning rate" in error.hint
