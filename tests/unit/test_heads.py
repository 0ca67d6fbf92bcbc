"""Heads are scikit-learn estimators, linear, and what their definitions say."""

from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.utils.estimator_checks import parametrize_with_checks

from app.fewshot.heads import Logistic, NearestMean, softmax


# Scikit-learn's own; the two estimators take no weights and no sparse input, which it notices.
@parametrize_with_checks([NearestMean(), Logistic()])
def test_scikit_learn_accepts_it(estimator: Any, check: Any) -> None:
    check(estimator)


def examples(
    rng: np.random.Generator, classes: int, each: int, dim: int
) -> tuple[np.ndarray, np.ndarray]:
    """Unit rows `(classes * each, dim)` float32 around a random centre a class, and names."""
    centres = rng.normal(size=(classes, dim))
    numbers = np.repeat(np.arange(classes), each)
    rows = centres[numbers] + rng.normal(size=(len(numbers), dim))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows.astype(np.float32), np.array([f"class {n}" for n in numbers])


def test_nearest_mean_of_one_example_a_class_is_the_nearest_example(
    rng: np.random.Generator,
) -> None:
    rows, names = examples(rng, 4, 1, 8)
    photos, _ = examples(rng, 4, 25, 8)

    head = NearestMean().fit(rows, names)

    np.testing.assert_array_equal(head.predict(photos), names[np.argmax(photos @ rows.T, axis=1)])
    np.testing.assert_allclose(head.decision_function(photos), photos @ rows.T, atol=1e-6)


def test_nearest_mean_is_its_definition_written_out(rng: np.random.Generator) -> None:
    rows, names = examples(rng, 3, 7, 5)
    photos, _ = examples(rng, 3, 10, 5)

    scores = NearestMean().fit(rows, names).decision_function(photos)

    for photo, found in zip(photos, scores, strict=True):
        for number, name in enumerate(sorted(set(names))):
            members = [row for row, its in zip(rows, names, strict=True) if its == name]
            mean = sum(members) / len(members)
            cosine = sum(a * b for a, b in zip(photo, mean, strict=True)) / sum(mean**2) ** 0.5
            assert found[number] == pytest.approx(cosine, abs=1e-5)


@pytest.mark.parametrize(("classes", "C"), [(2, 10.0), (3, 1.0), (5, 10.0)])
def test_logistic_regression_minimises_its_definition(
    rng: np.random.Generator, classes: int, C: float
) -> None:
    rows, names = examples(rng, classes, 8, 4)
    rows, names = rows[3:], names[3:]  # classes of unequal size
    numbers = np.unique(names, return_inverse=True)[1]
    share = len(rows) / (classes * np.bincount(numbers))  # balanced weights

    def loss(flat: np.ndarray) -> float:
        parts = flat.reshape(classes, 5)
        weights, bias = parts[:, :4], parts[:, 4]
        total = (2 if classes == 2 else 1) * np.sum(weights**2) / 2
        for row, number in zip(rows, numbers, strict=True):
            logits = weights @ row + bias
            log_sum = np.log(np.sum(np.exp(logits - logits.max()))) + logits.max()
            total += C * share[number] * (log_sum - logits[number])
        return float(total)

    head = Logistic(C=C, temperature=1.0).fit(rows, names)
    slow = minimize(loss, np.zeros(classes * 5), options={"gtol": 1e-5})
    parts = slow.x.reshape(classes, 5)

    found = head.predict_proba(rows)
    np.testing.assert_allclose(found, softmax(rows @ parts[:, :4].T + parts[:, 4]), atol=2e-3)


def test_the_two_scores_of_two_classes_are_opposite(rng: np.random.Generator) -> None:
    rows, names = examples(rng, 2, 6, 4)

    head = Logistic().fit(rows, names)

    np.testing.assert_array_equal(head.coef_[0], -head.coef_[1])
    np.testing.assert_array_equal(head.intercept_[0], -head.intercept_[1])


def test_softmax_of_equal_scores_is_even_and_of_distant_ones_certain() -> None:
    scores = np.array([[3.0, 3.0], [1000.0, -1000.0]])

    np.testing.assert_allclose(softmax(scores), [[0.5, 0.5], [1.0, 0.0]])


def test_a_temperature_of_a_hundred_evens_probabilities_out() -> None:
    scores = np.array([[1.0, 0.0]])

    cold, warm = softmax(scores, temperature=0.1), softmax(scores, temperature=100.0)

    assert cold[0, 0] == pytest.approx(1 / (1 + np.exp(-10)))
    assert warm[0, 0] == pytest.approx(0.5, abs=0.01)
