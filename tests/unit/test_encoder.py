"""An encoder file: what it does, and what is refused."""

import hashlib
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

from indexer import providers
from indexer.encoder import BATCH, SPEC_KEY, OnnxEncoder
from indexer.sources import find_source
from training.errors import ConfigError, EncoderError
from training.spec import EncoderSpec, Preprocessing

WITHOUT_GPU = pytest.mark.skipif(providers.cuda_device_count() > 0, reason="a GPU is here")


@pytest.fixture
def encoder(toy_encoder: Path) -> OnnxEncoder:
    return OnnxEncoder.open(toy_encoder)


@pytest.fixture
def pixels(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 256, (BATCH + 3, 32, 32, 3), dtype=np.uint8)


def test_embeddings_are_unit_rows_of_the_promised_length(
    encoder: OnnxEncoder, pixels: np.ndarray
) -> None:
    rows = encoder.embed(pixels)
    assert rows.shape == (len(pixels), encoder.dim)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)


def test_a_photo_embeds_the_same_alone_and_in_company(
    encoder: OnnxEncoder, pixels: np.ndarray
) -> None:
    together = encoder.embed(pixels)
    alone = np.concatenate([encoder.embed(one[np.newaxis]) for one in pixels])
    np.testing.assert_allclose(alone, together, atol=1e-6)


def test_no_photos_give_no_rows(encoder: OnnxEncoder) -> None:
    assert encoder.embed(np.empty((0, 32, 32, 3), dtype=np.uint8)).shape == (0, encoder.dim)


def test_an_image_is_prepared_as_the_contract_says(encoder: OnnxEncoder) -> None:
    image = Image.linear_gradient("L").convert("RGB").resize((90, 60))
    prepared = encoder.spec.preprocessing.prepare(image)
    np.testing.assert_array_equal(
        encoder.embed_image(image), encoder.embed(prepared[np.newaxis])[0]
    )


def test_the_fingerprint_is_the_hash_of_the_file(toy_encoder: Path, encoder: OnnxEncoder) -> None:
    assert encoder.fingerprint == hashlib.sha256(toy_encoder.read_bytes()).hexdigest()
    assert encoder.source == "0" * 64


def test_a_missing_encoder_is_named(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=r"nowhere\.onnx"):
        OnnxEncoder.open(tmp_path / "nowhere.onnx")


def test_a_file_that_is_not_onnx_is_refused_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "text.onnx"
    file.write_text("this is no network\n")
    with pytest.raises(EncoderError, match="not an ONNX file, or is damaged") as raised:
        OnnxEncoder.open(file)
    assert "\n" not in raised.value.message


def test_a_truncated_encoder_is_refused(toy_encoder: Path, tmp_path: Path) -> None:
    file = tmp_path / "half.onnx"
    file.write_bytes(toy_encoder.read_bytes()[:1000])
    with pytest.raises(EncoderError):
        OnnxEncoder.open(file)


def test_somebody_elses_network_is_refused_with_words(toy_encoder: Path, tmp_path: Path) -> None:
    model = onnx.load(toy_encoder)
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "strange.onnx")
    with pytest.raises(EncoderError, match="not an encoder of Lookalike") as raised:
        OnnxEncoder.open(tmp_path / "strange.onnx")
    assert "run folder" in raised.value.hint


def test_a_graph_that_breaks_its_contract_is_refused(toy_encoder: Path, tmp_path: Path) -> None:
    model = onnx.load(toy_encoder)
    lie = EncoderSpec("toy", 99, Preprocessing(32)).to_json()
    onnx.helper.set_model_props(model, {SPEC_KEY: lie})
    onnx.save(model, tmp_path / "lie.onnx")
    with pytest.raises(EncoderError, match="expected"):
        OnnxEncoder.open(tmp_path / "lie.onnx")


def test_an_unknown_device_is_refused(toy_encoder: Path) -> None:
    with pytest.raises(ConfigError, match="tpu") as raised:
        OnnxEncoder.open(toy_encoder, device="tpu")
    assert "cpu" in raised.value.hint


@WITHOUT_GPU
def test_without_a_gpu_the_cpu_is_used_and_nothing_is_said(
    encoder: OnnxEncoder, capfd: pytest.CaptureFixture[str]
) -> None:
    assert encoder.provider == providers.CPU
    assert encoder.warning == ""
    assert capfd.readouterr() == ("", "")


@WITHOUT_GPU
def test_asking_for_a_gpu_that_is_not_there_is_an_error(toy_encoder: Path) -> None:
    with pytest.raises(ConfigError, match="no driver offers one"):
        OnnxEncoder.open(toy_encoder, device="cuda")


@pytest.mark.gpu
@pytest.mark.skipif(providers.cuda_device_count() == 0, reason="no GPU here")
def test_with_a_gpu_it_is_used_and_agrees_with_the_cpu(
    toy_encoder: Path, pixels: np.ndarray
) -> None:
    on_gpu = OnnxEncoder.open(toy_encoder)
    assert on_gpu.provider == providers.CUDA
    on_cpu = OnnxEncoder.open(toy_encoder, device="cpu")
    np.testing.assert_allclose(on_gpu.embed(pixels), on_cpu.embed(pixels), atol=1e-4)


def test_the_source_of_an_onnx_file_is_that_of_its_weights(toy_encoder: Path) -> None:
    source = find_source(toy_encoder)
    assert source.is_onnx
    assert source.sha256 == "0" * 64


def test_a_run_without_weights_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=r"encoder\.safetensors") as raised:
        find_source(tmp_path)
    assert "ssl-train" in raised.value.hint


@pytest.mark.parametrize(
    ("device", "cuda_devices", "provider"),
    [("cpu", 0, providers.CPU), ("cpu", 2, providers.CPU), ("auto", 0, providers.CPU)],
)
def test_the_cpu_is_chosen_unless_a_driver_offers_a_device(
    device: str, cuda_devices: int, provider: str
) -> None:
    """ONNX Runtime lists CUDA as available wherever its GPU wheel is installed."""
    assert providers.choose_provider(device, cuda_devices=cuda_devices) == provider


def test_a_gpu_that_is_there_and_unused_is_a_warning_unless_it_was_not_wanted() -> None:
    unused = {"cuda_devices": 1, "provider": providers.CPU}
    assert "not used" in providers.unused_gpu("auto", **unused)
    assert providers.unused_gpu("cpu", **unused) == ""
    assert providers.unused_gpu("auto", cuda_devices=1, provider=providers.CUDA) == ""
    assert providers.unused_gpu("auto", cuda_devices=0, provider=providers.CPU) == ""
