"""Collapse is told from a slow start, and stops the run."""

from dataclasses import replace

import numpy as np
import pytest
from torch import nn

from training.collapse import CollapseWatch, settling_steps
from training.errors import RunError
from training.figures import Quality, Sight, quality_of

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


def seen(rows: np.ndarray) -> Quality:
    """The figures of embeddings `(n, d)`, which both views share."""
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return quality_of(Sight(unit, unit, unit))


def on_a_line(rng: np.random.Generator, *, offset: float = 0.0) -> np.ndarray:
    """Points of a line in 32 dimensions, `(64, 32)`, all but a thousandth; 0 goes through zero."""
    line = rng.normal(size=(64, 1)) * rng.normal(size=32) + offset * rng.normal(size=32)
    return line + 1e-3 * rng.normal(size=(64, 32))


@pytest.mark.parametrize(("offset", "spread"), [(0.0, 0.7), (2.0, 0.2)])
def test_embeddings_on_one_line_have_collapsed_however_spread_they_are(
    rng: np.random.Generator, offset: float, spread: float
) -> None:
    start, line = seen(rng.normal(size=(64, 32))), seen(on_a_line(rng, offset=offset))
    assert line.spread > spread

    with pytest.raises(RunError, match=r"effective rank .* fell from 2\d\.\d to 1\.") as raised:
        CollapseWatch(start, settled=0).check(line, 9, last=True)

    assert "along one line" in raised.value.message


def test_a_few_dimensions_or_a_start_that_had_no_more_are_no_collapse(
    rng: np.random.Generator,
) -> None:
    start, line = seen(rng.normal(size=(64, 32))), seen(on_a_line(rng))
    three = seen(rng.normal(size=(64, 3)) @ rng.normal(size=(3, 32)))
    assert three.rank < 3.1

    CollapseWatch(start, settled=0).check(three, 9, last=True)
    CollapseWatch(line, settled=0).check(line, 9, last=True)


def test_two_classes_that_are_learnt_lie_on_a_line_and_are_no_collapse(
    rng: np.random.Generator,
) -> None:
    centre, apart = rng.normal(size=(2, 32))
    sides = np.where(np.arange(64) % 2, 1, -1)[:, None]
    classes = seen(2 * centre + sides * apart + 1e-3 * rng.normal(size=(64, 32)))
    start = seen(rng.normal(size=(64, 32)))
    assert classes.rank < 2

    CollapseWatch(start, settled=0, labelled=True).check(classes, 9, last=True)
    with pytest.raises(RunError):
        CollapseWatch(start, settled=0).check(classes, 9, last=True)


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
