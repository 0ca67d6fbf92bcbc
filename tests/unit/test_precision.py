"""Encoders in fewer bits: nearly the same embeddings, measured and told, or refused."""

import logging
import tempfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from indexer.encoder import INPUT, OUTPUT, SOURCE_KEY, SPEC_KEY, OnnxEncoder
from indexer.precision import Reduced, reduced
from training.errors import EncoderError
from training.evaluate import centred
from training.spec import EncoderSpec, Preprocessing

SIZE = 16
DIM = 12
SOURCE = "5" * 64
FEWER = ["fp16", "int8"]


def conv_encoder(*, outlier: float = 0.0, stem: int = 3) -> bytes:
    """Three convolutions with clipped activations, mean over places, unit length.

    Args:
        outlier: what the second layer adds to one of its channels, which the third one ignores.
        stem: the first layer looks at so many pixels along each side.
    """
    draw = np.random.default_rng(0)
    bias = np.full(8, 0.1, np.float32)
    wide = bias.copy()
    wide[0] += outlier
    last = draw.standard_normal((DIM, 8, 1, 1)).astype(np.float32)
    last[:, 0] = 0 if outlier else last[:, 0]
    constants = {
        "scale": np.float32(1 / 255),
        "w1": draw.standard_normal((8, 3, stem, stem)).astype(np.float32) / stem,
        "w2": draw.standard_normal((8, 8, 3, 3)).astype(np.float32) / 6,
        "w3": last,
        "b1": bias,
        "b2": wide,
        "zero": np.float32(0),
        "most": np.float32(1e9),
        "axes": np.array([2, 3], dtype=np.int64),
        "axis": np.array([1], dtype=np.int64),
        "epsilon": np.float32(1e-12),
    }
    nodes = [
        helper.make_node("Cast", [INPUT], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["floats", "scale"], ["unit"]),
        helper.make_node("Transpose", ["unit"], ["channels"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["channels", "w1", "b1"], ["c1"], "first", strides=[2, 2]),
        helper.make_node("Clip", ["c1", "zero", "most"], ["a1"]),
        helper.make_node("Conv", ["a1", "w2", "b2"], ["c2"], "second"),
        helper.make_node("Clip", ["c2", "zero", "most"], ["a2"]),
        helper.make_node("Conv", ["a2", "w3"], ["c3"], "third"),
        helper.make_node("ReduceMean", ["c3", "axes"], ["pooled"], keepdims=0),
        helper.make_node("ReduceL2", ["pooled", "axis"], ["length"]),
        helper.make_node("Max", ["length", "epsilon"], ["divisor"]),
        helper.make_node("Div", ["pooled", "divisor"], [OUTPUT]),
    ]
    graph = helper.make_graph(
        nodes,
        "convolutions",
        [helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["batch", SIZE, SIZE, 3])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["batch", DIM])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    spec = EncoderSpec("convolutions", DIM, Preprocessing(SIZE), origin="drawn at random")
    helper.set_model_props(model, {SPEC_KEY: spec.to_json(), SOURCE_KEY: SOURCE})
    return bytes(model.SerializeToString(deterministic=True))


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
def results() -> dict[str, Reduced]:
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


def test_a_wide_first_layer_shrinks_too() -> None:
    result = reduced(conv_encoder(stem=5), "int8", photos(), device="cpu")
    assert set(weights(result.model).values()) == {TensorProto.INT8}


@pytest.mark.parametrize("precision", FEWER)
def test_the_embeddings_are_nearly_the_same(precision: str, results: dict[str, Reduced]) -> None:
    fresh = photos(60)[40:]  # neither learned from nor compared on
    rows = opened(results[precision].model).embed(fresh)

    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    cosines = np.sum(rows * opened(conv_encoder()).embed(fresh), axis=1)
    assert cosines.min() > {"fp16": 0.99999, "int8": 0.999}[precision]


@pytest.mark.parametrize("precision", FEWER)
def test_what_is_told_is_what_the_files_do(precision: str, results: dict[str, Reduced]) -> None:
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
    precision: str, results: dict[str, Reduced]
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
def test_the_same_photos_give_the_same_file(precision: str, results: dict[str, Reduced]) -> None:
    again = reduced(conv_encoder(), precision, photos(), device="cpu")
    assert again.model == results[precision].model


def test_one_photo_is_enough() -> None:
    result = reduced(conv_encoder(), "int8", photos(1), device="cpu")
    assert result.agreement.photos == 1
    assert result.agreement.mean > 0.99


def test_a_network_that_loses_its_sense_is_refused() -> None:
    # One channel of a million leaves the steps of 8 bits too wide for the others.
    with pytest.raises(EncoderError, match="like those of full precision") as raised:
        reduced(conv_encoder(outlier=1e6), "int8", photos(), device="cpu")
    assert "leave --precision out" in raised.value.hint


def test_a_network_that_cannot_be_changed_is_refused() -> None:
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
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        for precision in FEWER:
            reduced(conv_encoder(), precision, photos(4), device="cpu")
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []
