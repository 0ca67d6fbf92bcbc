"""Encoders in fewer bits: nearly the same embeddings, measured and told, or refused."""

import logging
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from indexer.encoder import OnnxEncoder
from indexer.precision import Reduced, reduced
from training.errors import EncoderError
from training.evaluate import centred
from training.spec import EncoderSpec, Preprocessing

SIZE = 16
DIM = 12
SOURCE = "5" * 64
FEWER = ["fp16", "int8"]

Encoders = Callable[..., bytes]

LAYERS = [
    helper.make_node("Conv", ["channels", "w1", "b1"], ["c1"], "first", strides=[2, 2]),
    helper.make_node("Clip", ["c1", "zero", "most"], ["a1"]),
    helper.make_node("Conv", ["a1", "w2", "b2"], ["c2"], "second"),
    helper.make_node("Clip", ["c2", "zero", "most"], ["a2"]),
    helper.make_node("Conv", ["a2", "w3"], ["c3"], "third"),
    helper.make_node("ReduceMean", ["c3", "axes"], ["raw"], keepdims=0),
]


@pytest.fixture(scope="module")
def conv_encoder(make_graph: Encoders) -> Encoders:
    """Makes three convolutions with clipped activations, then the mean over places.

    With `outlier` the second layer adds so much to one of its channels, which the third one
    ignores; the first layer looks at `stem` pixels along each side.
    """

    def made(*, outlier: float = 0.0, stem: int = 3) -> bytes:
        draw = np.random.default_rng(0)
        bias = np.full(8, 0.1, np.float32)
        wide = bias.copy()
        wide[0] += outlier
        last = draw.standard_normal((DIM, 8, 1, 1)).astype(np.float32)
        last[:, 0] = 0 if outlier else last[:, 0]
        constants = {
            "w1": draw.standard_normal((8, 3, stem, stem)).astype(np.float32) / stem,
            "w2": draw.standard_normal((8, 8, 3, 3)).astype(np.float32) / 6,
            "w3": last,
            "b1": bias,
            "b2": wide,
            "zero": np.float32(0),
            "most": np.float32(1e9),
            "axes": np.array([2, 3], dtype=np.int64),
        }
        spec = EncoderSpec("convolutions", DIM, Preprocessing(SIZE), origin="drawn at random")
        return make_graph(LAYERS, constants, spec=spec, source=SOURCE)

    return made


def opened(model: bytes) -> OnnxEncoder:
    return OnnxEncoder.load(model, path=Path("encoder.onnx"), device="cpu")


def photos(count: int = 40) -> np.ndarray:
    """Smooth patterns: photos are not noise."""
    draw = np.random.default_rng(3)
    ramp = np.linspace(0, 6, SIZE)
    pitch, phase = draw.uniform(0.2, 2, (2, count, 1, 1, 3))
    waves = np.sin(pitch * ramp[:, None, None] + 3 * phase * np.cos(ramp)[None, :, None])
    return np.round(127.5 * (1 + waves)).astype(np.uint8)


@pytest.fixture(scope="module")
def results(conv_encoder: Encoders) -> dict[str, Reduced]:
    return {name: reduced(conv_encoder(), name, photos(), device="cpu") for name in FEWER}


def weights(model: bytes) -> dict[str, int]:
    """The type of the numbers that each convolution multiplies with."""
    graph = onnx.load_from_string(model).graph
    stored = {tensor.name: tensor.data_type for tensor in graph.initializer}
    unpacked = {node.output[0]: node.input[0] for node in graph.node
                if node.op_type in ("DequantizeLinear", "Cast")}  # fmt: skip
    convolutions = (node for node in graph.node if node.op_type == "Conv")
    return {n.name: stored[unpacked.get(n.input[1], n.input[1])] for n in convolutions}


def test_a_narrow_first_layer_stays_as_it_was_and_the_others_shrink(
    results: dict[str, Reduced],
) -> None:
    wanted = {"fp16": TensorProto.FLOAT16, "int8": TensorProto.INT8}
    for name, result in results.items():
        kinds = weights(result.model)
        assert kinds.pop("first") == TensorProto.FLOAT
        assert set(kinds.values()) == {wanted[name]}, name


def test_a_wide_first_layer_shrinks_too(conv_encoder: Encoders) -> None:
    result = reduced(conv_encoder(stem=5), "int8", photos(), device="cpu")
    assert set(weights(result.model).values()) == {TensorProto.INT8}


@pytest.mark.parametrize("precision", FEWER)
def test_the_embeddings_are_nearly_the_same(
    precision: str, results: dict[str, Reduced], conv_encoder: Encoders
) -> None:
    fresh = photos(60)[40:]  # neither learned from nor compared on
    rows = opened(results[precision].model).embed(fresh)

    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    cosines = np.sum(rows * opened(conv_encoder()).embed(fresh), axis=1)
    assert cosines.min() > {"fp16": 0.99999, "int8": 0.999}[precision]


@pytest.mark.parametrize("precision", FEWER)
def test_what_is_told_is_what_the_files_do(
    precision: str, results: dict[str, Reduced], conv_encoder: Encoders
) -> None:
    agreement = results[precision].agreement
    checked = photos()[1::2]
    pair = [centred(opened(m).embed(checked)) for m in (conv_encoder(), results[precision].model)]
    cosines = np.sum(pair[0] * pair[1], axis=1)

    assert agreement.photos == 20
    assert agreement.mean == pytest.approx(cosines.mean(), abs=1e-5)
    assert agreement.worst == pytest.approx(cosines.min(), abs=1e-5)
    assert agreement.speed > 0


@pytest.mark.parametrize("precision", FEWER)
def test_the_file_keeps_its_contract_and_names_its_precision(
    precision: str, results: dict[str, Reduced], conv_encoder: Encoders
) -> None:
    encoder = opened(results[precision].model)

    assert encoder.precision == precision
    assert opened(conv_encoder()).precision == "fp32"
    assert encoder.source == SOURCE
    assert encoder.spec.preprocessing == Preprocessing(SIZE)
    assert encoder.spec.origin == f"drawn at random, in {precision}"


@pytest.mark.parametrize("precision", FEWER)
def test_a_photo_embeds_the_same_alone_and_in_company(
    precision: str, results: dict[str, Reduced]
) -> None:
    encoder = opened(results[precision].model)
    alone = np.concatenate([encoder.embed(one[np.newaxis]) for one in photos(5)])
    np.testing.assert_allclose(alone, encoder.embed(photos(5)), atol=1e-5)


@pytest.mark.parametrize("precision", FEWER)
def test_the_same_photos_give_the_same_file(
    precision: str, results: dict[str, Reduced], conv_encoder: Encoders
) -> None:
    again = reduced(conv_encoder(), precision, photos(), device="cpu")
    assert again.model == results[precision].model


def test_one_photo_is_enough(conv_encoder: Encoders) -> None:
    result = reduced(conv_encoder(), "int8", photos(1), device="cpu")
    assert result.agreement.photos == 1
    assert result.agreement.mean > 0.99


def test_a_network_that_loses_its_sense_is_refused(conv_encoder: Encoders) -> None:
    # One channel of a million leaves the steps of 8 bits too wide for the others.
    with pytest.raises(EncoderError, match="like those of full precision") as raised:
        reduced(conv_encoder(outlier=1e6), "int8", photos(), device="cpu")
    assert "leave --precision out" in raised.value.hint


def test_a_network_that_cannot_be_changed_is_refused(conv_encoder: Encoders) -> None:
    wrong = np.zeros((4, SIZE + 1, SIZE, 3), dtype=np.uint8)
    with pytest.raises(EncoderError, match="cannot be turned into int8") as raised:
        reduced(conv_encoder(), "int8", wrong, device="cpu")
    assert "--precision" in raised.value.hint


@pytest.mark.parametrize("precision", FEWER)
def test_nothing_of_this_machine_is_inside(precision: str, results: dict[str, Reduced]) -> None:
    places = (Path.home(), tempfile.gettempdir(), Path(onnx.__file__).parent, Path.cwd())
    for trace in (b"site-packages", *(str(place).encode() for place in places)):
        assert trace not in results[precision].model


def test_nothing_is_printed_or_logged(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, conv_encoder: Encoders
) -> None:
    with caplog.at_level(logging.DEBUG):
        for precision in FEWER:
            reduced(conv_encoder(), precision, photos(4), device="cpu")
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []
