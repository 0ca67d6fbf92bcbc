"""What a contrastive loss does about near-duplicates: they neither attract nor repel."""

import csv
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from training.batches import PhotoBatches
from training.bursts import ALONE, LARGEST_MIN
from training.cache import PhotoSet
from training.config import TrainConfig
from training.engine import pretrain
from training.losses import nt_xent
from training.methods import Method, build_method
from training.models import build_backbone
from training.plan import Plan
from training.planning import Survey, choose, choose_network
from training.prepare import Surroundings
from training.progress import Silent


def rows(count: int, seed: int) -> Tensor:
    return torch.randn((count, 6), generator=torch.Generator().manual_seed(seed))


def literal(first: Tensor, second: Tensor, alike: list[int], temperature: float) -> float:
    """NT-Xent with its sums as loops, over what is not alike."""
    views = torch.nn.functional.normalize(torch.cat((first, second)).double(), dim=1)
    count, total = len(first), 0.0
    for i, view in enumerate(views):
        partner = (i + count) % (2 * count)
        below = 0.0
        for k, other in enumerate(views):
            if k == partner or (k != i and alike[k % count] != alike[i % count]):
                below += math.exp(float(view @ other) / temperature)
        total -= math.log(math.exp(float(view @ views[partner]) / temperature) / below)
    return total / len(views)


@pytest.mark.parametrize("alike", [[0, 1, 2, 3], [0, 0, 2, 3], [0, 0, 0, 3], [5, 7, 5, 7]])
def test_alike_photos_are_left_out_of_the_sum(alike: list[int]) -> None:
    first, second = rows(4, 0), rows(4, 1)

    found = nt_xent(first, second, temperature=0.3, alike=torch.tensor(alike))

    assert float(found) == pytest.approx(literal(first, second, alike, 0.3), rel=1e-5)


def test_photos_that_are_all_alone_change_nothing_to_the_bit() -> None:
    first, second = rows(5, 0), rows(5, 1)

    alone = nt_xent(first, second, temperature=0.2, alike=torch.arange(5))

    assert torch.equal(alone, nt_xent(first, second, temperature=0.2))


def test_alike_photos_feel_no_force_from_each_other() -> None:
    first, second = rows(3, 0), rows(3, 1)
    moved = second.clone().requires_grad_()

    # Photo 1 is alone with photo 0 and its own views: nothing is left to be repelled by.
    nt_xent(first[:2], moved[:2], temperature=0.2, alike=torch.tensor([4, 4])).backward()  # type: ignore[no-untyped-call]

    assert moved.grad is not None
    assert float(moved.grad.abs().max()) < 1e-6


def test_all_photos_alike_is_a_loss_of_zero_and_no_nan() -> None:
    alike = torch.zeros(4, dtype=torch.long)

    assert float(nt_xent(rows(4, 0), rows(4, 1), temperature=0.2, alike=alike)) == pytest.approx(
        0, abs=1e-6
    )


def simclr_and_views(photos: int) -> tuple[Method, list[torch.Tensor]]:
    torch.manual_seed(0)
    backbone = build_backbone("mobilenet_v3_small", small_stem=True)
    method = build_method("simclr", backbone, projection_dim=8, hidden_dim=16, temperature=0.2)
    draws = [torch.Generator().manual_seed(view) for view in (0, 1)]
    return method.eval(), [torch.randn(photos, 3, 32, 32, generator=draw) for draw in draws]


def test_simclr_leaves_out_the_groups_of_its_batch() -> None:
    method, views = simclr_and_views(4)

    none = method.loss(*views)
    alone = method.loss(*views, torch.full((4,), ALONE))
    grouped = method.loss(*views, torch.tensor([0, 0, ALONE, ALONE]))

    assert torch.equal(none, alone)
    assert grouped.item() < none.item()


def test_a_photo_that_comes_twice_is_not_pushed_away_from_itself() -> None:
    method, views = simclr_and_views(6)

    loss = method.loss(*views, torch.tensor([-2, -3, -4, -5, -2, -6]))

    unit = torch.nn.functional.normalize(method.projector(method.backbone(torch.cat(views))), dim=1)
    logits, losses = unit @ unit.T / 0.2, []
    for view in range(12):
        other = (view + 6) % 12
        itself = {0, 4, 6, 10} if view in (0, 4, 6, 10) else {view, other}
        counted = [other, *(k for k in range(12) if k not in itself)]
        losses.append(logits[view, counted].logsumexp(0) - logits[view, other])
    assert torch.allclose(loss, torch.stack(losses).mean(), atol=1e-5)


def test_bursts_travel_with_the_batch_and_leave_its_order_alone() -> None:
    photos = PhotoSet(
        np.zeros((12, 8, 8, 3), np.uint8), np.arange(12), np.ones(12, np.float32),
        tuple(b"%02d" % i for i in range(12)), (), 0,
    )  # fmt: skip
    bursts = np.array([0, 0, *[ALONE] * 8, 1, 1])
    chosen = np.arange(1, 12)
    with_bursts = PhotoBatches(photos, chosen, plan(), bursts=bursts)
    without = PhotoBatches(photos, chosen, plan())

    carried = sorted(int(code) for step in range(2) for code in with_bursts.at(step).labels)
    assert len(carried) == 16
    assert {code for code in carried if code >= 0} == {0, 1}
    for step in range(3):
        assert torch.equal(with_bursts.at(step).aspects, without.at(step).aspects)
    labels = torch.cat([without.at(step).labels for step in range(11)])  # eight times each photo
    assert (labels < -1).all()
    numbers, times = labels.unique(return_counts=True)
    assert times.tolist() == [8] * 11
    crossing = without.at(1).labels  # eight of eleven are over, five begin the next shuffle
    assert len(crossing) == 8
    assert set(crossing.tolist()) <= set(numbers.tolist())


def plan() -> Plan:
    config = TrainConfig(Path("p"), batch_size=8, method="simclr", image_size=32)
    found = Survey(1000, 300)
    return choose(config, found, choose_network(config, found, has_cuda=False), "random")


@pytest.mark.slow
@pytest.mark.parametrize(("method", "told"), [("simclr", True), ("byol", False)])
def test_a_simclr_run_tells_of_near_duplicates_before_it_trains(
    tmp_path: Path, make_shape_folder: Callable[..., Path], method: str, told: bool
) -> None:
    folder = make_shape_folder(tmp_path / "shapes", per_class=13)
    original = (folder / "circle" / "circle-000.jpg").read_bytes()
    (folder / "circle" / "circle-000-again.jpg").write_bytes(original + b"\0")
    scene = (folder / "circle" / "circle-001.jpg").read_bytes()
    for i in range(LARGEST_MIN):
        (folder / "circle" / f"scene-{i}.jpg").write_bytes(scene + b"\0" * (i + 1))
    said: list[str] = []

    class Listening(Silent):
        def say(self, message: str) -> None:
            said.append(message)

    config = TrainConfig(
        folder, tmp_path / "run", method=method, backbone="mobilenet_v3_small", init="random",
        image_size=32, batch_size=16, epochs=1, offline=True,
    )  # fmt: skip
    pretrain(config, Surroundings(Listening(), lambda: False, tmp_path / "cache"))

    assert any("near-duplicates of others" in line for line in said) == told
    assert any(f"{LARGEST_MIN + 1} photos look alike" in line for line in said) == told
    listed = tmp_path / "run" / "near-duplicates.csv"
    assert listed.is_file() == told
    if told:
        with listed.open(newline="") as lines:
            [head, *rows] = csv.reader(lines)
        assert head == ["group", "path"]
        groups = {path: group for group, path in rows}
        assert groups["circle/circle-000.jpg"] == groups["circle/circle-000-again.jpg"]
