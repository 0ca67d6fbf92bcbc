"""What a whole run exports, and by which photos it was judged."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from training.config import TrainConfig
from training.engine import pretrain
from training.finish import RunReport
from training.prepare import Surroundings
from training.progress import Silent
from training.runs import RunFolder

FAST = {
    "backbone": "mobilenet_v3_small", "init": "random", "image_size": 32, "batch_size": 16,
    "offline": True,
}  # fmt: skip


@pytest.fixture
def surroundings(tmp_path: Path) -> Surroundings:
    return Surroundings(Silent(), lambda: False, tmp_path / "cache")


def train(photos: Path, out: Path, around: Surroundings, **options: object) -> RunReport:
    return pretrain(TrainConfig(photos, out, **{**FAST, **options}), around)  # type: ignore[arg-type]


def test_interpolated_weights_that_were_asked_for_are_exported_from_any_start(
    sixty_shapes: Path, tmp_path: Path, surroundings: Surroundings
) -> None:
    report = train(sixty_shapes, tmp_path / "run", surroundings, epochs=1, interpolate=0.0)

    start = load_file(tmp_path / "run" / "start.safetensors")
    encoder = load_file(tmp_path / "run" / "encoder.safetensors")
    assert (report.exported, report.why) == ("interpolated", "they were asked for")
    assert all(torch.equal(encoder[n], v) for n, v in start.items() if v.is_floating_point())


def test_what_labels_taught_is_judged_by_photos_that_were_not_learned_from(
    sixty_shapes: Path, tmp_path: Path, surroundings: Surroundings
) -> None:
    report = train(sixty_shapes, tmp_path / "run", surroundings, method="supcon", epochs=1)

    assert report.held_out == 8
    assert "4 photos that were not learned from and had no say in the choice" in report.verdict
    assert RunFolder(tmp_path / "run").taught_by(sixty_shapes)
