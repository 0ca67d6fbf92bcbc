"""Judging a classifier: honest folds, honest figures, and the choice of a head."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix

from app.fewshot.calibration import losses
from app.fewshot.estimator import LOGISTIC, MEAN, fit_head
from app.fewshot.folds import Labelled, divided, held_out_logits
from app.fewshot.heads import NearestMean
from app.fewshot.judging import fit_as_judged, judge
from app.fewshot.quality import Quality
from training.errors import Interrupted, LabelError


def clusters(
    rng: np.random.Generator, counts: list[int], *, spread: float = 0.3, dim: int = 8
) -> tuple[np.ndarray, np.ndarray]:
    """Unit rows around one axis a class, and names "a", "b", ... of the classes."""
    numbers = np.repeat(np.arange(len(counts)), counts)
    rows = np.eye(dim)[numbers] + spread * rng.normal(size=(len(numbers), dim))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows.astype(np.float32), np.array(list("abcdefgh"))[numbers]


def judged(rows: np.ndarray, names: np.ndarray, **changed: object) -> Quality:
    words: dict[str, object] = {
        "groups": np.arange(len(rows)),
        "sources": ["search"] * len(rows),
        **changed,
    }
    return judge(rows, names, **words)  # type: ignore[arg-type]


@given(st.integers(0, 10_000), st.integers(2, 8))
def test_near_copies_never_lie_on_both_sides(seed: int, bursts: int) -> None:
    rng = np.random.default_rng(seed)
    rows, names = clusters(rng, [10, 12, 7])
    groups = rng.integers(0, bursts * 3, size=len(rows))
    classes, numbers = np.unique(names, return_inverse=True)
    labelled = Labelled(rows, numbers, groups, tuple(classes))
    if labelled.judged.sum() < 2:
        return

    for folds in divided(labelled, seed=seed):
        held = np.concatenate([part for _, part in folds])
        assert len(np.unique(held)) == len(held)
        np.testing.assert_array_equal(
            np.sort(held), np.flatnonzero(labelled.judged[labelled.numbers])
        )
        for learned, part in folds:
            assert not np.isin(groups[learned], groups[part]).any()


def test_held_out_answers_are_those_of_a_head_without_the_fold(rng: np.random.Generator) -> None:
    rows, names = clusters(rng, [6, 6])
    labelled = Labelled(rows, (names == "b").astype(int), np.arange(12), ("a", "b"))
    divisions = divided(labelled, seed=1)

    logits = held_out_logits(labelled, divisions, NearestMean, stop=lambda: False)

    for plane, folds in zip(logits, divisions, strict=True):
        for learned, held in folds:
            head = fit_head(rows[learned], names[learned], kind=MEAN)
            np.testing.assert_allclose(plane[held], head.logits(rows[held]), atol=1e-5)


def test_copies_do_not_flatter_when_their_groups_are_told(rng: np.random.Generator) -> None:
    rows, _ = clusters(rng, [40])
    names = np.where(rng.random(20) < 0.5, "a", "b")  # names that mean nothing
    copied, twice = np.repeat(rows[:20], 2, axis=0), np.repeat(names, 2)

    flattered = judged(copied, twice, groups=np.arange(40))
    honest = judged(copied, twice, groups=np.repeat(np.arange(20), 2))

    neighbours = [q.candidates[-1].macro_f1 for q in (flattered, honest)]
    assert neighbours[0] > neighbours[1] + 0.2


def test_well_separated_classes_are_judged_perfect(rng: np.random.Generator) -> None:
    quality = judged(*clusters(rng, [25, 30, 22], spread=0.02))

    assert quality.macro_f1.value == 1
    assert quality.classes == ("a", "b", "c")
    np.testing.assert_array_equal(quality.confusion, np.diag([25, 30, 22]))
    assert [(c.name, c.labels, c.precision, c.recall, c.f1) for c in quality.per_class] == [
        ("a", 25, 1, 1, 1), ("b", 30, 1, 1, 1), ("c", 22, 1, 1, 1),
    ]  # fmt: skip
    assert quality.enough
    assert quality.suspicious == ()


def test_figures_follow_from_the_answers_about_unseen_photos(rng: np.random.Generator) -> None:
    rows, names = clusters(rng, [12, 9, 15], spread=0.6)

    quality = judged(rows, names)

    said = np.array(quality.classes)[quality.probabilities.argmax(axis=1)]
    table = confusion_matrix(names, said)
    np.testing.assert_array_equal(quality.confusion, table)
    for number, found in enumerate(quality.per_class):
        assert found.recall == pytest.approx(table[number, number] / table[number].sum())
        assert found.precision == pytest.approx(table[number, number] / table[:, number].sum())
    assert quality.macro_f1.low < quality.macro_f1.value < quality.macro_f1.high
    assert quality.macro_f1.value == pytest.approx(np.mean([c.f1 for c in quality.per_class]))
    np.testing.assert_allclose(quality.probabilities.sum(axis=1), 1, atol=1e-5)


def test_below_twenty_labels_nothing_is_calibrated_and_no_strength_is_chosen(
    rng: np.random.Generator,
) -> None:
    few = judged(*clusters(rng, [25, 19]))
    thin = judged(*clusters(rng, [25, 4]))

    assert (few.temperature, few.enough) == (None, False)
    assert [(c.kind, c.c) for c in few.candidates] == [
        (LOGISTIC, 1.0), (MEAN, None), ("k-NN", None),
    ]  # fmt: skip
    assert (thin.kind, [c.kind for c in thin.candidates]) == (MEAN, [MEAN, "k-NN"])


def test_from_twenty_labels_on_probabilities_are_calibrated(rng: np.random.Generator) -> None:
    rows, names = clusters(rng, [60, 60], spread=0.8)
    fresh, truth = clusters(rng, [2000, 2000], spread=0.8)

    quality = judged(rows, names)
    plain, calibrated = fit_head(rows, names, kind=MEAN), fit_as_judged(rows, names, quality)

    assert calibrated.temperature == quality.temperature
    found = [
        losses(
            head.logits(fresh).astype(float), (truth == "b").astype(int),
            temperature=head.temperature,
        ).mean()
        for head in (plain, calibrated)
    ]  # fmt: skip
    assert found[1] < found[0]


def test_the_head_with_the_least_loss_is_chosen_or_the_default_if_as_good(
    rng: np.random.Generator,
) -> None:
    quality = judged(*clusters(rng, [30, 30, 30], spread=0.5))

    tried = {(c.kind, c.c): c.loss for c in quality.candidates if c.loss is not None}
    assert len(tried) == 6
    chosen = tried[quality.kind, quality.c]
    assert chosen == min(tried.values()) or (quality.kind, quality.c) == (LOGISTIC, 1.0)


def test_a_class_of_one_photo_is_learned_from_but_not_judged(rng: np.random.Generator) -> None:
    quality = judged(*clusters(rng, [6, 6, 1]))

    alone = quality.per_class[2]
    assert (alone.labels, alone.recall, alone.f1) == (1, None, None)
    assert np.isnan(quality.probabilities[12]).all()
    assert np.isfinite(quality.probabilities[:12]).all()
    assert quality.macro_f1.value == pytest.approx(np.mean([c.f1 for c in quality.per_class[:2]]))


def test_a_burst_of_one_scene_counts_as_one_photo(rng: np.random.Generator) -> None:
    rows, names = clusters(rng, [3, 3])

    with pytest.raises(LabelError, match="too few labels to judge"):
        judged(rows, names, groups=np.array([0, 0, 0, 1, 2, 3]))


def test_random_draws_are_judged_apart(rng: np.random.Generator) -> None:
    rows, names = clusters(rng, [10, 10], spread=0.05)
    wrong = names.copy()
    wrong[[0, 1]] = "b"
    sources = ["random"] * 4 + ["suggested"] * 10 + ["lasso"] * 6

    quality = judged(rows, wrong, sources=sources)

    assert quality.audit is not None
    assert (quality.audit.labels, quality.audit.accuracy.value) == (4, 0.5)
    assert [(s.source, s.labels, s.accuracy.value) for s in quality.by_source] == [
        ("lasso", 6, 1.0), ("suggested", 10, 1.0),
    ]  # fmt: skip
    assert judged(rows, names).audit is None


def test_swapped_labels_are_suspected_first(rng: np.random.Generator) -> None:
    rows, names = clusters(rng, [25, 25, 25], spread=0.2)
    names[[3, 40]] = ["c", "a"]

    suspicious = judged(rows, names).suspicious

    assert {(s.row, s.name, s.likely) for s in suspicious} == {(3, "c", "a"), (40, "a", "b")}
    assert all(s.confidence > 0.5 for s in suspicious)


def test_the_same_labels_are_judged_the_same(rng: np.random.Generator) -> None:
    rows, names = clusters(rng, [9, 11, 8], spread=0.7)

    one, other = judged(rows, names), judged(rows, names)

    assert one.macro_f1 == other.macro_f1
    assert one.candidates == other.candidates
    np.testing.assert_array_equal(one.probabilities, other.probabilities)


def test_renamed_classes_are_judged_the_same(rng: np.random.Generator) -> None:
    rows, names = clusters(rng, [9, 11, 8], spread=0.7)

    one = judged(rows, names)
    other = judged(rows, np.char.add("x", names))

    assert other.macro_f1 == one.macro_f1
    np.testing.assert_array_equal(other.confusion, one.confusion)


def test_judging_stops_when_asked(rng: np.random.Generator) -> None:
    with pytest.raises(Interrupted):
        judged(*clusters(rng, [5, 5]), stop=lambda: True)


@pytest.mark.parametrize(
    "changed",
    [
        lambda names: np.append(names, "z"),  # a class came
        lambda names: names[25:],  # a class went
        lambda names: names[22:],  # a class thinned out
    ],
)
def test_a_judgement_of_other_labels_is_not_followed(
    rng: np.random.Generator, changed: Callable[[np.ndarray], np.ndarray]
) -> None:
    rows, names = clusters(rng, [25, 25, 25], spread=0.5)
    quality = judged(rows, names)
    assert quality.temperature is not None
    later = changed(names)
    photos = np.vstack([rows, rows[:1]])[-len(later) :]

    head = fit_as_judged(photos, later, quality)

    auto = fit_head(photos, later)
    assert (head.reason, head.temperature) == (auto.reason, auto.temperature)


def test_a_judgement_of_thin_classes_does_not_hold_logistic_regression_back(
    rng: np.random.Generator,
) -> None:
    rows, names = clusters(rng, [5, 5])
    thin = judged(rows[1:], names[1:])

    assert thin.kind == MEAN
    assert fit_as_judged(rows, names, thin).kind == LOGISTIC
    assert fit_as_judged(rows, names, None).kind == LOGISTIC
