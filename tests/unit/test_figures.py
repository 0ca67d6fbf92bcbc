"""Figures without labels against slow transcriptions, and what counts as a change."""

import math

import numpy as np
import pytest

from training.errors import RunError
from training.evaluate import effective_rank, rank_of_gram, unit
from training.figures import Sight, changes, five_shot, misalignments, quality_of, uniformity


def sight(
    rng: np.random.Generator,
    *,
    noise: float,
    blur: float | None = None,
    classes: int = 3,
    count: int = 30,
) -> Sight:
    """Photos about their classes' centres, and views about the photos."""
    labels = np.arange(count) % classes
    centres = np.random.default_rng(1).normal(size=(classes, 16))
    photos = centres[labels] + noise * rng.normal(size=(count, 16))
    apart = noise if blur is None else blur
    views = [photos + apart * rng.normal(size=(count, 16)) for _ in range(2)]
    return Sight(unit(photos), views[0], views[1], photos[:, :8], labels)


def test_alignment_is_its_definition(rng: np.random.Generator) -> None:
    first, second = rng.normal(size=(20, 5)), rng.normal(size=(20, 5))
    slow = [
        sum(
            (a / math.hypot(*one) - b / math.hypot(*two)) ** 2
            for a, b in zip(one, two, strict=True)
        )
        for one, two in zip(first, second, strict=True)
    ]

    np.testing.assert_allclose(misalignments(first, second), slow)
    np.testing.assert_allclose(misalignments(first, 3 * first), 0, atol=1e-12)
    np.testing.assert_allclose(misalignments(first, -first), 4)


def test_uniformity_is_its_definition(rng: np.random.Generator) -> None:
    rows = unit(rng.normal(size=(12, 4)))
    pairs = [
        math.exp(-2 * sum((a - b) ** 2 for a, b in zip(rows[i], rows[j], strict=True)))
        for i in range(12)
        for j in range(12)
        if i != j
    ]

    assert uniformity(rows) == pytest.approx(math.log(sum(pairs) / len(pairs)))
    assert uniformity(np.ones((5, 3))) == pytest.approx(0.0)
    assert uniformity(np.eye(3)) == pytest.approx(-4.0)
    assert uniformity(np.ones((1, 3))) == 0.0


def test_the_rank_needs_only_the_products_of_the_rows(rng: np.random.Generator) -> None:
    rows = rng.normal(size=(20, 50))

    assert rank_of_gram(rows @ rows.T) == pytest.approx(effective_rank(rows))


def test_five_examples_a_class_are_enough_for_separated_classes(rng: np.random.Generator) -> None:
    clear, mixed = sight(rng, noise=0.05), sight(rng, noise=5.0)

    assert np.nanmean(five_shot(clear.embeddings, clear.labels)) == 1.0  # type: ignore[arg-type]
    assert 0.2 < np.nanmean(five_shot(mixed.embeddings, mixed.labels)) < 0.6  # type: ignore[arg-type]


def test_small_classes_are_not_asked_in_five_shot(rng: np.random.Generator) -> None:
    rows, labels = unit(rng.normal(size=(19, 8))), np.array([0] * 7 + [1] * 7 + [2] * 5)

    found = five_shot(rows, labels)

    assert found is not None
    assert np.isnan(found[14:]).all()
    assert not np.isnan(found[:14]).any()
    assert five_shot(rows[:7], labels[:7]) is None


def test_every_figure_is_known_with_labels_and_projections(rng: np.random.Generator) -> None:
    known = quality_of(sight(rng, noise=0.3)).to_json()

    assert set(known) == {
        "retrieval", "rank", "spread", "alignment", "uniformity", "projection_rank",
        "projection_spread", "knn", "five_shot",
    }  # fmt: skip
    bare = sight(rng, noise=0.3)
    few = quality_of(Sight(bare.embeddings, bare.first, bare.second)).to_json()
    assert set(few) == {"retrieval", "rank", "spread", "alignment", "uniformity"}


def test_a_network_has_not_changed_from_itself(rng: np.random.Generator) -> None:
    same = sight(rng, noise=0.5)

    for name, change in changes(same, same).items():
        assert (change.value, change.low, change.high) == (0, 0, 0), name


def test_a_clear_change_is_called_one_and_goes_the_right_way(rng: np.random.Generator) -> None:
    before, after = sight(rng, noise=2.0), sight(rng, noise=0.1, blur=0.01)

    found = changes(after, before)

    for name in ("retrieval", "alignment", "rank", "knn", "five_shot"):
        assert found[name].excludes_zero, name
    assert found["retrieval"].value > 0
    assert found["alignment"].value < 0
    assert found["rank"].value < 0  # three tight classes span few directions
    before_rank, after_rank = quality_of(before).rank, quality_of(after).rank
    assert found["rank"].value == pytest.approx(after_rank - before_rank)


def test_noise_alone_is_called_no_change(rng: np.random.Generator) -> None:
    found = changes(sight(rng, noise=1.0, count=60), sight(rng, noise=1.0, count=60))

    assert sum(change.excludes_zero for change in found.values()) <= 1


def test_outputs_that_are_no_numbers_are_an_error_in_words(rng: np.random.Generator) -> None:
    rows = rng.normal(size=(4, 3))
    lost = rows.copy()
    lost[2, 1] = np.inf

    with pytest.raises(RunError, match="diverged") as raised:
        Sight(rows, rows, lost)
    assert "--lr" in raised.value.hint
