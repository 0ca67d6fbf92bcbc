"""The classifier as ONE ONNX file: the gallery's encoder with the head at the end of its graph."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from app.classifier import CLASSIFIER_KEY, NEAR, PROBABILITIES, Classifier, ClassifierFacts
from app.fewshot.estimator import Head
from indexer.encoder import OUTPUT, OnnxEncoder, read_encoder
from training.errors import LabelError
from training.files import replacing

# Measured: 1e-6. More than this is not rounding but another classifier.
MAX_DIFFERENCE = 1e-4

# Of every name that the head adds to the graph.
PREFIX = "lookalike_head_"


@dataclass(frozen=True, slots=True)
class ClassifierReport:
    """The file that was written, and how closely it agrees with encoder and head."""

    path: Path
    sha256: str
    size_bytes: int
    parity: float  # the largest difference of a probability or cosine


def export_classifier(
    encoder: Path, head: Head, means: np.ndarray, facts: ClassifierFacts, destination: Path
) -> ClassifierReport:
    """Write a classifier.

    Args:
        encoder: the gallery's encoder.onnx, whose embeddings the head was learned on.
        head: the head.
        means: `(c, d)` float32 unit rows, the mean of every class, to tell how near a photo is.
        facts: what the file says of itself.
        destination: appears whole or not at all.

    Raises:
        LabelError: the file does not agree with encoder and head.
        EncoderError: the encoder cannot be read.
    """
    model = merged(read_encoder(encoder), head, means, facts)
    destination.absolute().parent.mkdir(parents=True, exist_ok=True)
    with replacing(destination) as temporary:
        temporary.write_bytes(model)
        classifier = Classifier.open(temporary, device="cpu")
        parity = _largest_difference(
            classifier, OnnxEncoder.open(encoder, device="cpu"), head, means
        )
        if not parity <= MAX_DIFFERENCE:
            raise LabelError(
                f"the exported classifier differs from encoder and head by {parity:.1e}, "
                f"expected at most {MAX_DIFFERENCE:.0e}",
                hint="nothing was written; report it with the gallery's encoder.onnx",
            )
    return ClassifierReport(destination, hashlib.sha256(model).hexdigest(), len(model), parity)


def merged(encoder: bytes, head: Head, means: np.ndarray, facts: ClassifierFacts) -> bytes:
    """An encoder file with a head at the end, and other outputs."""
    proto = onnx.load_from_string(encoder)
    graph = proto.graph
    weights, bias = head.folded()
    constants = {"weights": weights, "bias": bias, "means": means}
    for name, value in constants.items():
        floats = np.ascontiguousarray(value, dtype=np.float32)
        graph.initializer.append(numpy_helper.from_array(floats, PREFIX + name))
    logits, zero = PREFIX + "logits", PREFIX + "zero"
    graph.initializer.append(numpy_helper.from_array(np.zeros(1, np.float32), zero))
    graph.node.extend(
        [
            _gemm(PREFIX + "weights", PREFIX + "bias", logits),
            helper.make_node("Softmax", [logits], [PROBABILITIES], PREFIX + "softmax", axis=1),
            _gemm(PREFIX + "means", zero, NEAR),
        ]
    )
    del graph.output[:]
    graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", len(head.classes)])
        for name in (PROBABILITIES, NEAR)
    )
    proto.metadata_props.add(key=CLASSIFIER_KEY, value=facts.to_json())
    return bytes(proto.SerializeToString(deterministic=True))


def _gemm(matrix: str, added: str, output: str) -> onnx.NodeProto:
    """`embedding @ matrix.T + added`."""
    return helper.make_node(
        "Gemm", [OUTPUT, matrix, added], [output], f"{PREFIX}to_{output}", transB=1
    )


def _largest_difference(
    classifier: Classifier, encoder: OnnxEncoder, head: Head, means: np.ndarray
) -> float:
    """The file against encoder and head in NumPy, on noise and on a picture."""
    worst = 0.0
    for pixels in _probes(encoder.spec.preprocessing.image_size):
        rows = encoder.embed(pixels)  # (n, d)
        found = classifier.classify(pixels)
        wanted = (head.probabilities(rows), rows @ means.T)
        for left, right in zip((found.probabilities, found.near), wanted, strict=True):
            worst = max(worst, float(np.abs(left - right).max()))
    return worst


def _probes(size: int) -> list[np.ndarray]:
    """Noise `(3, S, S, 3)` and one smooth picture `(1, S, S, 3)`, uint8."""
    noise = np.random.default_rng(0).integers(0, 256, (3, size, size, 3), dtype=np.uint8)
    ramp = np.linspace(0, 1, size)
    waves = np.outer(np.sin(7 * ramp), np.cos(5 * ramp))[..., None] * np.array([1.0, 0.6, 0.3])
    return [noise, np.round(127.5 * (1 + waves)).astype(np.uint8)[np.newaxis]]
