"""What a run that goes on may be asked again, and how what differs is said."""

from dataclasses import replace
from pathlib import Path

import pytest

from training.config import TrainConfig
from training.errors import ConfigError
from training.resuming import check_asked

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
