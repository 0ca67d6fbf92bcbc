"""None of these: what keeps its class, and how a setting moves the bars."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.fewshot.estimator import Head, fit_head
from app.fewshot.folds import Labelled
from app.fewshot.judging import fit_as_judged, judge
from app.fewshot.rejection import Rejection
from indexer.labels import NONE


def photos(
    rng: np.random.Generator, numbers: np.ndarray, *, spread: float = 0.25, dim: int = 8
) -> np.ndarray:
    rows = np.eye(dim)[numbers] + spread * rng.normal(size=(len(numbers), dim))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def among(rows: np.ndarray, others: np.ndarray | None = None) -> dict[str, Any]:
    """Labelled photos in a gallery with others."""
    gallery = rows if others is None else np.concatenate([rows, others])
    return {"gallery": gallery, "labelled": np.arange(len(gallery)) < len(rows)}


def learned(
    rng: np.random.Generator, *, each: int = 20, names: str = "abc", with_judge: bool = True
) -> tuple[Rejection, Head]:
    """Three classes; the gallery has two more clusters than these."""
    numbers = np.repeat(np.arange(len(names)), each)
    rows = photos(rng, numbers)
    called = [NONE if names[n] == "0" else names[n] for n in numbers]
    groups, sources = np.arange(len(rows)), ["search"] * len(rows)
    quality = judge(rows, called, groups=groups, sources=sources) if with_judge else None
    others = photos(rng, np.arange(500) % (len(names) + 2))
    head = fit_as_judged(rows, called, quality)
    shots = Labelled.of(rows, called, groups)
    return Rejection.fit(head, shots, quality, **among(rows, others)), head


def test_known_photos_keep_their_class_and_unknown_ones_are_none(
    rng: np.random.Generator,
) -> None:
    rejection, head = learned(rng)

    known = rejection.apply(head, photos(rng, np.repeat([0, 1, 2], 100)))
    unknown = rejection.apply(head, photos(rng, np.repeat([4, 5], 100)))

    assert np.mean(np.array(known) == np.repeat(["a", "b", "c"], 100)) > 0.8
    assert np.mean([said == NONE for said in unknown]) > 0.8


def test_complete_keeps_everything_and_strict_next_to_nothing(rng: np.random.Generator) -> None:
    rejection, head = learned(rng)
    evidence = rejection.evidence(head, photos(rng, np.repeat(np.arange(6), 50)))

    assert rejection.keeps(evidence, 1.0).all()
    assert rejection.keeps(evidence, 0.0).mean() < 0.1
    assert rejection.outlook(1.0).coverage == 1
    assert rejection.outlook(0.0).coverage < 0.1


@given(st.floats(0, 1), st.floats(0, 1), st.booleans())
def test_a_stricter_setting_keeps_some_of_what_a_more_complete_one_keeps(
    one: float, other: float, with_judge: bool
) -> None:
    rng = np.random.default_rng(5)
    rejection, head = LEARNED[with_judge]
    evidence = rejection.evidence(head, photos(rng, np.repeat(np.arange(6), 50)))
    strict, complete = sorted((one, other))

    kept, more = (rejection.keeps(evidence, setting) for setting in (strict, complete))

    assert not (kept & ~more).any()
    assert rejection.outlook(strict).coverage <= rejection.outlook(complete).coverage


@given(st.floats(0, 1), st.booleans())
def test_the_coverage_that_is_shown_is_what_the_gallery_gets(
    setting: float, with_judge: bool
) -> None:
    rejection, head = LEARNED[with_judge]

    outlook = rejection.outlook(setting)

    said = rejection.apply(head, GALLERY, setting)
    assert outlook.kept == sum(name != NONE for name in said)
    assert (outlook.photos, outlook.coverage) == (560, outlook.kept / 560)


@given(st.floats(0, 1))
def test_the_asked_for_share_of_right_answers_about_the_gallery_keeps_its_class(
    setting: float,
) -> None:
    rejection, _ = LEARNED[True]

    kept = rejection.keeps(rejection.judged, setting)

    right = rejection.judged.said == rejection.truth
    weights = rejection.weights
    assert weights[right & kept].sum() >= (setting - 1e-6) * weights[right].sum()


def test_no_bar_is_lower_than_it_need_be(rng: np.random.Generator) -> None:
    rejection, _ = learned(rng, each=40)
    right = rejection.judged.said == rejection.truth
    weights = rejection.weights[right]

    kept = rejection.keeps(rejection.judged, 0.9)[right]

    assert weights[kept].sum() / weights.sum() == pytest.approx(0.9, abs=0.02)


def test_labels_that_are_nearer_than_the_gallery_do_not_set_its_bars(
    rng: np.random.Generator,
) -> None:
    """The flaw of the walk: what people accept as the surest is nearer than the rest."""
    numbers = np.arange(2000) % 3
    rows = photos(rng, numbers, spread=0.5)
    near = rows[np.arange(2000), numbers].astype(np.float64)
    likely = np.exp(6 * near)
    surest = rng.choice(2000, 180, replace=False, p=likely / likely.sum())
    shots = Labelled.of(rows[surest], np.array(list("abc"))[numbers[surest]], np.arange(180))
    names = [shots.classes[number] for number in shots.numbers]
    quality = judge(shots.rows, names, groups=shots.groups, sources=["suggested"] * 180)
    head = fit_as_judged(shots.rows, names, quality)

    rejection = Rejection.fit(
        head, shots, quality, gallery=rows, labelled=np.isin(np.arange(2000), surest)
    )

    right = rejection.gallery.said == numbers
    as_they_are = replace(rejection, weights=np.ones(180))
    assert as_they_are.keeps(rejection.gallery)[right].mean() < 0.7
    assert rejection.keeps(rejection.gallery)[right].mean() > 0.8


def test_likeness_is_the_cosine_to_the_mean_of_the_class_that_was_said(
    rng: np.random.Generator,
) -> None:
    rejection, head = learned(rng)
    rows = photos(rng, np.repeat([0, 1, 2, 3], 5))

    evidence = rejection.evidence(head, rows)

    for row, said, near in zip(rows, evidence.said, evidence.near, strict=True):
        assert near == pytest.approx(float(row @ rejection.means[said]), abs=1e-6)
    np.testing.assert_array_equal(evidence.said, head.probabilities(rows).argmax(axis=1))


def test_a_labelled_photo_does_not_vouch_for_itself_nor_do_its_copies() -> None:
    rows = np.eye(4, dtype=np.float32)[[0, 0, 1, 2, 2, 3]]
    names, groups = ["a", "a", "a", "b", "b", "b"], np.array([0, 0, 1, 2, 2, 3])
    quality = judge(rows, names, groups=groups, sources=["search"] * 6)

    head = fit_as_judged(rows, names, quality)
    rejection = Rejection.fit(head, Labelled.of(rows, names, groups), quality, **among(rows))

    # Without its group each is at right angles to the rest of its class, or class-less.
    np.testing.assert_allclose(rejection.judged.near, 0, atol=1e-6)


def test_what_is_said_to_be_none_of_these_is_never_kept(rng: np.random.Generator) -> None:
    rejection, head = learned(rng, names="ab0")

    said = rejection.apply(head, photos(rng, np.repeat(2, 50)), 1.0)

    assert np.mean([name == NONE for name in said]) > 0.9
    assert rejection.bars(1.0).near[rejection.classes.index(NONE)] == np.inf


def test_kept_photos_that_belong_to_no_class_count_against_precision(
    rng: np.random.Generator,
) -> None:
    rejection, _ = learned(rng, names="ab0")

    outlook = rejection.outlook(1.0)

    none = rejection.classes.index(NONE)
    kept = rejection.judged.said != none
    weights = rejection.weights * kept
    right = rejection.judged.said == rejection.truth
    assert outlook.precision is not None
    assert outlook.precision.value == pytest.approx(weights[right].sum() / weights.sum())
    assert outlook.judged == int(weights.sum() ** 2 / (weights**2).sum())


def test_without_a_judgement_a_photo_has_to_be_more_like_a_class_than_chance(
    rng: np.random.Generator,
) -> None:
    rejection, head = learned(rng, each=2, with_judge=False)

    bars = rejection.bars()
    evidence = rejection.evidence(head, photos(rng, np.repeat([0, 5], 100)))

    assert bars.share == -np.inf
    assert bars.near == pytest.approx([np.quantile(rejection.chance, 0.8)] * 3)
    kept = rejection.keeps(evidence)
    assert kept[:100].mean() > kept[100:].mean() + 0.2
    assert rejection.outlook().precision is None


def test_a_thin_class_shares_the_bar_of_the_others(rng: np.random.Generator) -> None:
    numbers = np.repeat([0, 1], [30, 6])
    rows, names = photos(rng, numbers), np.array(["a", "b"])[numbers]
    groups = np.arange(36)
    quality = judge(rows, names.tolist(), groups=groups, sources=["search"] * 36)

    head = fit_as_judged(rows, names.tolist(), quality)
    shots = Labelled.of(rows, names.tolist(), groups)
    bars = Rejection.fit(head, shots, quality, **among(rows)).bars(0.9)

    assert np.isfinite(bars.near).all()
    assert bars.near[0] != bars.near[1]


def test_bars_are_not_applied_to_another_kind_of_head_or_other_classes(
    rng: np.random.Generator,
) -> None:
    rejection, head = learned(rng)
    rows = photos(rng, np.arange(6) % 3)

    assert rejection.fits(head)
    assert not rejection.fits(fit_head(rows, list("abcabc")))  # nearest mean
    assert not rejection.fits(fit_head(rows, list("abdabd"), kind="logistic"))


def gallery_of_learned() -> np.ndarray:
    rng = np.random.default_rng(4)
    return np.concatenate([photos(rng, np.repeat([0, 1, 2], 20)), photos(rng, np.arange(500) % 5)])


GALLERY = gallery_of_learned()
LEARNED = {judged: learned(np.random.default_rng(4), with_judge=judged) for judged in (True, False)}
