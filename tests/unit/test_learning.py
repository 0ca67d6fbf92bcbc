"""Would more labels help? What the classifier was worth with half of them."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from app.fewshot.folds import Labelled, divided, held_out_logits
from app.fewshot.heads import LinearHead, Logistic, NearestMean
from app.fewshot.intervals import macro_f1
from app.fewshot.learning import LearningCurve, Step, _part, learning_curve
from training.bootstrap import Interval
from training.errors import Interrupted


def go_on() -> bool:
    return False


def labelled(
    rng: np.random.Generator, *, each: int = 48, dim: int = 24, spread: float = 0.3, copies: int = 1
) -> Labelled:
    """Three classes around three axes; photos come in bursts of so many copies."""
    numbers = np.repeat(np.arange(3), each)
    rows = np.eye(dim)[numbers] + spread * rng.normal(size=(len(numbers), dim))
    rows = np.repeat(rows / np.linalg.norm(rows, axis=1, keepdims=True), copies, axis=0)
    return Labelled(
        rows.astype(np.float32),
        np.repeat(numbers, copies),
        np.repeat(rng.permutation(len(numbers)), copies),
        ("a", "b", "c"),
    )


def judged(given: Labelled, make: Callable[[], LinearHead]) -> LearningCurve:
    divisions = divided(given, seed=0)
    whole = held_out_logits(given, divisions, make, stop=go_on)
    return learning_curve(given, divisions, make, whole=whole, seed=0, stop=go_on)


def curve_of(given: Labelled) -> LearningCurve:
    return judged(given, Logistic)


def test_every_step_has_twice_the_labels_of_the_one_before(rng: np.random.Generator) -> None:
    counts = [step.labels for step in curve_of(labelled(rng)).steps]

    assert counts[-1] == round(144 * 4 / 5)
    assert [b / a for a, b in pairwise(counts)] == pytest.approx([2, 2, 2], rel=0.15)


def test_the_last_step_is_what_cross_validation_says_of_all_labels(
    rng: np.random.Generator,
) -> None:
    given = labelled(rng, spread=0.5)
    logits = held_out_logits(given, divided(given, seed=0), Logistic, stop=go_on)
    each = [
        macro_f1(given.numbers, plane.argmax(axis=1), given.groups, classes=np.arange(3), seed=0)
        for plane in logits
    ]

    last = curve_of(given).steps[-1].macro_f1

    assert last.value == pytest.approx(np.mean([found.value for found in each]))
    assert last.low <= last.value <= last.high


def test_the_gain_is_the_difference_of_the_last_two_and_known_better_than_either(
    rng: np.random.Generator,
) -> None:
    curve = curve_of(labelled(rng, spread=0.5))
    half, whole = (step.macro_f1 for step in curve.steps[-2:])

    assert curve.gain.value == pytest.approx(whole.value - half.value)
    widths = [found.high - found.low for found in (curve.gain, half, whole)]
    assert widths[0] < min(widths[1:])


def test_a_hard_task_is_still_rising_and_an_easy_one_is_level(rng: np.random.Generator) -> None:
    assert curve_of(labelled(rng, each=96, dim=96, spread=0.5)).outlook == "rising"
    assert curve_of(labelled(rng, spread=0.05)).outlook == "level"


@pytest.mark.parametrize(
    ("gain", "outlook"),
    [
        (Interval(0.03, 0.01, 0.05), "rising"),
        (Interval(0.03, -0.01, 0.07), "unclear"),
        (Interval(0.0, -0.01, 0.01), "level"),
        (Interval(0.005, 0.001, 0.009), "level"),
        (Interval(-0.02, -0.03, -0.01), "level"),
    ],
)
def test_the_outlook_follows_from_the_gain_and_how_well_it_is_known(
    gain: Interval, outlook: str
) -> None:
    step = Step(10, Interval(0.5, 0.4, 0.6))
    assert LearningCurve((step, step), gain).outlook == outlook


def test_parts_grow_by_whole_bursts_and_keep_every_class(rng: np.random.Generator) -> None:
    given = labelled(rng, each=12, copies=3)
    learned, order = np.arange(len(given.rows)), rng.permutation(36)

    parts = [set(_part(given, learned, order, part)) for part in (0.01, 0.125, 0.25, 0.5, 1.0)]

    assert all(smaller <= larger for smaller, larger in pairwise(parts))
    assert [len(part) for part in parts] == [9, 18, 27, 54, 108]
    for part in parts:
        rows = np.array(sorted(part))
        assert set(given.numbers[rows]) == {0, 1, 2}
        assert all((given.groups[rows] == g).sum() == 3 for g in set(given.groups[rows]))


def test_parts_that_are_too_thin_for_the_chosen_head_are_learned_by_nearest_mean(
    rng: np.random.Generator,
) -> None:
    """Five folds of six groups leave four or five, an eighth of them one."""
    given = labelled(rng, each=6)

    by_logistic, by_mean = (judged(given, make) for make in (Logistic, NearestMean))

    assert by_logistic.steps[:3] == by_mean.steps[:3]


def test_the_curve_stops_when_asked(rng: np.random.Generator) -> None:
    given = labelled(rng, each=6)
    divisions = divided(given, seed=0)
    whole = held_out_logits(given, divisions, Logistic, stop=go_on)
    with pytest.raises(Interrupted):
        learning_curve(given, divisions, Logistic, whole=whole, seed=0, stop=lambda: True)
