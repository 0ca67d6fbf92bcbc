"""What a run's folder holds at the end, and who may write to it."""

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from training.checkpoint import load_encoder
from training.config import TrainConfig, config_from_json
from training.engine import pretrain
from training.errors import RunError
from training.metrics import read_metrics
from training.pair import members
from training.runs import CONFIG_FILE, RunFolder
from training.trainer import Trainer


def test_a_pair_can_be_asked_for_and_is_what_searches_use(finished_run: Any) -> None:
    run = RunFolder(finished_run.folder)
    begun = config_from_json(run.read_json(CONFIG_FILE))
    run.write_json(CONFIG_FILE, replace(begun, export="pair").to_json())
    (run.path / "report.json").unlink()

    report = pretrain(TrainConfig(finished_run.photos, run.path), finished_run.around, resume=True)

    assert report.exported == "pair"
    start, pair = load_encoder(run.start), load_encoder(run.path)
    assert pair.spec.embedding_dim == 2 * start.spec.embedding_dim
    assert "beside" in pair.spec.origin
    assert not start.same_network(pair)
    between = load_encoder(run.interpolated)
    assert between.spec.embedding_dim == start.spec.embedding_dim
    assert all(torch.equal(between.tensors[n], t) for n, t in members(pair.tensors)[1].items())


def test_the_rate_of_a_run_counts_the_steps_since_it_was_last_told(
    finished_run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds, begun = 0.03, config_from_json(RunFolder(finished_run.folder).read_json(CONFIG_FILE))
    learn = Trainer.train_step

    def slowly(self: Trainer, *given: Any) -> torch.Tensor:
        time.sleep(seconds)
        return learn(self, *given)

    monkeypatch.setattr(Trainer, "train_step", slowly)
    run = RunFolder(tmp_path / "slow")
    pretrain(replace(begun, out=run.path, epochs=9), finished_run.around)

    told = read_metrics(run.path)
    rates = [line["photos_per_second"] for line in told if line["group"] == "train"]
    assert len(rates) >= 2
    assert max(rates) <= run.read_json("plan.json")["batch_size"] / seconds


def test_a_run_that_somebody_trains_is_refused_and_left_alone(
    finished_run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunFolder(finished_run.folder)
    again = TrainConfig(finished_run.photos, run.path)
    (run.path / "report.json").unlink()
    unfinished = run.path / ".encoder.safetensors.another"
    monkeypatch.setattr("training.runs.SECONDS_TO_CLAIM", 0.1)

    with run.claimed():
        unfinished.touch()
        with pytest.raises(RunError, match=f"process {os.getpid()} on"):
            pretrain(again, finished_run.around, resume=True)
        assert unfinished.exists()

    pretrain(again, finished_run.around, resume=True)
    assert not unfinished.exists()
