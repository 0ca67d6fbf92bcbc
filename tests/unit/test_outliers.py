"""Outliers: photos that look like no other."""

from typing import Any

import numpy as np
import pytest

from indexer.outliers import find_outliers, neighbour_scores


@pytest.mark.parametrize("neighbours", [1, 3, 50])
def test_a_score_is_the_mean_cosine_to_the_nearest_others(
    rng: np.random.Generator, neighbours: int
) -> None:
    rows = rng.normal(size=(20, 5)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    expected = []
    for position in range(20):
        scores = sorted(float(rows[o] @ rows[position]) for o in range(20) if o != position)
        expected.append(np.mean(scores[::-1][:neighbours]))
    assert neighbour_scores(rows, neighbours=neighbours) == pytest.approx(expected, abs=1e-5)


def test_a_photo_without_any_other_is_not_alone() -> None:
    assert neighbour_scores(np.ones((1, 1), np.float32)).tolist() == [1]
    assert neighbour_scores(np.empty((0, 4), np.float32)).tolist() == []


def test_the_one_blue_photo_among_reds_comes_first(studio: Any) -> None:
    for name in ("a.png", "b.png", "c.png", "sub/d.png"):
        (studio.photos / name).unlink()
    for shade in range(12):
        studio.paint(f"red-{shade}.png", (200 + shade, 10, 10))
    studio.paint("blue.png", "blue")
    studio.build()
    found = find_outliers(studio.gallery(), count=3)
    assert found[0].path == b"blue.png"
    assert len(found) == 3
    assert [one.score for one in found] == sorted(one.score for one in found)
