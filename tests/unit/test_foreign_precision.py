"""Encoders made elsewhere in fewer bits: as good as our own, or refused in words."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, load, numpy_helper, save

from indexer.encoder import OnnxEncoder
from training.errors import EncoderError

SIZE = 32
DIM = 12

Tower = Callable[..., Path]


@pytest.fixture
def write_tower(tmp_path: Path) -> Tower:
    """Writes a convolutional tower of floats in, floats out, as other exporters write them."""
    return lambda **options: _write_tower(tmp_path / "tower.onnx", **options)


def _write_tower(
    path: Path, *, batch: int | str = "n", kind: int = TensorProto.FLOAT, tokens: bool = False
) -> Path:
    draw = np.random.default_rng(0)
    cells = (SIZE // 8) ** 2
    constants = {
        "w1": draw.standard_normal((8, 3, 5, 5)) / 5,
        "w2": draw.standard_normal((16, 8, 4, 4)) / 6,
        "w3": draw.standard_normal((16, DIM)),
    }
    # A batch of fixed size is baked into the shapes inside too, as exporters do.
    constants["cells"] = np.array([batch if isinstance(batch, int) else 0, 16, cells])
    nodes = [
        helper.make_node("Conv", ["pixels", "w1"], ["c1"], pads=[2, 2, 2, 2], strides=[2, 2]),
        helper.make_node("Relu", ["c1"], ["a1"]),
        helper.make_node("Conv", ["a1", "w2"], ["c2"], strides=[4, 4]),
        helper.make_node("Relu", ["c2"], ["a2"]),
        helper.make_node("Reshape", ["a2", "cells"], ["columns"]),
        helper.make_node("Transpose", ["columns"], ["rows"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["rows", "w3"], ["tokens"]),
    ]
    if not tokens:
        constants["axes"] = np.array([1])
        nodes.append(helper.make_node("ReduceMean", ["tokens", "axes"], ["image"], keepdims=0))
    kinds = {np.dtype(np.float64): helper.tensor_dtype_to_np_dtype(kind)}
    graph = helper.make_graph(
        nodes,
        "tower",
        [helper.make_tensor_value_info("pixels", kind, [batch, 3, SIZE, SIZE])],
        [helper.make_tensor_value_info("tokens" if tokens else "image", kind, None)],
        [
            numpy_helper.from_array(value.astype(kinds.get(value.dtype, value.dtype)), name)
            for name, value in constants.items()
        ],
    )
    opset = [helper.make_opsetid("", 18)]
    save(helper.make_model(graph, opset_imports=opset, ir_version=10), path)
    spec: dict[str, object] = {"image_size": SIZE, "name": "tower"}
    path.with_suffix(".json").write_text(
        json.dumps({**spec, "pooling": "mean"} if tokens else spec)
    )
    return path


@pytest.mark.parametrize("tokens", [False, True], ids=["one row", "tokens"])
@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_a_gallery_is_built_and_searched_in_fewer_bits(
    studio: Any, write_tower: Tower, precision: str, tokens: bool
) -> None:
    studio.paint_many(20)
    tower = write_tower(tokens=tokens)
    report = studio.build(encoder=tower, precision=precision)

    assert report.added == 24
    assert "took an encoder made elsewhere" in report.notes
    assert any(note.startswith(f"{precision} embeds") for note in report.notes)
    encoder = OnnxEncoder.open(studio.folder / "encoder.onnx", device="cpu")
    assert (encoder.precision, encoder.dim) == (precision, 6)
    assert encoder.spec.origin == f"made elsewhere: tower.onnx, in {precision}"
    fewer = {t.data_type for t in load(studio.folder / "encoder.onnx").graph.initializer}
    assert {"fp16": TensorProto.FLOAT16, "int8": TensorProto.INT8}[precision] in fewer
    gallery = studio.gallery()
    for photo in (1, 9, 24):
        query = gallery.encoder.embed_image(gallery.read(photo).image)
        assert gallery.search(query, k=1)[0].id == photo
    assert studio.happened(encoder=tower) == {"unchanged": 24}


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_tower_for_one_photo_at_a_time_is_refused_before_anything_is_embedded(
    studio: Any, write_tower: Tower, precision: str
) -> None:
    with pytest.raises(EncoderError, match="does not run on photos of 32 x 32") as refused:
        studio.build(encoder=write_tower(batch=1), precision=precision)
    assert "dynamic batch" in refused.value.hint


def test_a_batch_that_is_fixed_in_the_input_alone_is_no_trouble(
    studio: Any, write_tower: Tower
) -> None:
    tower = write_tower()
    proto = load(tower)
    proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    save(proto, tower)
    assert studio.build(encoder=tower, precision="int8").added == 4


def test_a_tower_that_takes_half_precision_is_refused_in_words(
    studio: Any, write_tower: Tower
) -> None:
    with pytest.raises(EncoderError, match="takes float16, expected float") as refused:
        studio.build(encoder=write_tower(kind=TensorProto.FLOAT16), precision="fp16")
    assert "--precision fp16" in refused.value.hint
