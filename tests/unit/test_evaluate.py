"""The figures against slow transcriptions of their definitions, and at their limits."""

import math

import numpy as np
import pytest

from training.evaluate import (
    centred,
    effective_rank,
    folder_labels,
    knn_accuracy,
    mean_average_precision,
    precision_at,
    query_figures,
    retrieval_at_1,
    spread,
    unit,
)


def slow_ranking(embeddings: np.ndarray, query: int) -> list[int]:
    rows = [row / math.sqrt(sum(x * x for x in row)) for row in embeddings.astype(float)]
    others = [i for i in range(len(rows)) if i != query]
    return sorted(others, key=lambda i: -float(rows[query] @ rows[i]))


def slow_knn(embeddings: np.ndarray, labels: np.ndarray, k: int, temperature: float) -> float:
    rows = unit(embeddings.astype(float))
    right = 0
    for query in range(len(rows)):
        votes: dict[int, float] = {}
        for other in slow_ranking(embeddings, query)[:k]:
            weight = math.exp(float(rows[query] @ rows[other]) / temperature)
            votes[int(labels[other])] = votes.get(int(labels[other]), 0.0) + weight
        right += max(sorted(votes), key=lambda label: votes[label]) == labels[query]
    return right / len(rows)


def slow_map(embeddings: np.ndarray, labels: np.ndarray) -> float:
    averages = []
    for query in range(len(labels)):
        hits, precisions = 0, []
        for rank, other in enumerate(slow_ranking(embeddings, query), start=1):
            if labels[other] == labels[query]:
                hits += 1
                precisions.append(hits / rank)
        if precisions:
            averages.append(sum(precisions) / len(precisions))
    return sum(averages) / len(averages)


@pytest.fixture
def cloud(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    labels = rng.integers(0, 4, 60)
    centres = rng.normal(size=(4, 6))
    return (centres[labels] + rng.normal(size=(60, 6))).astype(np.float32), labels


@pytest.mark.parametrize("k", [1, 5, 20])
def test_knn_accuracy_is_its_definition(cloud: tuple[np.ndarray, np.ndarray], k: int) -> None:
    assert knn_accuracy(*cloud, k=k) == pytest.approx(slow_knn(*cloud, k, 0.07))


def test_precision_at_k_is_its_definition(cloud: tuple[np.ndarray, np.ndarray]) -> None:
    embeddings, labels = cloud
    slow = np.mean(
        [np.mean(labels[slow_ranking(embeddings, q)[:10]] == labels[q]) for q in range(60)]
    )

    assert precision_at(embeddings, labels, k=10) == pytest.approx(slow)


def test_mean_average_precision_is_its_definition(cloud: tuple[np.ndarray, np.ndarray]) -> None:
    assert mean_average_precision(*cloud) == pytest.approx(slow_map(*cloud), rel=1e-6)


def test_separated_classes_score_one_everywhere() -> None:
    labels = np.repeat(np.arange(3), 12)
    quality = query_figures(np.eye(3, dtype=np.float32)[labels], labels).means()

    assert quality.knn == quality.precision_at_10 == quality.mean_average_precision == 1.0


def test_more_neighbours_than_rows_are_cut(cloud: tuple[np.ndarray, np.ndarray]) -> None:
    embeddings, labels = cloud

    assert knn_accuracy(embeddings[:4], labels[:4], k=100) >= 0.0
    assert precision_at(embeddings[:4], labels[:4], k=100) >= 0.0


def test_the_order_of_the_rows_means_nothing(
    cloud: tuple[np.ndarray, np.ndarray], rng: np.random.Generator
) -> None:
    embeddings, labels = cloud
    order = rng.permutation(len(labels))

    shuffled = query_figures(embeddings[order], labels[order]).means()

    assert shuffled.to_json() == query_figures(embeddings, labels).means().to_json()


def test_effective_rank_counts_equal_directions() -> None:
    assert effective_rank(np.eye(7)) == pytest.approx(7.0)
    assert effective_rank(np.outer(np.arange(1, 9), np.ones(5))) == pytest.approx(1.0)
    assert effective_rank(np.zeros((4, 3))) == 1.0


def test_spread_is_one_for_random_directions_and_zero_for_one(rng: np.random.Generator) -> None:
    assert spread(rng.normal(size=(2000, 64))) == pytest.approx(1.0, abs=0.02)
    assert spread(np.ones((10, 8))) == pytest.approx(0.0, abs=1e-6)


def test_every_view_finds_its_own_photo_when_views_agree(rng: np.random.Generator) -> None:
    first = rng.normal(size=(30, 16))

    assert retrieval_at_1(first, 3 * first) == 1.0
    assert retrieval_at_1(first, np.roll(first, 1, axis=0)) == 0.0


def test_centring_removes_what_all_share_and_keeps_unit_rows(rng: np.random.Generator) -> None:
    rows = centred(rng.normal(size=(100, 8)) + 10)

    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-6)
    assert np.abs(rows.mean(axis=0)).max() < 0.2


def test_folders_are_classes_only_when_they_look_like_it() -> None:
    cats, dogs = [f"cat/{i}".encode() for i in range(5)], [f"dog/{i}".encode() for i in range(5)]

    np.testing.assert_array_equal(folder_labels((*cats, *dogs)), [0] * 5 + [1] * 5)
    assert folder_labels(tuple(cats)) is None
    assert folder_labels((*cats, *dogs, b"loose")) is None
    assert folder_labels(tuple(f"{i}/a".encode() for i in range(10))) is None
    assert folder_labels((b"\xff/1", b"\xff/2", b"\xff/3", b"\xff/4", *cats)) is not None


def test_figures_by_query_average_to_the_figures_of_all(
    cloud: tuple[np.ndarray, np.ndarray],
) -> None:
    embeddings, labels = cloud
    labels = labels.copy()
    labels[0] = 99  # alone in its class: it has no average precision

    found = query_figures(embeddings, labels)
    whole = found.means()

    assert found.knn.mean() == pytest.approx(whole.knn)
    assert found.precision_at_10.mean() == pytest.approx(whole.precision_at_10)
    assert np.nanmean(found.average_precision) == pytest.approx(whole.mean_average_precision)
    assert np.isnan(found.average_precision).nonzero()[0].tolist() == [0]


def test_rows_of_a_network_that_diverges_have_a_length_too() -> None:
    huge = np.array([[3e30, 4e30], [0.0, 0.0]], np.float32)

    np.testing.assert_allclose(unit(huge), [[0.6, 0.8], [0.0, 0.0]], rtol=1e-6)
