"""A whole run under a budget of time; the clock is ours, the rest is real."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import training.engine
import training.trainer
from training.config import TrainConfig
from training.engine import pretrain
from training.finish import RunReport
from training.metrics import read_metrics
from training.prepare import Surroundings
from training.progress import Silent


@pytest.fixture
def surroundings(tmp_path: Path) -> Surroundings:
    return Surroundings(Silent(), lambda: False, tmp_path / "cache")


def train(photos: Path, out: Path, around: Surroundings, *, budget: float) -> RunReport:
    config = TrainConfig(
        photos, out, backbone="mobilenet_v3_small", init="random", image_size=32, batch_size=16,
        budget_seconds=budget, offline=True,
    )  # fmt: skip
    return pretrain(config, around)


class SteppingTime:
    """Stands in for `time` in a module: four seconds pass at first, then 10 ms a look."""

    def __init__(self) -> None:
        self.looks = 0

    def monotonic(self) -> float:
        self.looks += 1
        return 0.0 if self.looks == 1 else 4.0 + 0.01 * self.looks


@pytest.fixture
def stepping_time(monkeypatch: pytest.MonkeyPatch) -> None:
    time = SteppingTime()
    for module in (training.engine, training.trainer):
        monkeypatch.setattr(module, "time", time)


def test_a_budget_that_is_over_before_the_first_step_says_so(
    sixty_shapes: Path, tmp_path: Path, surroundings: Surroundings, stepping_time: None
) -> None:
    report = train(sixty_shapes, tmp_path / "run", surroundings, budget=3.0)

    assert (report.exported, report.steps) == ("start", 0)
    assert report.verdict.startswith("Nothing was trained: the budget of 3 s was over before")
    kept = load_file(tmp_path / "run" / "encoder.safetensors")
    start = load_file(tmp_path / "run" / "start.safetensors")
    assert all(torch.equal(kept[name], start[name]) for name in start)


def test_what_comes_before_the_first_step_takes_time_but_none_of_the_schedule(
    sixty_shapes: Path, tmp_path: Path, surroundings: Surroundings, stepping_time: None
) -> None:
    report = train(sixty_shapes, tmp_path / "run", surroundings, budget=6.0)

    steps = [line for line in read_metrics(tmp_path / "run") if line["group"] == "train"]
    rates = [line["lr"] for line in steps]
    assert 6.0 <= report.seconds < 6.5
    assert steps[0]["progress"] < 0.4  # four of six seconds were over
    assert rates[-1] < 0.4 * max(rates)
