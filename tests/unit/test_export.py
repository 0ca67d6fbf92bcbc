"""From weights to one ONNX file: it agrees with PyTorch, explains itself, and says nothing else."""

import io
import logging
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from PIL import Image

from indexer.encoder import OnnxEncoder
from indexer.export import ExportReport, export_encoder
from indexer.sources import find_source
from training.checkpoint import load_encoder, save_encoder
from training.errors import EncoderError
from training.models import build_backbone, restore_backbone
from training.spec import ENCODER_FILE, EncoderSpec, Preprocessing

SIZE = 32


@dataclass(frozen=True)
class Exported:
    """One export, made once for all the tests here: it takes seconds."""

    run: Path
    report: ExportReport
    printed: str
    logged: list[logging.LogRecord]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    run = tmp_path_factory.mktemp("run")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        backbone = build_backbone("resnet18", small_stem=True)
    preprocessing = Preprocessing(SIZE, mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3))
    spec = EncoderSpec("resnet18", backbone.embedding_dim, preprocessing, small_stem=True)
    save_encoder(run / ENCODER_FILE, spec, backbone.network.state_dict())
    printed = io.StringIO()
    logged: list[logging.LogRecord] = []
    listener = logging.Handler()
    listener.emit = logged.append  # type: ignore[method-assign]
    logging.root.addHandler(listener)
    with redirect_stdout(printed), redirect_stderr(printed):
        report = export_encoder(run, tmp_path_factory.mktemp("out") / "encoder.onnx")
    logging.root.removeHandler(listener)
    return Exported(run, report, printed.getvalue(), logged)


@pytest.fixture(scope="module")
def encoder(exported: Exported) -> OnnxEncoder:
    return OnnxEncoder.open(exported.report.path, device="cpu")


def reference(run: Path, pixels: np.ndarray) -> np.ndarray:
    """The definition, step by step in PyTorch: `(n, d)` float32 unit rows."""
    weights = load_encoder(run)
    backbone = restore_backbone(weights.spec, weights.tensors)
    preprocessing = weights.spec.preprocessing
    scaled = torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255
    mean = torch.tensor(preprocessing.mean).view(1, 3, 1, 1)
    std = torch.tensor(preprocessing.std).view(1, 3, 1, 1)
    with torch.no_grad():
        rows = backbone((scaled - mean) / std)
    return (rows / rows.norm(dim=1, keepdim=True)).numpy()


@pytest.mark.parametrize("count", [1, 3, 33])
def test_it_agrees_with_pytorch_at_any_batch_size(
    count: int, exported: Exported, encoder: OnnxEncoder, rng: np.random.Generator
) -> None:
    pixels = rng.integers(0, 256, (count, SIZE, SIZE, 3), dtype=np.uint8)
    # Measured: 1e-7 to 1.4e-6; a wrong mean or a train-mode batch norm costs a thousand times that.
    np.testing.assert_allclose(encoder.embed(pixels), reference(exported.run, pixels), atol=1e-5)


def test_the_report_tells_how_closely_it_agrees(exported: Exported) -> None:
    assert 0 <= exported.report.parity < 1e-5


def test_a_photo_embeds_the_same_alone_and_in_company(
    encoder: OnnxEncoder, rng: np.random.Generator
) -> None:
    pixels = rng.integers(0, 256, (5, SIZE, SIZE, 3), dtype=np.uint8)
    alone = np.concatenate([encoder.embed(one[np.newaxis]) for one in pixels])
    np.testing.assert_allclose(alone, encoder.embed(pixels), atol=1e-5)


def test_a_black_photo_has_a_finite_embedding(encoder: OnnxEncoder) -> None:
    assert np.isfinite(encoder.embed_image(Image.new("RGB", (50, 50)))).all()


def test_the_file_carries_its_contract_and_its_source(
    exported: Exported, encoder: OnnxEncoder
) -> None:
    weights = load_encoder(exported.run)
    assert encoder.spec == weights.spec
    assert encoder.source == exported.report.source_sha256 == weights.sha256
    assert encoder.fingerprint == exported.report.sha256


def test_a_source_is_identified_as_the_export_will_name_it(exported: Exported) -> None:
    source = find_source(exported.run)
    assert source.sha256 == exported.report.source_sha256
    assert find_source(exported.report.path).sha256 == source.sha256


def test_it_is_one_file(exported: Exported) -> None:
    folder = exported.report.path.parent
    assert [entry.name for entry in folder.iterdir()] == ["encoder.onnx"]
    onnx.checker.check_model(exported.report.path, full_check=True)


def test_no_path_of_this_machine_is_inside(exported: Exported) -> None:
    data = exported.report.path.read_bytes()
    places = (Path.home(), exported.run, Path(torch.__file__).parent, Path(__file__).parents[2])
    for trace in (b"site-packages", *(str(place).encode() for place in places)):
        assert trace not in data


def test_nothing_is_printed_or_logged(exported: Exported) -> None:
    assert exported.printed == ""
    assert exported.logged == []


def test_a_folder_without_weights_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="no encoder") as raised:
        export_encoder(tmp_path, tmp_path / "encoder.onnx")
    assert "ssl-train" in raised.value.hint
    assert list(tmp_path.iterdir()) == []
