"""What is suggested for labelling, and why."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.fewshot.estimator import fit_head
from app.fewshot.regions import Regions, find_regions
from app.fewshot.suggest import Photos, Scored, suggest, suggest_of
from indexer.labels import NONE


def gallery(seed: int = 0, *, clusters: int = 4, each: int = 40, dim: int = 8) -> Photos:
    """Photos 100, 101, ... around one axis a cluster, cluster after cluster."""
    rng = np.random.default_rng(seed)
    rows = np.repeat(np.eye(dim)[:clusters], each, axis=0)
    rows = rows + 0.15 * rng.normal(size=rows.shape)
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    numbers = np.repeat(np.arange(clusters), each)
    typicality = rng.random(len(rows)).astype(np.float32)
    return Photos(100 + np.arange(len(rows)), rows, Regions(numbers, typicality))


def scored(photos: Photos, labels: dict[int, str]) -> Scored:
    places = np.searchsorted(photos.ids, list(labels))
    return Scored.of(fit_head(photos.rows[places], list(labels.values())), photos.rows)


def labelled(photos: Photos, each: int, classes: str = "ab") -> dict[int, str]:
    """The first photos of the first clusters."""
    return {100 + 40 * c + i: name for c, name in enumerate(classes) for i in range(each)}


def cluster_of(photo_id: int) -> int:
    return (photo_id - 100) // 40


def test_without_labels_the_most_typical_photo_of_every_region_comes_first() -> None:
    photos = gallery()

    found = suggest(photos, {}, None, count=4)

    typicality = photos.regions.typicality.reshape(4, 40)
    assert {s.photo_id for s in found} == {
        100 + 40 * c + int(typicality[c].argmax()) for c in range(4)
    }
    assert {(s.name, s.confidence, s.why) for s in found} == {(None, None, "typical")}


def test_regions_without_labels_come_before_those_with_some() -> None:
    photos = gallery()

    found = suggest(photos, {100: "a", 150: "a", 190: "b"}, None, count=5)

    assert [cluster_of(s.photo_id) for s in found][:1] == [3]
    assert sorted(cluster_of(s.photo_id) for s in found) == [0, 1, 2, 3, 3]


def test_thin_classes_are_filled_in_turns_with_typical_photos() -> None:
    photos = gallery()
    labels = {100: "a", 140: "b", 141: "b", 142: "b", 143: "b", 144: "b"}

    found = suggest(photos, labels, scored(photos, labels), count=8)

    assert [s.why for s in found] == ["typical", "sure"] * 4
    assert {cluster_of(s.photo_id) for s in found if s.why == "sure"} == {0}
    assert {s.name for s in found if s.why == "sure"} == {"a"}


def test_one_class_gets_its_lookalikes_and_claims_no_confidence() -> None:
    photos = gallery()
    labels = {100: "a"}

    found = suggest(photos, labels, scored(photos, labels), count=8)

    assert {cluster_of(s.photo_id) for s in found if s.why == "sure"} == {0}
    assert {(s.name, s.confidence) for s in found} == {(None, None)}


def test_none_of_these_need_not_be_filled() -> None:
    photos = gallery()
    labels = {**labelled(photos, 6), 220: NONE}

    found = suggest(photos, labels, scored(photos, labels), count=12)

    assert {s.why for s in found} <= {"unsure", "audit"}


def test_later_the_smallest_margins_are_asked_with_a_share_of_random_draws() -> None:
    photos = gallery()
    labels = labelled(photos, 6)
    scores = scored(photos, labels)

    found = suggest(photos, labels, scores, count=20)

    audits = [s for s in found if s.why == "audit"]
    assert len(audits) in (3, 4)  # 15 % of 20, and the rounding is drawn
    assert len(found) == 20
    assert found[0].why == "audit" or found[0].photo_id in _smallest(photos, labels, scores, 1)
    unsure = {s.photo_id for s in found if s.why == "unsure"}
    assert unsure <= _smallest(photos, labels, scores, 100 + len(audits))


def _smallest(photos: Photos, labels: dict[int, str], scores: Scored, count: int) -> set[int]:
    """The photos with the smallest margins, written out."""
    margins = []
    for place, photo_id in enumerate(photos.ids):
        first, second = sorted(scores.shares[place], reverse=True)[:2]
        if photo_id not in labels:
            margins.append((first - second, int(photo_id)))
    return {photo_id for _, photo_id in sorted(margins)[:count]}


def test_unsure_photos_are_no_copies_of_each_other() -> None:
    photos = gallery()
    rows = np.where(np.arange(160)[:, None] >= 80, photos.rows[80], photos.rows)
    copied = Photos(photos.ids, rows, photos.regions)
    labels = labelled(copied, 6)

    found = suggest(copied, labels, scored(copied, labels), count=10)

    copies = [s for s in found if s.why == "unsure" and s.photo_id >= 180]
    assert len(copies) <= 1


def test_one_at_a_time_has_its_share_of_random_draws() -> None:
    photos = gallery()
    labels = labelled(photos, 6)
    scores = scored(photos, labels)

    draws = [suggest(photos, labels, scores, count=1, seed=seed)[0] for seed in range(400)]

    audits = [s.photo_id for s in draws if s.why == "audit"]
    assert 0.10 < len(audits) / 400 < 0.20
    assert len(set(audits)) > len(audits) / 2  # from all over the gallery


def test_sure_photos_of_a_class_come_surest_first() -> None:
    photos = gallery()
    labels = labelled(photos, 6)

    found = suggest_of(photos, labels, scored(photos, labels), "b", count=30)

    confidences = [s.confidence for s in found if s.confidence is not None]
    assert confidences == sorted(confidences, reverse=True)
    assert {(s.name, s.why) for s in found} == {("b", "sure")}
    assert not {s.photo_id for s in found} & set(labels)
    assert cluster_of(found[0].photo_id) == 1


def test_lookalikes_of_the_only_class_are_ranked() -> None:
    photos = gallery()
    labels = {100: "a"}

    found = suggest_of(photos, labels, scored(photos, labels), "a", count=39)

    assert {cluster_of(s.photo_id) for s in found} == {0}


@given(st.integers(0, 1000), st.integers(0, 170), st.integers(0, 12), st.booleans())
def test_suggestions_are_distinct_unlabelled_and_as_many_as_can_be(
    seed: int, count: int, each: int, with_head: bool
) -> None:
    photos = gallery()
    labels = labelled(photos, each)
    rng = np.random.default_rng(seed)
    skip = {int(i) for i in rng.choice(photos.ids, size=20)}
    scores = scored(photos, labels) if with_head and each else None

    found = [s.photo_id for s in suggest(photos, labels, scores, count=count, seed=seed, skip=skip)]

    left = set(map(int, photos.ids)) - set(labels) - skip
    assert len(found) == len(set(found)) == min(count, len(left))
    assert set(found) <= left
    assert found == [
        s.photo_id for s in suggest(photos, labels, scores, count=count, seed=seed, skip=skip)
    ]


def test_an_empty_gallery_has_nothing_to_suggest() -> None:
    rows = np.empty((0, 8), np.float32)

    assert suggest(Photos(np.empty(0, np.int64), rows, find_regions(rows)), {}, None) == []


def test_labels_of_photos_that_left_the_gallery_do_no_harm() -> None:
    photos = gallery()

    assert len(suggest(photos, {7: "a"}, None, count=4)) == 4


def test_clear_clusters_are_found_and_their_middle_is_typical() -> None:
    photos = gallery(each=40)

    found = find_regions(photos.rows)

    truth = np.repeat(np.arange(4), 40)
    assert found.count == 160 // 20
    for region in range(found.count):  # twice as many regions as clusters: none is mixed
        assert len(np.unique(truth[found.numbers == region])) == 1
    np.testing.assert_array_equal(found.numbers, find_regions(photos.rows).numbers)


def test_typicality_is_one_over_the_mean_distance_to_twenty_neighbours() -> None:
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(39, 6))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

    found = find_regions(rows)  # too few photos for a second region

    for row, typical in zip(rows, found.typicality, strict=True):
        distances = sorted(float(np.linalg.norm(row - other)) for other in rows)[1:21]
        assert typical == pytest.approx(20 / sum(distances), rel=1e-3)


def test_copies_of_one_photo_are_one_region() -> None:
    rows = np.repeat(np.eye(4, dtype=np.float32)[:1], 200, axis=0)

    found = find_regions(rows)

    assert found.count == 1
    assert np.isfinite(found.typicality).all()
