"""Supervised training of a whole network, on shapes that differ by colour."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch

from training.errors import Interrupted
from training.finetune import Classifier, LabelledPixels, SupervisedSettings, train_supervised
from training.models import Backbone, build_backbone
from training.progress import Silent
from training.spec import Preprocessing

CPU = torch.device("cpu")
SETTINGS = SupervisedSettings(32, epochs=6, batch_size=16, lr=1e-3, head_lr=1e-2)


def coloured(rng: np.random.Generator, count: int = 32) -> LabelledPixels:
    """Reddish and bluish noise."""
    codes = np.arange(count) % 2
    pixels = rng.integers(0, 120, (count, 40, 40, 3)).astype(np.uint8)
    pixels[codes == 0, ..., 0] += 120
    pixels[codes == 1, ..., 2] += 120
    return LabelledPixels(pixels, np.ones(count, np.float32), codes, classes=2)


def fresh() -> Backbone:
    torch.manual_seed(0)
    return build_backbone("mobilenet_v3_small", small_stem=True)


def train(
    photos: LabelledPixels,
    settings: SupervisedSettings = SETTINGS,
    stop: Callable[[], bool] = lambda: False,
) -> Classifier:
    return train_supervised(fresh(), photos, settings, CPU, progress=Silent(), stop=stop)


@pytest.mark.slow
def test_it_learns_what_the_labels_say(rng: np.random.Generator) -> None:
    learned, unseen = coloured(rng), coloured(rng)

    classifier = train(learned)

    right = classifier.predict(unseen.pixels[:, 4:36, 4:36], Preprocessing(32)) == unseen.codes
    assert right.mean() > 0.9


def test_two_trainings_with_one_seed_agree(rng: np.random.Generator) -> None:
    photos = coloured(rng, 16)
    short = SupervisedSettings(32, epochs=1, batch_size=8)

    first, second = (train(photos, short).head.weight for _ in range(2))

    assert torch.equal(first, second)


def test_every_photo_is_learned_from_once_an_epoch(rng: np.random.Generator) -> None:
    counted: list[float] = []

    class Counting(Silent):
        def advance(self, amount: float, **facts: str) -> None:
            counted.append(amount)

    settings = SupervisedSettings(32, epochs=2, batch_size=8)
    train_supervised(
        fresh(), coloured(rng, 16), settings, CPU, progress=Counting(), stop=lambda: False
    )

    assert sum(counted) == 32


def test_a_stop_is_followed_between_steps(rng: np.random.Generator) -> None:
    asked = itertools.count()

    with pytest.raises(Interrupted):
        train(coloured(rng), stop=lambda: next(asked) >= 2)

    assert next(asked) == 3
