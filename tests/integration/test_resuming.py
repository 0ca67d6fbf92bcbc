"""A run that goes on: what it says of itself, and what it refuses to go on with."""

import json
import shlex
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result

from training.cli import cli, show
from training.config import TrainConfig
from training.engine import pretrain
from training.errors import ConfigError, Interrupted, RunError
from training.finish import read_report
from training.plan import Plan, plan_from_json
from training.runs import RunFolder
from training.runs import finished_run as run_that_finished


@pytest.fixture
def stopped_run(finished_run: Any) -> Any:
    """A run that has trained to its last step, and was stopped before it exported anything."""
    (finished_run.folder / "report.json").unlink()
    return finished_run


def test_the_command_that_goes_on_names_the_places_as_they_are_now_and_can_be_pasted(
    stopped_run: Any, tmp_path: Path
) -> None:
    photos, out = tmp_path / "my photos", stopped_run.folder.rename(tmp_path / "my run")
    shutil.copytree(stopped_run.photos, photos)
    command = ["ssl-train", str(photos), "-o", str(out), "--resume"]
    stopping = replace(stopped_run.around, stop=lambda: True)

    with pytest.raises(Interrupted) as stopped:
        pretrain(TrainConfig(photos, out), stopping, resume=True)
    with pytest.raises(RunError) as begun_before:
        pretrain(TrainConfig(photos, out), stopped_run.around)
    with pytest.raises(RunError) as unfinished:
        run_that_finished(out)

    assert shlex.split(stopped.value.hint.split("`")[1]) == command
    assert shlex.split(begun_before.value.hint.split("`")[1]) == command
    assert shlex.split(unfinished.value.hint.split("`")[1])[-2:] == command[-2:]


BEGUN_WITH = ["--backbone", "mobilenet_v3_small", "--init", "random", "--image-size", "32",
              "--batch-size", "16", "--epochs", "2", "--interpolate", "0.5",
              "--offline"]  # fmt: skip


def resumed(run: Any, *options: str | Path) -> Result:
    """What ssl-train does when it is to go on with a run."""
    places = [str(run.photos), "-o", str(run.folder)]
    return CliRunner().invoke(cli, [*places, "--json", "--resume", *map(str, options)])


def test_the_options_that_a_run_began_with_may_be_given_again(
    finished_run: Any, tmp_path: Path
) -> None:
    file = tmp_path / "ours.toml"
    file.write_text('epochs = 2\ninterpolate = 0.5\nout = "elsewhere"\nphotos = "moved"\n')

    done = resumed(finished_run, *BEGUN_WITH, "--config", file)

    assert done.exit_code == 0, done.exception
    assert json.loads(done.stdout)["epochs"] > 0


def test_a_run_refuses_what_differs_from_the_options_it_began_with(
    finished_run: Any, tmp_path: Path
) -> None:
    file = tmp_path / "ours.toml"
    file.write_text("lr = 0.1\nimage-size = 32\n")

    done = resumed(finished_run, "--epochs", "3", "--batch-size", "16", "--config", file)

    assert isinstance(done.exception, ConfigError)
    assert done.exception.message == (
        "this run began with no --lr, --epochs 2, and cannot go on with --lr 0.1, --epochs 3"
    )
    assert "--config" in done.exception.hint


def change_plan(run: RunFolder, change: Callable[[Plan], Plan]) -> None:
    run.plan.write_text(change(plan_from_json(run.plan.read_text())).to_json())


def on_a_gpu(plan: Plan) -> Plan:
    return replace(plan, network=replace(plan.network, device="cuda"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="for machines without a GPU")
def test_a_run_that_began_on_a_gpu_is_refused_where_there_is_none(stopped_run: Any) -> None:
    run = RunFolder(stopped_run.folder)
    change_plan(run, on_a_gpu)

    with pytest.raises(RunError, match="no usable GPU was found") as caught:
        pretrain(TrainConfig(stopped_run.photos, run.path), stopped_run.around, resume=True)

    assert "-o" in caught.value.hint
    assert run.start.is_file()


def test_a_finished_run_of_a_gpu_gives_its_report_anywhere(finished_run: Any) -> None:
    run = RunFolder(finished_run.folder)
    change_plan(run, on_a_gpu)

    again = pretrain(TrainConfig(finished_run.photos, run.path), finished_run.around, resume=True)

    assert again == read_report(run)


def test_the_command_that_comes_next_can_be_pasted(
    finished_run: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    show(replace(read_report(RunFolder(finished_run.folder)), run="my run"), as_json=False)

    assert shlex.split(capsys.readouterr().out.splitlines()[-1])[-1] == "my run"
