"""One temperature makes probabilities honest."""

import numpy as np
import pytest

from app.fewshot.calibration import MOST_LOSS, balanced, best_temperature, losses
from app.fewshot.heads import softmax


def test_loss_is_minus_the_log_of_the_share_given(rng: np.random.Generator) -> None:
    logits, numbers = rng.normal(size=(20, 4)), rng.integers(0, 4, size=20)

    shares = softmax(logits, temperature=0.5)

    np.testing.assert_allclose(
        losses(logits, numbers, temperature=0.5), -np.log(shares[np.arange(20), numbers])
    )


def test_a_class_that_was_out_of_the_question_loses_much_but_not_everything() -> None:
    logits = np.array([[-np.inf, 0.0], [0.0, -np.inf]])

    np.testing.assert_array_equal(
        losses(logits, np.array([0, 0]), temperature=1.0), [MOST_LOSS, 0.0]
    )


@pytest.mark.parametrize("temperature", [0.2, 1.0, 5.0])
def test_the_temperature_that_made_the_answers_is_found_again(
    rng: np.random.Generator, temperature: float
) -> None:
    logits = rng.normal(size=(20_000, 3))
    shares = softmax(logits, temperature=temperature)
    numbers = (rng.random((20_000, 1)) > shares.cumsum(axis=1)).sum(axis=1)

    assert best_temperature(logits, numbers) == pytest.approx(temperature, rel=0.1)


def test_scaled_scores_get_a_scaled_temperature(rng: np.random.Generator) -> None:
    logits, numbers = rng.normal(size=(200, 3)), rng.integers(0, 3, size=200)
    logits[np.arange(200), numbers] += 1

    one, ten = best_temperature(logits, numbers), best_temperature(10 * logits, numbers)

    assert ten == pytest.approx(10 * one, rel=0.02)


def test_every_class_weighs_the_same() -> None:
    weights = balanced(np.array([0, 0, 0, 2]))

    np.testing.assert_allclose(weights, [1 / 6, 1 / 6, 1 / 6, 1 / 2])


def test_answers_that_are_all_right_do_not_make_the_next_one_certain() -> None:
    logits = np.tile(10 * np.eye(2), (20, 1))

    shares = softmax(logits, temperature=best_temperature(logits, np.tile([0, 1], 20)))

    assert 0.9 < shares.max() < 0.995
