"""What the Review page tells: which photos stand for a figure, and how figures are said."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from app.answers import Answers, judged
from app.fewshot.learning import LearningCurve, Step
from app.fewshot.quality import SourceAccuracy
from app.fewshot.rejection import Outlook
from app.labelling import Labelling
from app.review import Review, Reviews
from app.review_words import (
    learning_bars,
    learning_words,
    rejection_words,
    reliability_bars,
    scores,
    share_words,
)
from indexer.labels import Labels
from training.bootstrap import Interval


@pytest.fixture
def answers(studio: Any) -> Answers:
    """Forty warm and cold photos, two of each labelled as the other, and their judgement."""
    draw = np.random.default_rng(3)
    for number in range(20):
        strong, weak = int(draw.integers(180, 255)), int(draw.integers(0, 60))
        studio.paint(f"warm/{number}.png", (strong, weak, weak))
        studio.paint(f"cold/{number}.png", (weak, weak, strong))
    studio.build()
    gallery = studio.gallery()
    labels = Labels(studio.folder / "catalogue.sqlite")
    ids, _ = gallery.embeddings()
    photos = gallery.photos(ids.tolist())
    kinds = {
        kind: [i for i in photos if photos[i].path.startswith(kind)] for kind in (b"warm", b"cold")
    }
    warm, cold = kinds[b"warm"], kinds[b"cold"]
    labels.put([*warm[2:], *cold[:2]], "warm", source="suggested", who="ann")
    labels.put([*cold[2:], *warm[:2]], "cold", source="random", who="ann")
    labelling = Labelling(lambda: gallery, labels, quiet_seconds=1000)
    found = labelling.answers()
    labelling.close()
    return replace(found, judgement=judged(found.shots, revision=found.revision))


@pytest.fixture
def review(answers: Answers, studio: Any) -> Review:
    found = Reviews().of(studio.gallery(), answers)
    assert found is not None
    return found


def test_cells_hold_the_photos_that_the_matrix_counts(review: Review) -> None:
    counts = review.quality.confusion
    for row in range(2):
        for column in range(2):
            photos = review.in_cell(row, column)
            assert len(photos) == counts[row, column]
            named = dict(zip(review.judgement.shots.ids, review.judgement.shots.names, strict=True))
            assert {named[photo] for photo in photos} <= {review.quality.classes[row]}
    assert review.in_cell(7, 0) == []


def test_wrong_labels_are_doubted(review: Review, answers: Answers) -> None:
    doubted = {doubt.photo_id: (doubt.name, doubt.likely) for doubt in review.doubts()}
    assert len(doubted) >= 3
    for photo, (name, likely) in doubted.items():
        assert answers.labels[photo].name == name
        assert name != likely


def test_a_complete_setting_keeps_every_photo_and_a_strict_one_no_more(
    review: Review, answers: Answers
) -> None:
    strict, usual, complete = (review.outlook(setting) for setting in (0.0, 0.95, 1.0))
    assert complete.kept == complete.photos == len(answers.ids)
    assert strict.kept <= usual.kept <= complete.kept


def test_a_review_is_worked_out_once_a_judgement(answers: Answers, studio: Any) -> None:
    reviews, gallery = Reviews(), studio.gallery()
    assert reviews.of(gallery, replace(answers, judgement=None)) is None
    first = reviews.of(gallery, answers)
    assert reviews.of(gallery, answers) is first
    newer = replace(answers, judgement=judged(answers.shots, revision=answers.revision + 1))
    assert reviews.of(gallery, newer) is not first


def test_random_draws_are_told_apart_from_other_labels(review: Review) -> None:
    said = {score.name: score for score in scores(review.quality)}
    assert set(said) == {"Over all classes", "Drawn at random", "Suggested"}
    assert "Nobody chose them" in said["Drawn at random"].detail
    assert "Chosen, not drawn" in said["Suggested"].detail
    bare = {s.name: s for s in scores(replace(review.quality, audit=None))}
    assert bare["Drawn at random"].value == "\N{EN DASH}"


def test_few_photos_make_a_band_and_no_interval(review: Review) -> None:
    few = SourceAccuracy("random", 6, Interval(0.9, 0.5, 1.0))
    said = next(s for s in scores(replace(review.quality, audit=few)) if s.name[0] == "D")
    assert said.value == "high"
    assert "%" not in said.detail
    assert share_words(None, 50) == "\N{EN DASH}"
    assert share_words(0.5, 50) == "50 %"


@pytest.mark.parametrize(
    ("outlook", "said"),
    [
        (Outlook(0, 50, None, 0), "0 of all 50 photos (0 %) get a class. How many rightly, no"),
        (
            Outlook(1800, 2000, Interval(0.9, 0.77, 0.96), 40),
            "1,800 of all 2,000 photos (90 %) get a class, about 90 % of them rightly, between "
            "77 % and 96 %.",
        ),
        (Outlook(9, 45, Interval(1.0, 0.7, 1.0), 9), "(20 %) get a class, with high precision."),
    ],
)
def test_what_rejection_does_is_a_sentence(outlook: Outlook, said: str) -> None:
    assert said in rejection_words(outlook)


def a_curve(gain: Interval) -> LearningCurve:
    half, whole = Interval(0.6, 0.5, 0.7), Interval(0.63, 0.55, 0.7)
    return LearningCurve((Step(138, half), Step(276, whole)), gain)


@pytest.mark.parametrize(
    ("gain", "said"),
    [
        (
            Interval(0.03, 0.01, 0.05),
            "The last doubling, from 138 to 276 labels, gained 3 points (between 1 and 5): more "
            "labels will still help.",
        ),
        (Interval(0.01, -0.004, 0.015), "gained 1 point (between 0 and 2): it has levelled off"),
        (Interval(-0.01, -0.03, 0.04), "lost 1 point (between -3 and 4): whether more labels"),
    ],
)
def test_whether_more_labels_help_is_a_sentence(review: Review, gain: Interval, said: str) -> None:
    assert said in learning_words(replace(review.quality, learning=a_curve(gain), enough=True))


def test_few_labels_tell_the_way_it_goes_and_no_points(review: Review) -> None:
    rising = replace(review.quality, learning=a_curve(Interval(0.03, 0.01, 0.05)), enough=False)
    said = learning_words(rising)
    assert said == "Going from 138 to 276 labels made it better: more labels will still help."
    assert "from 5 labels" in learning_words(replace(rising, learning=None))


def test_a_judgement_of_twenty_labels_a_class_has_both_pictures(review: Review) -> None:
    curve, stretches = review.quality.learning, review.quality.reliability
    assert curve is not None
    assert [bar.name for bar in learning_bars(curve)][-1] == f"{curve.steps[-1].labels} labels"
    assert sum(of.answers for of in stretches) == 40
    bars = reliability_bars(stretches)
    assert len(bars) == sum(of.answers > 0 for of in stretches)
    for bar in bars:
        assert (bar.value is None) == (bar.said == "too few to tell")
        assert bar.ought is not None
