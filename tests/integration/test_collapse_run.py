"""Configurations that really break: they are noticed, and told in words."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from training.collapse import CollapseWatch
from training.config import TrainConfig
from training.engine import pretrain
from training.errors import RunError
from training.figures import Quality, Sight, quality_of
from training.losses import byol_regression, nt_xent
from training.prepare import Surroundings
from training.progress import Silent


def seen(backbone: nn.Module, projector: nn.Module, photos: torch.Tensor) -> Quality:
    with torch.no_grad():
        rows = backbone(photos)
        noisy = [backbone(photos + 0.1 * torch.randn_like(photos)) for _ in range(2)]
        sight = Sight(rows.numpy(), *(view.numpy() for view in noisy), projector(rows).numpy())
    return quality_of(sight)


def trained(loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> list[Quality]:
    """Figures of a small network without normalisation, from the start on, as it learns."""
    torch.manual_seed(0)
    backbone = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 16))
    projector = nn.Linear(16, 8)
    photos = torch.randn(64, 32)
    optimizer = torch.optim.Adam([*backbone.parameters(), *projector.parameters()], lr=3e-3)
    found = [seen(backbone, projector, photos)]
    for step in range(400):
        views = [photos + 0.1 * torch.randn_like(photos) for _ in range(2)]
        value = loss(*(projector(backbone(view)) for view in views))
        optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if step % 100 == 99:
            found.append(seen(backbone, projector, photos))
    return found


def watch_all(start: Quality, later: list[Quality]) -> None:
    watch = CollapseWatch(start, settled=0)
    for step, quality in enumerate(later):
        watch.check(quality, step)


def without_target(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """BYOL without what keeps it from collapsing: no predictor, no slow target."""
    return byol_regression(first, second.detach()) + byol_regression(second, first.detach())


def test_byol_without_predictor_and_target_collapses_and_is_stopped() -> None:
    start, *later = trained(without_target)
    with pytest.raises(RunError, match="collapsed") as stopped:
        watch_all(start, later)
    assert "whatever the loss says" in stopped.value.message


def test_the_same_network_with_negatives_does_not_collapse() -> None:
    start, *later = trained(lambda one, two: nt_xent(one, two, temperature=0.2))
    watch_all(start, later)
    assert np.isfinite(later[-1].rank)


@pytest.mark.slow
def test_a_run_that_diverges_ends_in_words_and_not_in_a_traceback(
    tmp_path: Path, make_shape_folder: Callable[..., Path]
) -> None:
    config = TrainConfig(
        make_shape_folder(tmp_path / "shapes", per_class=15), tmp_path / "run", method="byol",
        backbone="mobilenet_v3_small", init="random", image_size=32, batch_size=16, epochs=10,
        lr=30.0, offline=True,
    )  # fmt: skip
    with pytest.raises(RunError) as ended:
        pretrain(config, Surroundings(Silent(), lambda: False, tmp_path / "cache"))

    assert "diverged" in ended.value.message or "loss became" in ended.value.message
    assert "learning rate" in ended.value.hint
