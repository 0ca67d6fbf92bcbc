"""Encoders made elsewhere: an image network as ONNX, and a small JSON on how it wants its photos.

The JSON lies beside the file, `tower.json` for `tower.onnx`:

    {"image_size": 224, "crop_fraction": 0.9, "mean": [0.48, 0.46, 0.41], "std": [0.27, 0.26, 0.28]}

`"layout": "NHWC"`, `"input"`, `"output"`, `"pooling"` (`first` or `mean` of a row of tokens) and
`"name"` may be said too. What comes out is an encoder as ours are: bytes in, unit rows out.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, compose, helper, numpy_helper

from indexer.encoder import INPUT, OUTPUT, SOURCE_KEY, SPEC_KEY, read_encoder
from indexer.runtime import ort
from indexer.wording import shown
from training.errors import EncoderError
from training.spec import EncoderSpec, Preprocessing

# Of every name in the network, so that ours are free.
_THEIRS = "outer_"

# ReduceL2 takes its axes as an input from this opset on, in our nodes and in those of centring.
LEAST_OPSET = 18

EPSILON = 1e-12

# Rows of one photo, alone and in company, may differ by rounding only.
MAX_DIFFERENCE = 1e-3

_LAYOUTS = ("NCHW", "NHWC")
_POOLINGS = ("none", "first", "mean")
_KEYS = {"image_size", "crop_fraction", "mean", "std", "layout", "input", "output", "pooling",
         "name"}  # fmt: skip


@dataclass(frozen=True)
class ForeignSpec:
    """How a network made elsewhere wants its photos, and where its embedding comes out."""

    preprocessing: Preprocessing
    layout: str = "NCHW"
    pooling: str = "none"
    input: str | None = None  # None: its only one
    output: str | None = None  # None: its first
    name: str = ""


def is_foreign(model: bytes) -> bool:
    """Whether an ONNX file carries no contract of ours; False for what is no ONNX file at all."""
    try:
        proto = onnx.load_from_string(model)
    except Exception:  # protobuf's own error class has moved between versions
        return False
    return bool(proto.graph.node) and all(p.key != SPEC_KEY for p in proto.metadata_props)


def foreign_source(path: Path) -> str:
    """The identity of such an encoder: the hash of the network with its JSON, hex.

    Raises:
        EncoderError: one of them cannot be read.
    """
    text = json.dumps(_described(path), sort_keys=True)
    return hashlib.sha256(read_encoder(path) + text.encode()).hexdigest()


def adapted(path: Path) -> bytes:
    """The network as an encoder file of ours.

    Raises:
        EncoderError: it has no JSON, or does not take or give what the JSON says.
    """
    spec = _parsed(path, _described(path))
    proto = onnx.load_from_string(read_encoder(path))
    _check(proto, path)
    theirs = compose.add_prefix(proto, _THEIRS)
    _wrap(theirs, spec, path)
    helper.set_model_props(theirs, {SOURCE_KEY: foreign_source(path)})
    dim = _probed(theirs, spec.preprocessing.image_size, path)
    contract = EncoderSpec(
        spec.name or path.stem, dim, spec.preprocessing, origin=f"made elsewhere: {path.name}"
    )
    del theirs.graph.output[:]
    theirs.graph.output.append(
        helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["batch", dim])
    )
    theirs.metadata_props.add(key=SPEC_KEY, value=contract.to_json())
    return bytes(theirs.SerializeToString(deterministic=True))


def _described(path: Path) -> dict[str, Any]:
    """What the JSON beside an encoder says."""
    beside = path.with_suffix(".json")
    try:
        found = json.loads(beside.read_bytes())
    except OSError as error:
        raise EncoderError(
            f"{shown(path)} is an encoder made elsewhere, and {shown(beside)} cannot be read: "
            f"{error.strerror}",
            hint='write there how its photos are prepared: {"image_size": 224, "mean": [0.485, '
            '0.456, 0.406], "std": [0.229, 0.224, 0.225]}',
        ) from None
    except (ValueError, RecursionError) as error:
        raise EncoderError(f"{shown(beside)} is no JSON: {error}", hint="correct it") from None
    if not isinstance(found, dict) or not set(found) <= _KEYS or "image_size" not in found:
        raise EncoderError(
            f"{shown(beside)} does not describe an encoder: it holds {shown(str(found))[:200]}",
            hint=f"image_size is needed; known are {', '.join(sorted(_KEYS))}",
        )
    return found


def _parsed(path: Path, found: dict[str, Any]) -> ForeignSpec:
    # The contract's own reader checks every number.
    contract = json.loads(EncoderSpec("-", 1, Preprocessing(image_size=1)).to_json())
    said = ("image_size", "crop_fraction", "mean", "std")
    contract["preprocessing"].update({name: found[name] for name in said if name in found})
    preprocessing = EncoderSpec.from_json(json.dumps(contract)).preprocessing
    spec = ForeignSpec(
        preprocessing,
        **{key: found[key] for key in ("layout", "pooling", "input", "output", "name")
           if key in found},
    )  # fmt: skip
    texts = (spec.layout, spec.pooling, spec.input or "", spec.output or "", spec.name)
    if (
        not all(isinstance(text, str) for text in texts)
        or spec.layout not in _LAYOUTS
        or spec.pooling not in _POOLINGS
    ):
        raise EncoderError(
            f"{shown(path.with_suffix('.json'))} has layout {spec.layout!r} and pooling "
            f"{spec.pooling!r}",
            hint=f"layout is {' or '.join(_LAYOUTS)}, pooling {' or '.join(_POOLINGS)}",
        )
    return spec


def _check(proto: onnx.ModelProto, path: Path) -> None:
    """Refuse what our nodes cannot be joined to."""
    opset = max((o.version for o in proto.opset_import if o.domain in ("", "ai.onnx")), default=0)
    if opset < LEAST_OPSET:
        raise EncoderError(
            f"{shown(path)} uses ONNX opset {opset}, expected {LEAST_OPSET} or newer",
            hint=f"export it again with opset_version={LEAST_OPSET}",
        )
    outside = TensorProto.EXTERNAL
    if any(tensor.data_location == outside for tensor in proto.graph.initializer):
        raise EncoderError(
            f"{shown(path)} keeps its weights in another file",
            hint="save it as one file: onnx.save(onnx.load('in.onnx'), 'out.onnx')",
        )


def _wrap(proto: onnx.ModelProto, spec: ForeignSpec, path: Path) -> None:
    """Our input before theirs, pooling and unit length behind their output."""
    graph = proto.graph
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    source = _chosen(inputs, spec.input, "input", path)
    result = _chosen(list(graph.output), spec.output or graph.output[0].name, "output", path)
    if len(inputs) != 1:
        names = ", ".join(value.name.removeprefix(_THEIRS) for value in inputs)
        raise EncoderError(
            f"{shown(path)} takes {names}, expected an image alone", hint="export the image tower"
        )
    kind = inputs[0].type.tensor_type.elem_type
    if kind != TensorProto.FLOAT:
        name = TensorProto.DataType.Name(kind).lower()
        raise EncoderError(
            f"{shown(path)} takes {name}, expected float",
            hint="export it in float32; `--precision fp16` makes it smaller here",
        )
    constants, before = _preparation(spec, source)
    more, after = _ending(spec, result)
    for name, value in {**constants, **more}.items():
        graph.initializer.append(numpy_helper.from_array(value, name))
    nodes = [*before, *graph.node, *after]
    del graph.node[:]
    graph.node.extend(nodes)
    size = spec.preprocessing.image_size
    del graph.input[:]
    graph.input.append(
        helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["batch", size, size, 3])
    )
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, None))


def _chosen(values: list[onnx.ValueInfoProto], wanted: str | None, what: str, path: Path) -> str:
    names = [value.name for value in values]
    prefixed = None if wanted is None else _THEIRS + wanted.removeprefix(_THEIRS)
    if prefixed is None and names:
        return names[0]
    if prefixed in names:
        return str(prefixed)
    told = ", ".join(name.removeprefix(_THEIRS) for name in names) or "none"
    raise EncoderError(
        f"{shown(path)} has no {what} {shown(wanted or '')}", hint=f"its {what}s are: {told}"
    )


def _preparation(
    spec: ForeignSpec, source: str
) -> tuple[dict[str, np.ndarray], list[onnx.NodeProto]]:
    """From bytes to what the network was trained on."""
    constants = {
        "in_scale": np.float32(1 / 255),
        "in_mean": np.array(spec.preprocessing.mean, np.float32),
        "in_std": np.array(spec.preprocessing.std, np.float32),
    }
    turned = spec.layout == "NCHW"
    last = "in_normal" if turned else source
    nodes = [
        helper.make_node("Cast", [INPUT], ["in_floats"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["in_floats", "in_scale"], ["in_unit"]),
        helper.make_node("Sub", ["in_unit", "in_mean"], ["in_centred"]),
        helper.make_node("Div", ["in_centred", "in_std"], [last]),
    ]
    if turned:
        nodes.append(helper.make_node("Transpose", [last], [source], perm=[0, 3, 1, 2]))
    return {name: np.asarray(value) for name, value in constants.items()}, nodes


def _ending(spec: ForeignSpec, result: str) -> tuple[dict[str, np.ndarray], list[onnx.NodeProto]]:
    """Pooling, where there are tokens, and unit length."""
    constants: dict[str, np.ndarray] = {
        "out_axis": np.array([1], dtype=np.int64),
        "out_first": np.array(0, dtype=np.int64),
        "out_epsilon": np.array(EPSILON, dtype=np.float32),
    }
    pooled = result if spec.pooling == "none" else "out_pooled"
    nodes = []
    if spec.pooling == "first":
        nodes.append(helper.make_node("Gather", [result, "out_first"], [pooled], axis=1))
    if spec.pooling == "mean":
        nodes.append(helper.make_node("ReduceMean", [result, "out_axis"], [pooled], keepdims=0))
    nodes += [
        helper.make_node("ReduceL2", [pooled, "out_axis"], ["out_length"]),
        helper.make_node("Max", ["out_length", "out_epsilon"], ["out_divisor"]),
        helper.make_node("Div", [pooled, "out_divisor"], [OUTPUT]),
    ]
    return constants, nodes


def _probed(proto: onnx.ModelProto, size: int, path: Path) -> int:
    """The length of an embedding, found by trying three pictures, alone and together."""
    pixels = np.random.default_rng(0).integers(0, 256, (3, size, size, 3), dtype=np.uint8)
    options = ort.SessionOptions()
    options.log_severity_level = 4
    try:
        session = ort.InferenceSession(
            proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        together = session.run([OUTPUT], {INPUT: pixels})[0]
        alone = session.run([OUTPUT], {INPUT: pixels[:1]})[0]
    # ONNX Runtime's exceptions share no base class of their own.
    except Exception as error:
        raise EncoderError(
            f"{shown(path)} does not run on photos of {size} x {size}: "
            f"{shown(str(error).splitlines()[0])}",
            hint="check image_size and layout in its JSON, and export it with a dynamic batch",
        ) from None
    if together.ndim != 2 or not np.isfinite(together).all():
        raise EncoderError(
            f"{shown(path)} gives {together.shape} for three photos, expected a row of finite "
            "numbers for each",
            hint='name its embedding with "output", or pool its tokens with "pooling": "first"',
        )
    if float(np.abs(together[:1] - alone).max()) > MAX_DIFFERENCE:
        raise EncoderError(
            f"{shown(path)} embeds a photo differently in company", hint="export it in eval mode"
        )
    return int(together.shape[1])
