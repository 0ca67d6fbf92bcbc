"""What a process alone, and one of several, has its part of."""

from datetime import timedelta
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import nn

from training.augment import apply_views, draw_parameters, share_of
from training.distributed import (
    World,
    anyone,
    check_gpus,
    gather_rows,
    in_turn,
    joined,
    mean,
    own_gpu,
    total,
    world,
)
from training.errors import ConfigError
from training.recipes import byol_recipes, suited
from training.shared_norm import SharedBatchNorm, share_batch_norm

pytestmark = pytest.mark.usefixtures("one_thread")


def test_the_shares_of_all_processes_are_everything_once() -> None:
    rows = list(range(12))

    assert [row for rank in range(4) for row in rows[World(rank, 4).share(12)]] == rows
    assert [World(rank, 4).leads for rank in range(4)] == [True, False, False, False]


@pytest.mark.parametrize("number", [0, 1])
def test_views_made_in_shares_are_the_views_of_the_whole_batch(darkroom: Any, number: int) -> None:
    recipe = suited(byol_recipes(64)[number], "any-orientation")
    pixels = darkroom.photos(12, 80)
    drawn = draw_parameters(recipe, torch.linspace(0.5, 2, 12), torch.Generator().manual_seed(0))
    whole = apply_views(pixels, drawn, recipe)

    parts = [World(rank, 3).share(12) for rank in range(3)]
    made = [apply_views(pixels[p], share_of(drawn, p, torch.device("cpu")), recipe) for p in parts]

    torch.testing.assert_close(torch.cat(made), whole, atol=1e-6, rtol=0)


def test_one_process_alone_costs_nothing_and_leads() -> None:
    rows = torch.ones(3, 2)

    with joined() as here:
        assert here == world() == World(0, 1)
    assert gather_rows(rows) is rows
    assert (mean(2.5), total(2.5)) == (2.5, 2.5)
    assert anyone(True)
    assert not anyone(False)
    assert in_turn(lambda: "done") == "done"


def test_processes_wait_for_one_that_decodes_for_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"TORCHELASTIC_RUN_ID": "one", "RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1",
            "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"}  # fmt: skip
    for name, value in told.items():
        monkeypatch.setenv(name, value)

    with joined():
        assert dist.group.WORLD is not None
        group = dist.group.WORLD._get_backend(torch.device("cpu"))
        assert group.options._timeout >= timedelta(hours=12)


def test_processes_take_a_gpu_each_as_long_as_there_are_any() -> None:
    assert [own_gpu(place, 2) for place in range(4)] == [0, 1, None, None]
    assert own_gpu(0, 0) is None


def test_more_processes_than_gpus_train_on_processors_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    processes = torch.cuda.device_count() + 2
    monkeypatch.setenv("LOCAL_WORLD_SIZE", str(processes))

    check_gpus("cpu")
    with pytest.raises(ConfigError, match=f"here are {processes} processes") as caught:
        check_gpus("cuda")

    assert "--device cpu" in caught.value.hint


def test_an_error_in_turn_is_raised_as_it_was() -> None:
    with pytest.raises(ZeroDivisionError):
        in_turn(lambda: 1 / 0)


def test_sharing_batch_norms_keeps_weights_names_modes_and_what_alone_is_computed() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Sequential(nn.BatchNorm2d(4)))
    network[2].eval()
    weights = [id(p) for p in network.parameters()]
    images = torch.randn(5, 3, 8, 8)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    expected = network(images)
    network.load_state_dict(before)

    shared = share_batch_norm(network, torch.device("cpu"))

    assert isinstance(shared[1], SharedBatchNorm)
    assert [id(p) for p in shared.parameters()] == weights
    assert list(shared.state_dict()) == list(before)
    assert (shared[1].training, shared[2][0].training) == (True, False)
    assert torch.equal(shared(images), expected)
