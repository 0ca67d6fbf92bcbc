"""Encoders that compute in fewer bits: `int8` for processors, `fp16` for GPUs.

The network alone is changed. Preparation, pooling, unit length and what centring appends later stay
in float32. How much an encoder loses by it, and what it gains on this machine, is measured on
photos of the collection each time, and too great a loss is refused.
"""

import math
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx

from indexer.encoder import BATCH, FULL_PRECISION, INPUT, PRECISION_KEY, SPEC_KEY, OnnxEncoder
from indexer.half import halved
from indexer.quiet import quiet
from training.errors import EncoderError
from training.evaluate import centred
from training.spec import EncoderSpec

PRECISIONS = (FULL_PRECISION, "fp16", "int8")

# Photos to learn int8's ranges from, and others to compare the two encoders on. Measured: 64 learn
# ranges as good as 128 do.
RANGE_PHOTOS = 64
CHECK_PHOTOS = 64

# A range is the mean over groups of so many photos of their smallest and largest number. Measured
# against the extremes of all: the outliers that it cuts off cost less than the resolution they eat.
_GROUP = 2

# The least mean cosine to the embedding in full precision, both centred on the mean of the photos
# they are compared on. Measured: fp16 .9999, int8 .978 to .995; a network that loses its sense
# falls far below.
LEAST_COSINE = {"fp16": 0.999, "int8": 0.95}

# Centring so few photos would compare noise.
_CENTRE_FROM = 8

# To tell the speed.
_TURNS = 4

# A first layer that adds up fewer products for a number stays as it is. Measured in int8: the 27 of
# MobileNetV2 cost a fifth of its speed, and accuracy; the 147 of ResNet-18 gain half of its speed.
_LEAST_PRODUCTS = 64

_WEIGHTED = ("Conv", "Gemm", "MatMul")
_POOLS = ("GlobalAveragePool", "Flatten")


@dataclass(frozen=True, slots=True)
class Agreement:
    """An encoder beside the same in full precision, on photos it was not fitted to."""

    photos: int
    mean: float  # cosine of a photo's two embeddings
    worst: float
    speed: float  # photos a second, over those of full precision


@dataclass(frozen=True, slots=True, eq=False)
class Reduced:
    """An encoder file in fewer bits."""

    model: bytes
    agreement: Agreement


def reduced(model: bytes, precision: str, photos: np.ndarray, *, device: str) -> Reduced:
    """An encoder in fewer bits.

    Args:
        model: an uncentred encoder file in full precision.
        precision: `fp16` or `int8`.
        photos: `(n, S, S, 3)` uint8, n at least 1, prepared photos of the collection.
        device: where to compare the two: `auto`, `cpu` or `cuda`.

    Raises:
        EncoderError: the network cannot be changed so, or would lose too much.
    """
    learned, checked = photos[::2][:RANGE_PHOTOS], photos[1::2][:CHECK_PHOTOS]
    result = _converted(model, precision, learned)
    agreement = _compared(model, result, checked if len(checked) else learned, device=device)
    if not agreement.mean >= LEAST_COSINE[precision]:
        raise EncoderError(
            f"in {precision} this encoder's embeddings are only {agreement.mean:.3f} like those of "
            f"full precision (mean cosine), expected at least {LEAST_COSINE[precision]}",
            hint="leave --precision out",
        )
    return Reduced(result, agreement)


def _converted(model: bytes, precision: str, photos: np.ndarray) -> bytes:
    """The encoder file, with a network in fewer bits that ONNX Runtime can run."""
    proto = onnx.load_from_string(model)
    metadata = {p.key: p.value for p in proto.metadata_props}
    spec = EncoderSpec.from_json(metadata[SPEC_KEY])
    metadata[SPEC_KEY] = replace(spec, origin=f"{spec.origin}, in {precision}").to_json()
    for number, node in enumerate(proto.graph.node):
        node.name = node.name or f"unnamed_{number}"
    try:
        with quiet():
            inside = _inside(proto.graph)
            changed = halved(proto, inside) if precision == "fp16" else _int8(proto, inside, photos)
            onnx.helper.set_model_props(changed, {**metadata, PRECISION_KEY: precision})
            result = bytes(changed.SerializeToString(deterministic=True))
            OnnxEncoder.load(result, path=Path(precision), device="cpu")
            return result
    # The converters raise whatever a graph they do not know makes them raise.
    except Exception as error:
        reason = str(error).splitlines() or [type(error).__name__]
        raise EncoderError(
            f"this network cannot be turned into {precision}: {reason[0]}",
            hint="leave --precision out",
        ) from error


def _int8(proto: onnx.ModelProto, inside: list[str], photos: np.ndarray) -> onnx.ModelProto:
    """Weights in 8 bits a channel, activations in 8 bits with ranges learned from photos."""
    # Needed here only, and importing it puts a folder of its own on Python's path.
    from onnxruntime import quantization as q  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "int8.onnx"
        q.quantize_static(
            proto,
            path,
            _Groups(photos),
            quant_format=q.QuantFormat.QDQ,
            per_channel=True,
            activation_type=q.QuantType.QUInt8,
            weight_type=q.QuantType.QInt8,
            nodes_to_quantize=inside,
            extra_options={"CalibMovingAverage": True},
        )
        return onnx.load(path)


class _Groups:
    """The photos in groups, as ONNX Runtime's calibration reads them."""

    def __init__(self, photos: np.ndarray) -> None:
        self._groups: Iterator[np.ndarray] = (
            photos[start : start + _GROUP] for start in range(0, len(photos), _GROUP)
        )

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next group; None after the last."""
        group = next(self._groups, None)
        return None if group is None else {INPUT: group}


def _inside(graph: onnx.GraphProto) -> list[str]:
    """The nodes that may compute in fewer bits: before the pooling, narrow first layer left out."""
    kinds = [node.op_type for node in graph.node]
    layers = [at for at, kind in enumerate(kinds) if kind in _WEIGHTED]
    if not layers:
        raise ValueError("it multiplies nothing")
    pools = (
        at
        for at, kind in enumerate(kinds)
        if at > layers[-1] and (kind in _POOLS or kind.startswith("Reduce"))
    )
    first = layers[0] + _is_narrow(graph, graph.node[layers[0]])
    return [node.name for node in graph.node[first : next(pools, len(kinds))]]


def _is_narrow(graph: onnx.GraphProto, layer: onnx.NodeProto) -> bool:
    weights = next((t.dims for t in graph.initializer if t.name == layer.input[1]), ())
    return layer.op_type == "Conv" and math.prod(weights[1:]) < _LEAST_PRODUCTS


def _compared(full: bytes, fewer: bytes, photos: np.ndarray, *, device: str) -> Agreement:
    encoders = [
        OnnxEncoder.load(m, path=Path("encoder.onnx"), device=device) for m in (full, fewer)
    ]
    rows = [encoder.embed(photos) for encoder in encoders]  # (n, d) each
    if len(photos) >= _CENTRE_FROM:
        rows = [centred(part) for part in rows]
    cosines = np.sum(rows[0] * rows[1], axis=1)  # (n,)
    # The best of some turns: others may be using the machine.
    turns = [[_seconds(encoder, photos[:BATCH]) for encoder in encoders] for _ in range(_TURNS)]
    before, after = map(min, zip(*turns, strict=True))
    return Agreement(len(photos), float(cosines.mean()), float(cosines.min()), before / after)


def _seconds(encoder: OnnxEncoder, photos: np.ndarray) -> float:
    started = time.perf_counter()
    encoder.embed(photos)
    return time.perf_counter() - started
