from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from training.config import EXPORTS, TrainConfig
from training.evaluate import QueryFigures
from training.figures import Quality
from training.plan import Plan
from training.planning import Survey, choose, choose_network
from training.verdict import Candidate, Choice, choose_export, interpolated, sentence

START, END = {"w": torch.zeros(3), "n": torch.tensor(1)}, {"w": torch.ones(3), "n": torch.tensor(9)}


def plan() -> Plan:
    config = TrainConfig(Path("p"))
    found = Survey(1000, 300)
    return choose(config, found, choose_network(config, found, has_cuda=False), "imagenet")


def queries(score: float) -> QueryFigures:
    """Eighty photos of which so many are right."""
    right = (np.arange(80) < 80 * score).astype(float)
    return QueryFigures(right, right, right)


def candidates(**scores: float) -> list[Candidate]:
    names = EXPORTS
    return [
        Candidate(
            name,
            {},
            Quality(0.9, 100.0, 0.8),
            queries=queries(scores.get(name, 0.5)) if scores else None,
        )
        for name in names
    ]


def said(chosen: Candidate, start: Candidate) -> str:
    return sentence(Choice(chosen, "they were asked for"), start, taught=False)


@pytest.mark.parametrize("weight", [0.0, 0.25, 0.5, 1.0])
def test_interpolation_is_linear_and_counters_are_the_trained_ones(weight: float) -> None:
    mixed = interpolated(START, END, weight)

    assert torch.allclose(mixed["w"], torch.full((3,), weight))
    assert mixed["n"] == 9


def test_interpolation_leaves_both_ends_alone() -> None:
    mixed = interpolated(START, END, 0.5)
    mixed["w"] += 5

    assert START["w"].sum() == 0
    assert END["w"].sum() == 3


def test_class_folders_decide_where_there_are_any() -> None:
    for best in EXPORTS:
        scores = dict.fromkeys(EXPORTS, 0.5) | {best: 0.6}

        choice = choose_export(candidates(**scores), plan(), epochs=60, asked=None)

        assert choice.chosen.name == best
        assert "classes" in choice.why


def test_what_chooses_does_not_judge() -> None:
    """Of four networks alike, the luckiest on one half is no better on the other."""
    draws = np.random.default_rng(3)
    found = []
    for candidate in candidates():
        right = draws.integers(0, 2, 400).astype(float)
        found.append(replace(candidate, queries=QueryFigures(right, right, right)))

    choice = choose_export(found, plan(), epochs=60, asked=None)

    queries = choice.chosen.queries
    assert queries is not None
    on_choosing = [c.queries.knn[::2].mean() for c in found if c.queries is not None]
    assert queries.knn[::2].mean() == max(on_choosing)
    text = sentence(choice, found[0], taught=False)
    assert "200 photos that had no say in the choice" in text
    assert f"{100 * queries.knn[1::2].mean():.1f} %" in text


def test_the_sentence_says_by_which_photos_labels_were_not_learned() -> None:
    start, trained, *_ = candidates(start=0.5, trained=0.4)

    text = sentence(Choice(trained, "best", by_classes=True), start, taught=True)

    assert "By the classes of 40 photos that were not learned from and had no say" in text
    assert "By the classes of 80 photos, k-NN" in said(trained, start)


def test_without_classes_a_long_run_exports_the_pair() -> None:
    choice = choose_export(candidates(), plan(), epochs=60, asked=None)

    assert choice.chosen.name == "pair"
    assert "0.5" in choice.why


def test_without_classes_a_short_run_exports_the_start_and_says_so() -> None:
    choice = choose_export(candidates(), plan(), epochs=29, asked=None)

    assert choice.chosen.name == "start"
    assert "29 epochs" in choice.why


@pytest.mark.parametrize("asked", EXPORTS)
def test_weights_that_were_asked_for_are_exported_whatever_else_is_known(asked: str) -> None:
    scores = {"start": 0.9, "trained": 0.5, "interpolated": 0.6, "pair": 0.8}

    for known in (candidates(), candidates(**scores)):
        choice = choose_export(known, plan(), epochs=1, asked=asked)

        assert choice.chosen.name == asked
        assert "asked for" in choice.why


def test_from_random_weights_the_trained_ones_are_exported() -> None:
    two = candidates()[:2]

    choice = choose_export(two, replace(plan(), start="random"), epochs=3, asked=None)

    assert choice.chosen.name == "trained"


def test_the_sentence_gives_figures_before_and_after() -> None:
    start, _, chosen, _ = candidates(start=0.5, trained=0.4, interpolated=0.625)

    text = said(chosen, start)

    assert text.startswith("Training helped.")
    assert "62.5 %" in text
    assert "50.0 %" in text


def test_the_sentence_admits_that_training_did_not_help() -> None:
    start, *_ = candidates(start=0.5, trained=0.4, interpolated=0.45)

    assert "did not help" in said(start, start)


def test_the_sentence_says_how_sure_it_is() -> None:
    start, _, little, _ = candidates(start=0.5, trained=0.4, interpolated=0.5125)
    _, much_worse, much_better, _ = candidates(start=0.5, trained=0.25, interpolated=0.75)

    assert said(little, start).startswith("Training made no clear difference.")
    assert said(much_worse, start).startswith("Training made search worse.")
    text = said(much_better, start)
    assert text.startswith("Training helped.")
    assert "95 % interval of the change +1" in text


def test_without_labels_the_sentence_claims_nothing() -> None:
    start, _, chosen, _ = candidates()

    text = said(chosen, start)

    assert "cannot be told without labels" in text
    assert "all kept" in text
