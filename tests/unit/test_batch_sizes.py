"""How large a batch is once the photos are counted."""

from dataclasses import replace
from pathlib import Path

import pytest

from training.batch_sizes import fit_to_photos
from training.config import TrainConfig
from training.errors import ConfigError
from training.plan import Plan
from training.planning import Survey, choose, choose_network

ANY = TrainConfig(Path("p"))


@pytest.fixture
def plan() -> Plan:
    found = Survey(files=3000, typical_side=400)
    network = choose_network(ANY, found, has_cuda=False)
    return replace(choose(ANY, found, network, "imagenet"), batch_size=128)


@pytest.mark.parametrize("photos", [128, 3000])
def test_a_batch_that_the_photos_fill_is_kept(plan: Plan, photos: int) -> None:
    assert fit_to_photos(plan, ANY, photos, processes=3) is plan


@pytest.mark.parametrize(
    ("photos", "processes", "batch"), [(127, 1, 64), (45, 1, 32), (45, 3, 30), (45, 20, 40)]
)
def test_an_automatic_batch_is_cut_to_what_photos_and_processes_allow(
    plan: Plan, photos: int, processes: int, batch: int
) -> None:
    fitted = fit_to_photos(plan, ANY, photos, processes)

    assert fitted == replace(plan, batch_size=batch, lr=fitted.lr)
    assert fitted.lr == pytest.approx(plan.lr * (batch / 128) ** 0.5)


def test_a_learning_rate_that_was_asked_for_stays(plan: Plan) -> None:
    asked = replace(ANY, lr=plan.lr)

    assert fit_to_photos(plan, asked, 45, processes=1) == replace(plan, batch_size=32)


@pytest.mark.parametrize(
    ("config", "processes", "words"),
    [(TrainConfig(Path("p"), batch_size=128), 1, "at most --batch-size 45"),
     (ANY, 23, "at most 22")],
)  # fmt: skip
def test_what_leaves_too_few_photos_is_refused_with_what_does_not(
    plan: Plan, config: TrainConfig, processes: int, words: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        fit_to_photos(plan, config, 45, processes)

    assert words in caught.value.hint
