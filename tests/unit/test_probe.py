"""The linear probe finds what is linear, and the test rows decide nothing."""

import numpy as np

from training.evaluate import unit
from training.probe import linear_probe


def cloud(rng: np.random.Generator, noise: float) -> tuple[np.ndarray, np.ndarray]:
    codes = np.repeat(np.arange(3), 20)
    centres = np.eye(8)[:3] * 3 + 5  # far from the origin, as embeddings before centring are
    rows = centres[codes] + noise * rng.normal(size=(60, 8))
    return rows.astype(np.float32), codes


def test_separable_classes_are_separated(rng: np.random.Generator) -> None:
    rows, codes = cloud(rng, 0.1)

    assert (linear_probe(rows[::2], codes[::2], rows[1::2]) == codes[1::2]).all()


def test_overlapping_classes_are_found_better_than_by_chance_and_not_perfectly(
    rng: np.random.Generator,
) -> None:
    rows, codes = cloud(rng, 1.5)

    accuracy = (linear_probe(rows[::2], codes[::2], rows[1::2]) == codes[1::2]).mean()

    assert 0.45 < accuracy < 1.0


def test_a_test_row_is_classified_alike_alone_and_in_company(rng: np.random.Generator) -> None:
    rows, codes = cloud(rng, 1.0)

    together = linear_probe(rows[::2], codes[::2], rows[1::2])
    alone = linear_probe(rows[::2], codes[::2], rows[1:2])

    assert alone[0] == together[0]


def test_the_length_of_an_embedding_means_nothing(rng: np.random.Generator) -> None:
    rows, codes = cloud(rng, 1.0)
    lengths = rng.uniform(0.1, 10, size=(60, 1))

    scaled = linear_probe(rows[::2] * lengths[::2], codes[::2], rows[1::2] * lengths[1::2])

    np.testing.assert_array_equal(scaled, linear_probe(unit(rows[::2]), codes[::2], rows[1::2]))


def test_two_photos_a_class_are_enough(rng: np.random.Generator) -> None:
    rows, codes = cloud(rng, 0.1)
    few = np.flatnonzero(np.arange(60) % 20 < 2)

    assert (linear_probe(rows[few], codes[few], rows) == codes).mean() > 0.9
