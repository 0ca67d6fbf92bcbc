"""Collapse is told from a slow start, and stops the run."""

from dataclasses import replace

import pytest
from torch import nn

from training.collapse import CollapseWatch, settling_steps
from training.errors import RunError
from training.figures import Quality

HEALTHY = Quality(0.6, 100.0, 0.6, projection_spread=0.7)
LOST = replace(HEALTHY, spread=0.01)


def test_a_healthy_run_goes_on() -> None:
    watch = CollapseWatch(HEALTHY, settled=0)

    for step in range(5):
        watch.check(HEALTHY, step)
    watch.check(HEALTHY, 5, last=True)


def test_two_measurements_in_a_row_stop_the_run_with_an_explanation() -> None:
    watch = CollapseWatch(HEALTHY, settled=0)
    watch.check(LOST, 10)

    with pytest.raises(RunError, match="collapsed by step 20") as raised:
        watch.check(LOST, 20)

    assert "0.60 to 0.010" in raised.value.message
    assert "--lr" in raised.value.hint
    assert "start.safetensors" in raised.value.hint


def test_one_bad_measurement_that_passes_does_not() -> None:
    watch = CollapseWatch(HEALTHY, settled=0)

    for step in range(4):
        watch.check(LOST, 2 * step)
        watch.check(HEALTHY, 2 * step + 1)


def test_the_last_measurement_needs_no_second() -> None:
    with pytest.raises(RunError):
        CollapseWatch(HEALTHY, settled=0).check(LOST, 9, last=True)


def test_projections_collapse_too() -> None:
    watch = CollapseWatch(HEALTHY, settled=0)
    with pytest.raises(RunError, match="projections"):
        watch.check(replace(HEALTHY, projection_spread=0.02), 9, last=True)


def test_a_network_that_starts_narrow_is_judged_by_what_it_loses() -> None:
    narrow = Quality(0.1, 5.0, 0.04)

    CollapseWatch(narrow, settled=0).check(replace(narrow, spread=0.03), 9, last=True)
    with pytest.raises(RunError):
        CollapseWatch(narrow, settled=0).check(replace(narrow, spread=0.01), 9, last=True)


def test_statistics_that_are_behind_the_weights_are_no_collapse() -> None:
    watch = CollapseWatch(HEALTHY, settled=30)

    for step in (5, 10, 15, 29):
        watch.check(LOST, step)
    watch.check(LOST, 29, last=True)
    watch.check(LOST, 30)
    with pytest.raises(RunError):
        watch.check(LOST, 40)


def test_averages_settle_by_their_momentum() -> None:
    layers = [nn.BatchNorm2d(2, momentum=0.1), nn.BatchNorm1d(2, momentum=0.01)]

    assert settling_steps(nn.Sequential(nn.Conv2d(3, 2, 1), layers[0])) == 30
    assert settling_steps(nn.Sequential(*layers)) == 300
    assert settling_steps(nn.Linear(2, 2)) == 0
