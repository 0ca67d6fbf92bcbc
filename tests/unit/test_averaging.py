import pytest
import torch
from torch import nn

from training.averaging import WeightAverage, blend

pytestmark = pytest.mark.usefixtures("one_thread")


def network(value: float) -> nn.Sequential:
    made = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    for tensor in (*made.parameters(), *made.buffers()):
        tensor.data.fill_(value)
    return made


def fill(made: nn.Module, value: float) -> None:
    for tensor in (*made.parameters(), *made.buffers()):
        tensor.data.fill_(value)


def test_the_average_is_the_recursion_that_defines_it() -> None:
    made = network(0.0)
    average, expected = WeightAverage(made, 0.5), 0.0

    for step, value in enumerate((4.0, 8.0, 2.0)):
        fill(made, value)
        average.follow(step)
        momentum = min(0.5, (1 + step) / (10 + step))
        expected = momentum * expected + (1 - momentum) * value

    torch.testing.assert_close(average.tensors()["0.weight"], torch.full((2, 2), expected))
    torch.testing.assert_close(average.tensors()["1.running_var"], torch.full((2,), expected))
    assert int(average.tensors()["1.num_batches_tracked"]) == 2


def test_applying_gives_the_network_its_average_and_nothing_else_does() -> None:
    made = network(1.0)
    average = WeightAverage(made, 0.9)
    fill(made, 5.0)
    average.follow(100)
    assert torch.equal(made[0].weight, torch.full((2, 2), 5.0))

    average.apply()

    for name, value in made.state_dict().items():
        assert torch.equal(value, average.tensors()[name]), name
    assert made[0].weight.requires_grad


def test_an_average_goes_on_from_its_tensors() -> None:
    made = network(1.0)
    average, other = WeightAverage(made, 0.9), WeightAverage(network(7.0), 0.9)
    fill(made, 3.0)
    average.follow(5)

    other.restore(average.tensors())

    assert all(torch.equal(v, other.tensors()[k]) for k, v in average.tensors().items())


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_blending_by_nothing_or_all_is_exact(weight: float) -> None:
    target, source = network(0.1), network(0.7)

    blend(target, source, weight)

    wanted = source if weight else network(0.1)
    for name, value in target.named_parameters():
        assert torch.equal(value, dict(wanted.named_parameters())[name])


def test_networks_without_counters_or_with_nothing_that_moves_blend_too() -> None:
    target, source = nn.LayerNorm(2), nn.LayerNorm(2)
    fill(source, 3.0)
    counting, counted = nn.Module(), nn.Module()
    counting.register_buffer("steps", torch.tensor(1))
    counted.register_buffer("steps", torch.tensor(4))

    blend(target, source, 0.5)
    blend(counting, counted, 0.5)
    blend(nn.Identity(), nn.Identity(), 0.5)

    assert target.state_dict()["weight"].tolist() == [2.0, 2.0]
    assert int(counting.state_dict()["steps"]) == 4
