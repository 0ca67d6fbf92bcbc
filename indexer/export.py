"""From trained weights to one self-contained ONNX file. The only torch in this room.

Inside the file: bytes to [0, 1], normalisation, the backbone, unit length. Its metadata carries the
preprocessing contract and the hash of the weights it came from.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from indexer.encoder import INPUT, OUTPUT, SOURCE_KEY, SPEC_KEY, OnnxEncoder
from indexer.quiet import quiet
from training.checkpoint import load_encoder
from training.errors import EncoderError
from training.files import replacing
from training.models import restore_backbone
from training.spec import EncoderSpec, Preprocessing

# Measured: 5e-7 to 1.4e-6. More than this is not rounding but another network.
MAX_DIFFERENCE = 1e-4

# The newest opset that every ONNX Runtime we accept runs.
OPSET = 20

# Rows shorter than this are divided by it: a zero stays zero instead of becoming NaN.
EPSILON = 1e-12


@dataclass(frozen=True)
class ExportReport:
    """What was exported, and how closely it agrees with PyTorch."""

    path: Path
    sha256: str  # of the ONNX file, hex
    source_sha256: str  # of the weights, hex
    parity: float  # the largest absolute difference of an embedding's numbers from PyTorch's


def export_encoder(source: Path, destination: Path) -> ExportReport:
    """Export an encoder.

    Args:
        source: a run folder of `ssl-train`, or a .safetensors file from one.
        destination: the ONNX file to write; it appears whole or not at all.

    Raises:
        EncoderError: `source` holds no encoder, or the export does not agree with PyTorch.
    """
    weights = load_encoder(source)
    network = _PhotoEncoder(restore_backbone(weights.spec, weights.tensors), weights.spec).eval()
    model = _exported(network, weights.spec.preprocessing.image_size)
    onnx.helper.set_model_props(
        model, {SPEC_KEY: weights.spec.to_json(), SOURCE_KEY: weights.sha256}
    )
    with replacing(destination) as temporary:
        temporary.write_bytes(model.SerializeToString(deterministic=True))
        encoder = OnnxEncoder.open(temporary, device="cpu")
        parity = _largest_difference(network, encoder)
        if not parity <= MAX_DIFFERENCE:
            raise EncoderError(
                f"the exported encoder differs from PyTorch by {parity:.1e}, "
                f"expected at most {MAX_DIFFERENCE:.0e}",
                hint="train the encoder again; if that does not help, report it with the run",
            )
    return ExportReport(destination, encoder.fingerprint, weights.sha256, parity)


class _PhotoEncoder(nn.Module):
    """Bytes in, unit rows out: what the ONNX file does."""

    mean: Tensor
    std: Tensor

    def __init__(self, backbone: nn.Module, spec: EncoderSpec) -> None:
        super().__init__()
        self.backbone = backbone
        statistics = (spec.preprocessing.mean, spec.preprocessing.std)
        for name, values in zip(("mean", "std"), statistics, strict=True):
            self.register_buffer(name, torch.tensor(values).view(1, 3, 1, 1))

    def forward(self, image: Tensor) -> Tensor:
        """Embed `(n, S, S, 3)` uint8 photos as `(n, d)` float32 unit rows."""
        pixels = image.permute(0, 3, 1, 2).float() / 255.0  # (n, 3, S, S) in [0, 1]
        rows = self.backbone((pixels - self.mean) / self.std)  # (n, d)
        return nn.functional.normalize(rows, dim=1, eps=EPSILON)


def _exported(network: nn.Module, size: int) -> onnx.ModelProto:
    # The graph is the same without, but the exporter takes what works in place apart, operation by
    # operation: MobileNetV2 took 6.2 seconds and takes 3.9.
    for module in network.modules():
        if getattr(module, "inplace", False):
            module.inplace = False  # type: ignore[assignment]
    # A batch of 1 would be taken for a constant.
    example = torch.zeros(2, size, size, 3, dtype=torch.uint8)
    with quiet(), torch.no_grad():
        program = torch.onnx.export(
            network,
            (example,),
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    if program is None:
        raise EncoderError("PyTorch exported nothing", hint="install a newer torch")
    return _without_traces(program.model_proto)


def _without_traces(model: onnx.ModelProto) -> onnx.ModelProto:
    """Take out what the exporter noted for debugging: it holds file paths of this machine."""
    graph = model.graph
    del model.metadata_props[:]
    del graph.metadata_props[:]
    model.doc_string = graph.doc_string = ""
    for item in (*graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        del item.metadata_props[:]
        item.doc_string = ""
    return model


def _largest_difference(network: nn.Module, encoder: OnnxEncoder) -> float:
    """PyTorch against ONNX Runtime on noise and on pictures, at two batch sizes."""
    worst = 0.0
    for pixels in _probes(encoder.spec.preprocessing):
        with torch.no_grad():
            expected = network(torch.from_numpy(pixels)).numpy()  # (n, d)
        worst = max(worst, float(np.abs(expected - encoder.embed(pixels)).max()))
    return worst


def _probes(preprocessing: Preprocessing) -> list[np.ndarray]:
    """Noise `(3, S, S, 3)` and one smooth picture `(1, S, S, 3)`, uint8."""
    size = preprocessing.image_size
    noise = np.random.default_rng(0).integers(0, 256, (3, size, size, 3), dtype=np.uint8)
    ramp = np.linspace(0, 1, size)
    waves = np.outer(np.sin(7 * ramp), np.cos(5 * ramp))[..., None] * np.array([1.0, 0.6, 0.3])
    picture = np.round(127.5 * (1 + waves)).astype(np.uint8)  # (S, S, 3)
    return [noise, picture[np.newaxis]]
