"""Encoders made elsewhere: wrapped to our contract, checked, and used like our own."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, save

from indexer.encoder import OnnxEncoder
from indexer.foreign import adapted, foreign_source
from training.errors import EncoderError

SIZE = 16
PARTS = SIZE // 8  # blocks along a side
JSON = {"image_size": SIZE, "mean": [0.1, 0.2, 0.3], "std": [0.5, 0.6, 0.7], "name": "tower"}


def write_tower(path: Path, *, layout: str = "NCHW", tokens: bool = False, opset: int = 18) -> Path:
    """Block means through a projection. As tokens: a row of them for each channel."""
    shape = ["n", 3, SIZE, SIZE] if layout == "NCHW" else ["n", SIZE, SIZE, 3]
    projection = np.random.default_rng(1).standard_normal((3 * PARTS**2, 6)).astype(np.float32)
    nodes = [
        helper.make_node("AveragePool", ["turned"], ["blocks"], kernel_shape=[8, 8], strides=[8, 8])
    ]
    nodes.insert(
        0,
        helper.make_node("Transpose", ["embedding"], ["turned"], perm=[0, 3, 1, 2])
        if layout == "NHWC"
        else helper.make_node("Identity", ["embedding"], ["turned"]),
    )
    target = np.array([0, 3, PARTS**2] if tokens else [0, 3 * PARTS**2], dtype=np.int64)
    nodes.append(helper.make_node("Reshape", ["blocks", "shape"], ["image" if tokens else "flat"]))
    if not tokens:
        nodes.append(helper.make_node("MatMul", ["flat", "projection"], ["image"]))
    constants = {"shape": target, "projection": projection}
    # Its names are ours, the wrong way round, as a hostile or unlucky exporter might choose them.
    graph = helper.make_graph(
        nodes,
        "tower",
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10),
         path)  # fmt: skip
    return path


def describe(path: Path, **fields: object) -> Path:
    path.with_suffix(".json").write_text(json.dumps({**JSON, **fields}))
    return path


def expected(pixels: np.ndarray) -> np.ndarray:
    """What the tower computes, photo by photo."""
    projection = np.random.default_rng(1).standard_normal((3 * PARTS**2, 6))
    rows = []
    for photo in pixels.astype(np.float64):
        normal = (photo / 255 - JSON["mean"]) / JSON["std"]
        blocks = normal.reshape(PARTS, 8, PARTS, 8, 3).mean(axis=(1, 3))  # (h, w, 3)
        row = blocks.transpose(2, 0, 1).reshape(-1) @ projection
        rows.append(row / np.linalg.norm(row))
    return np.array(rows)


def opened(path: Path) -> OnnxEncoder:
    ours = path.with_name("ours.onnx")
    ours.write_bytes(adapted(path))
    return OnnxEncoder.open(ours, device="cpu")


@pytest.fixture
def pixels(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 256, (3, SIZE, SIZE, 3), dtype=np.uint8)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_a_network_of_either_layout_becomes_an_encoder_of_ours(
    layout: str, pixels: np.ndarray, tmp_path: Path
) -> None:
    encoder = opened(describe(write_tower(tmp_path / "t.onnx", layout=layout), layout=layout))
    assert encoder.embed(pixels) == pytest.approx(expected(pixels), abs=1e-5)
    assert (encoder.spec.backbone, encoder.dim) == ("tower", 6)
    assert encoder.spec.preprocessing.image_size == SIZE
    assert encoder.source == foreign_source(tmp_path / "t.onnx")


@pytest.mark.parametrize(("pooling", "pick"), [("first", 0), ("mean", None)])
def test_tokens_are_pooled(
    pooling: str, pick: int | None, pixels: np.ndarray, tmp_path: Path
) -> None:
    encoder = opened(describe(write_tower(tmp_path / "t.onnx", tokens=True), pooling=pooling))
    normal = (pixels / 255 - JSON["mean"]) / JSON["std"]
    blocks = normal.reshape(3, PARTS, 8, PARTS, 8, 3).mean(axis=(2, 4)).transpose(0, 3, 1, 2)
    tokens = blocks.reshape(3, 3, PARTS**2)
    rows = tokens[:, pick] if pick is not None else tokens.mean(axis=1)
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    assert encoder.embed(pixels) == pytest.approx(rows, abs=1e-5)


def test_another_description_is_another_encoder(tmp_path: Path) -> None:
    tower = describe(write_tower(tmp_path / "t.onnx"))
    before = foreign_source(tower)
    describe(tower, mean=[0, 0, 0])
    assert foreign_source(tower) != before


@pytest.mark.parametrize(
    ("tower", "fields", "message"),
    [
        ({"opset": 17}, {}, "uses ONNX opset 17, expected 18"),
        ({"tokens": True}, {}, "gives (3, 3, 4) for three photos"),
        ({"layout": "NHWC"}, {}, "does not run on photos of 16 x 16"),
        ({}, {"image_size": 0}, "impossible size 0"),
        ({}, {"std": [0, 1, 1]}, "impossible crop"),
        ({}, {"layout": "NCWH"}, "has layout 'NCWH'"),
        ({}, {"output": "logits"}, "has no output logits"),
        ({}, {"input": "pixels"}, "has no input pixels"),
        ({}, {"size": 3}, "does not describe an encoder"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(
    tower: dict[str, Any], fields: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = describe(write_tower(tmp_path / "t.onnx", **tower), **fields)
    with pytest.raises(EncoderError) as refused:
        adapted(path)
    assert message in refused.value.message
    assert refused.value.hint


def test_without_its_description_it_is_refused_and_told_what_to_write(tmp_path: Path) -> None:
    tower = write_tower(tmp_path / "t.onnx")
    with pytest.raises(EncoderError, match=r"t\.json cannot be read") as refused:
        foreign_source(tower)
    assert '"image_size": 224' in refused.value.hint


def test_a_gallery_is_built_centred_and_searched_with_it(studio: Any, tmp_path: Path) -> None:
    studio.paint_many(10)
    tower = describe(write_tower(tmp_path / "t.onnx"))
    report = studio.build(encoder=tower)
    assert report.added == 14
    assert "took an encoder made elsewhere" in report.notes
    assert any("centred" in note for note in report.notes)
    gallery = studio.gallery()
    assert gallery.search(gallery.encoder.embed_image(gallery.read(3).image), k=1)[0].id == 3
    assert studio.happened(encoder=tower) == {"unchanged": 14}
