"""A head for the labels there are: which kind, and what it answers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.fewshot.estimator import LOGISTIC, MEAN, fit_head, rank_by_examples
from indexer.labels import NONE
from training.errors import LabelError


def unit_rows(rng: np.random.Generator, count: int, dim: int = 6) -> np.ndarray:
    rows = rng.normal(size=(count, dim))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_four_labels_in_the_smallest_class_make_a_nearest_mean(rng: np.random.Generator) -> None:
    head = fit_head(unit_rows(rng, 10), ["hat"] * 4 + ["shoe"] * 6)

    assert (head.kind, head.classes, head.c) == (MEAN, ("hat", "shoe"), None)
    assert '"hat", has 4 labels' in head.reason


def test_five_labels_in_every_class_make_a_logistic_regression(rng: np.random.Generator) -> None:
    head = fit_head(unit_rows(rng, 11), ["hat"] * 5 + ["shoe"] * 6)

    assert head.kind == LOGISTIC
    assert head.c is not None


def test_none_of_these_does_not_decide_the_kind_beside_two_classes(
    rng: np.random.Generator,
) -> None:
    five = ["hat"] * 5 + ["shoe"] * 5

    assert fit_head(unit_rows(rng, 11), [*five, NONE]).kind == LOGISTIC
    assert fit_head(unit_rows(rng, 6), [*five[:5], NONE]).kind == MEAN


def test_what_is_asked_for_is_what_is_fitted(rng: np.random.Generator) -> None:
    rows, names = unit_rows(rng, 4), ["a", "b", "a", "b"]

    assert fit_head(rows, names, kind=LOGISTIC, c=3.0).c == 3.0
    assert fit_head(rows, names, kind=MEAN, temperature=0.5).temperature == 0.5


def test_one_class_ranks_and_claims_no_probability(rng: np.random.Generator) -> None:
    rows, photos = unit_rows(rng, 3), unit_rows(rng, 20)

    head = fit_head(rows, ["hat"] * 3)

    order = np.argsort(head.logits(photos)[:, 0])
    np.testing.assert_array_equal(order, np.argsort(rank_by_examples(photos, rows)))
    np.testing.assert_array_equal(head.probabilities(photos), np.ones((20, 1)))


def test_no_labels_and_one_class_for_logistic_regression_are_said(
    rng: np.random.Generator,
) -> None:
    with pytest.raises(LabelError, match="no labels to learn from"):
        fit_head(np.empty((0, 6), np.float32), [])
    with pytest.raises(LabelError, match='only one class, "hat"'):
        fit_head(unit_rows(rng, 6), ["hat"] * 6, kind=LOGISTIC)
    with pytest.raises(LabelError, match="no example to rank by"):
        rank_by_examples(unit_rows(rng, 6), np.empty((0, 6), np.float32))


def test_negatives_count_half_and_none_are_as_an_empty_list(rng: np.random.Generator) -> None:
    photos, liked, unliked = unit_rows(rng, 9), unit_rows(rng, 3), unit_rows(rng, 2)

    scores = rank_by_examples(photos, liked, unliked)

    slow = [
        sum(float(p @ x) for x in liked) / 3 - 0.5 * sum(float(p @ x) for x in unliked) / 2
        for p in photos
    ]
    np.testing.assert_allclose(scores, slow, atol=1e-6)
    np.testing.assert_array_equal(
        rank_by_examples(photos, liked), rank_by_examples(photos, liked, unliked[:0])
    )


def test_logits_are_linear_and_probabilities_the_softmax_of_the_folded_head(
    rng: np.random.Generator,
) -> None:
    photos = unit_rows(rng, 30)
    head = fit_head(unit_rows(rng, 15), ["a", "b", "c"] * 5, temperature=0.3)

    weights, bias = head.folded()
    powers = np.exp(photos @ weights.T + bias)

    assert head.logits(photos).dtype == head.probabilities(photos).dtype == np.float32
    np.testing.assert_allclose(head.logits(photos), photos @ head.weights.T + head.bias, atol=1e-6)
    np.testing.assert_allclose(
        head.probabilities(photos), powers / powers.sum(axis=1, keepdims=True), atol=1e-5
    )


@given(st.integers(0, 1000), st.sampled_from([MEAN, LOGISTIC]))
def test_the_order_of_the_labels_changes_nothing(seed: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    rows, names = unit_rows(rng, 12), np.array(["a", "b", "c"] * 4)
    order = rng.permutation(12)

    one, other = fit_head(rows, names, kind=kind), fit_head(rows[order], names[order], kind=kind)

    np.testing.assert_array_equal(one.weights, other.weights)
    np.testing.assert_array_equal(one.bias, other.bias)


@given(st.integers(0, 1000), st.sampled_from([MEAN, LOGISTIC]), st.integers(2, 4))
def test_renaming_the_classes_only_moves_their_columns(seed: int, kind: str, count: int) -> None:
    rng = np.random.default_rng(seed)
    rows, numbers = unit_rows(rng, 12), np.arange(12) % count
    photos = unit_rows(rng, 8)
    renamed = rng.permutation(count)  # class i is called "name renamed[i]"

    one = fit_head(rows, [f"name {n}" for n in numbers], kind=kind)
    other = fit_head(rows, [f"name {renamed[n]}" for n in numbers], kind=kind)

    np.testing.assert_allclose(
        one.probabilities(photos), other.probabilities(photos)[:, renamed], atol=2e-3
    )


@given(st.integers(0, 1000), st.sampled_from([MEAN, LOGISTIC]))
def test_probabilities_add_up_to_one(seed: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    head = fit_head(unit_rows(rng, 6), ["a", "b", "c"] * 2, kind=kind, c=1000.0)

    found = head.probabilities(unit_rows(rng, 20))

    assert np.all(found >= 0)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
