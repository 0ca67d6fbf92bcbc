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
from training.verdict import Candidate, choose_export, interpolated, sentence

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

        chosen, why = choose_export(candidates(**scores), plan(), epochs=60, asked=None)

        assert chosen.name == best
        assert "folders" in why


def test_without_classes_a_long_run_exports_the_pair() -> None:
    chosen, why = choose_export(candidates(), plan(), epochs=60, asked=None)

    assert chosen.name == "pair"
    assert "0.5" in why


def test_without_classes_a_short_run_exports_the_start_and_says_so() -> None:
    chosen, why = choose_export(candidates(), plan(), epochs=29, asked=None)

    assert chosen.name == "start"
    assert "29 epochs" in why


@pytest.mark.parametrize("asked", EXPORTS)
def test_weights_that_were_asked_for_are_exported_whatever_else_is_known(asked: str) -> None:
    scores = {"start": 0.9, "trained": 0.5, "interpolated": 0.6, "pair": 0.8}

    for known in (candidates(), candidates(**scores)):
        chosen, why = choose_export(known, plan(), epochs=1, asked=asked)

        assert chosen.name == asked
        assert "asked for" in why


def test_from_random_weights_the_trained_ones_are_exported() -> None:
    two = candidates()[:2]

    chosen, _ = choose_export(two, replace(plan(), start="random"), epochs=3, asked=None)

    assert chosen.name == "trained"


def test_the_sentence_gives_figures_before_and_after() -> None:
    start, _, chosen, _ = candidates(start=0.5, trained=0.4, interpolated=0.625)

    text = sentence(chosen, start)

    assert text.startswith("Training helped.")
    assert "62.5 %" in text
    assert "50.0 %" in text


def test_the_sentence_admits_that_training_did_not_help() -> None:
    start, *_ = candidates(start=0.5, trained=0.4, interpolated=0.45)

    assert "did not help" in sentence(start, start)


def test_the_sentence_says_how_sure_it_is() -> None:
    start, _, little, _ = candidates(start=0.5, trained=0.4, interpolated=0.5125)
    _, much_worse, much_better, _ = candidates(start=0.5, trained=0.25, interpolated=0.75)

    assert sentence(little, start).startswith("Training made no clear difference.")
    assert sentence(much_worse, start).startswith("Training made search worse.")
    text = sentence(much_better, start)
    assert text.startswith("Training helped.")
    assert "95 % interval of the change +1" in text


def test_without_labels_the_sentence_claims_nothing() -> None:
    start, _, chosen, _ = candidates()

    text = sentence(chosen, start)

    assert "cannot be told without labels" in text
    assert "all kept" in text
