"""Weights kept from the middle of a run."""

from pathlib import Path

import pytest
import torch
from torch import nn

from training.checkpoint import load_encoder
from training.figures import Quality
from training.metrics import MetricsLog
from training.models import build_backbone
from training.runs import RunFolder
from training.snapshots import Snapshots
from training.spec import EncoderSpec, Preprocessing

NAME = "mobilenet_v3_small"


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    return build_backbone(NAME).network


def quality(knn: float | None) -> Quality:
    return Quality(0.9, 100.0, 0.8, knn=knn)


def snapshots(folder: Path, *, every: bool = False) -> Snapshots:
    spec = EncoderSpec(NAME, 576, Preprocessing(224), origin="random weights")
    return Snapshots(RunFolder(folder), spec, embed_size=96, every=every)


def steps_kept(folder: Path) -> list[str]:
    return sorted(file.stem for file in (folder / "snapshots").glob("*.safetensors"))


def test_the_best_measurement_is_kept_and_the_start_is_none(
    network: nn.Module, tmp_path: Path
) -> None:
    kept = snapshots(tmp_path)
    origins = []
    for step, knn in enumerate((0.5, 0.4, 0.6, 0.55, 0.6)):
        kept.keep(network, step, quality(knn))
        best = RunFolder(tmp_path).best
        origins.append(load_encoder(best).spec.origin if best.exists() else "")

    second = "step 2 of a run from random weights"
    assert origins == ["", "", second, second, second]
    encoder = load_encoder(RunFolder(tmp_path).best)
    assert encoder.spec.preprocessing.image_size == 96
    own = network.state_dict()
    assert all(torch.equal(encoder.tensors[name], own[name]) for name in own)


def test_without_classes_nothing_is_best(network: nn.Module, tmp_path: Path) -> None:
    kept = snapshots(tmp_path)

    for step in range(3):
        kept.keep(network, step, quality(None))

    assert list(tmp_path.iterdir()) == []


def test_all_are_kept_on_request(network: nn.Module, tmp_path: Path) -> None:
    kept = snapshots(tmp_path, every=True)

    for step in (0, 10, 200):
        kept.keep(network, step, quality(None))

    assert steps_kept(tmp_path) == ["step-00000010", "step-00000200"]


def test_a_resumed_run_remembers_its_best(network: nn.Module, tmp_path: Path) -> None:
    log = MetricsLog(tmp_path)
    log.write(5, "quality", quality(0.7).to_json())
    log.close()

    resumed = snapshots(tmp_path)
    resumed.keep(network, 6, quality(0.65))
    assert not RunFolder(tmp_path).best.exists()
    resumed.keep(network, 7, quality(0.75))
    assert RunFolder(tmp_path).best.exists()
