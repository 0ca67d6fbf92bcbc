"""What a run that goes on may be asked again, and how what differs is said."""

from dataclasses import replace
from pathlib import Path

import pytest

from training.config import TrainConfig
from training.errors import ConfigError, RunError
from training.plan import Plan
from training.planning import Survey, choose, choose_network
from training.resuming import check_asked, check_machine

BEGUN = TrainConfig(
    Path("photos"), Path("run"), labels=Path("my labels.csv"), budget_seconds=5400.0, offline=True
)


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"photos": Path("moved"), "out": Path("moved")},
        {"budget_seconds": 5400.0, "labels": Path("./my labels.csv"), "offline": True},
        {"method": "auto", "seed": 0},  # as it was, though never asked for
    ],
)
def test_the_same_again_is_welcome_wherever_photos_and_run_are_now(
    asked: dict[str, object],
) -> None:
    check_asked(BEGUN, asked)


@pytest.mark.parametrize(
    ("asked", "before", "now"),
    [
        ({"budget_seconds": 60.0}, "--budget 5400s", "--budget 60s"),
        ({"epochs": 5}, "no --epochs", "--epochs 5"),
        ({"offline": False}, "--offline", "no --offline"),
        ({"labels": Path("l.csv")}, "--labels 'my labels.csv'", "--labels l.csv"),
        ({"method": "byol", "seed": 0, "image_size": 64}, "--method auto, no --image-size",
         "--method byol, --image-size 64"),
    ],
)  # fmt: skip
def test_what_differs_is_named_with_both_values(
    asked: dict[str, object], before: str, now: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        check_asked(BEGUN, asked)

    assert caught.value.message == f"this run began with {before}, and cannot go on with {now}"


def test_a_flag_that_the_run_began_without_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"no --offline, and cannot go on with --offline$"):
        check_asked(replace(BEGUN, offline=False), {"offline": True})


@pytest.fixture
def plan() -> Plan:
    found = Survey(files=3000, typical_side=400)
    network = choose_network(BEGUN, found, has_cuda=False)
    return replace(choose(BEGUN, found, network, "imagenet"), batch_size=16)


@pytest.mark.parametrize("processes", [1, 2, 8])
def test_processes_that_share_a_batch_equally_may_go_on(plan: Plan, processes: int) -> None:
    check_machine(plan, has_cuda=False, processes=processes)


@pytest.mark.parametrize(("processes", "fitting"), [(3, "2 processes"), (32, "16 processes")])
def test_processes_that_cannot_share_a_batch_equally_are_refused(
    plan: Plan, processes: int, fitting: str
) -> None:
    with pytest.raises(RunError) as caught:
        check_machine(plan, has_cuda=True, processes=processes)

    assert caught.value.message == (
        f"this run's batches of 16 photos cannot be shared equally by {processes} processes"
    )
    assert f"go on with {fitting}" in caught.value.hint


def test_a_run_of_a_gpu_goes_on_on_another_one_only(plan: Plan) -> None:
    of_a_gpu = replace(plan, network=replace(plan.network, device="cuda"))

    check_machine(of_a_gpu, has_cuda=True, processes=1)
    with pytest.raises(RunError, match="no usable GPU"):
        check_machine(of_a_gpu, has_cuda=False, processes=1)
