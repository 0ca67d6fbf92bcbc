"""An encoder as one ONNX file: photos in, embeddings out, the preprocessing contract inside."""

import hashlib
from pathlib import Path
from typing import Self

import numpy as np
from PIL import Image

from indexer import providers
from indexer.runtime import ort
from indexer.wording import shown
from training.errors import EncoderError
from training.spec import EncoderSpec

# Names that an encoder file is known by.
INPUT = "image"  # (n, S, S, 3) uint8 RGB
OUTPUT = "embedding"  # (n, d) float32 unit rows
SPEC_KEY = "lookalike.spec"
SOURCE_KEY = "lookalike.source"
PRECISION_KEY = "lookalike.precision"

# What an encoder computes in that says nothing else.
FULL_PRECISION = "fp32"

# Measured: throughput is flat from 8 to 64 on a CPU, and a GPU is busy at 32.
BATCH = 32

_HINT = "give a run folder of `ssl-train`, or an encoder.onnx that `ssl-index build` wrote"


class OnnxEncoder:
    """A session on the GPU or the CPU. Safe to share between threads."""

    def __init__(
        self, session: ort.InferenceSession, spec: EncoderSpec, *, fingerprint: str, source: str
    ) -> None:
        self.spec = spec
        self.fingerprint = fingerprint  # SHA-256 of the file, hex
        self.source = source  # SHA-256 of the weights it was exported from, hex
        self.warning = ""  # a sentence when a GPU is there and unused
        self._session = session

    @classmethod
    def open(cls, path: Path, *, device: str = "auto", threads: int | None = None) -> Self:
        """Open an encoder file.

        Args:
            path: an ONNX file that Lookalike wrote.
            device: `auto` uses a GPU when there is one; `cpu` and `cuda` insist.
            threads: that one call may use on processors; None is as many as there are cores.

        Raises:
            EncoderError: it is missing, damaged, or was not written by Lookalike.
            ConfigError: the device is unknown or not there.
        """
        return cls.load(read_encoder(path), path=path, device=device, threads=threads)

    @classmethod
    def load(
        cls, model: bytes, *, path: Path, device: str = "auto", threads: int | None = None
    ) -> Self:
        """Open an encoder that was read already; `path` is for messages. See `open`."""
        devices = providers.cuda_device_count() if device != "cpu" else 0
        provider = providers.choose_provider(device, cuda_devices=devices)
        session = open_session(model, provider, path, threads=threads)
        encoder = cls(
            session,
            _spec(session, path),
            fingerprint=hashlib.sha256(model).hexdigest(),
            source=session.get_modelmeta().custom_metadata_map.get(SOURCE_KEY, ""),
        )
        encoder.warning = providers.unused_gpu(
            device, cuda_devices=devices, provider=encoder.provider
        )
        return encoder

    @property
    def dim(self) -> int:
        """The length of an embedding."""
        return self.spec.embedding_dim

    @property
    def precision(self) -> str:
        """What the network computes in: `fp32`, `fp16` or `int8`."""
        metadata = self._session.get_modelmeta().custom_metadata_map
        return str(metadata.get(PRECISION_KEY, FULL_PRECISION))

    @property
    def provider(self) -> str:
        """The ONNX Runtime provider that the session really uses."""
        return str(self._session.get_providers()[0])

    def embed(self, pixels: np.ndarray) -> np.ndarray:
        """Embed prepared photos.

        Args:
            pixels: `(n, S, S, 3)` uint8 RGB, as `spec.preprocessing.prepare` gives them.

        Returns:
            `(n, d)` float32 unit rows; a photo's row does not depend on its company.
        """
        parts = [
            self._session.run([OUTPUT], {INPUT: pixels[start : start + BATCH]})[0]
            for start in range(0, len(pixels), BATCH)
        ]
        return np.concatenate(parts) if parts else np.empty((0, self.dim), dtype=np.float32)

    def embed_image(self, image: Image.Image) -> np.ndarray:
        """Embed one upright RGB photo: `(d,)` float32, of unit length."""
        pixels = self.spec.preprocessing.prepare(image)
        row: np.ndarray = self.embed(pixels[np.newaxis])[0]
        return row


def read_encoder(path: Path) -> bytes:
    """The bytes of an encoder file.

    Raises:
        EncoderError: there is none.
    """
    try:
        return path.read_bytes()
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise EncoderError(
            f"there is no encoder to read at {shown(path)}: {error.strerror}", hint=_HINT
        ) from None


def open_session(
    model: bytes, provider: str, path: Path, *, threads: int | None = None
) -> ort.InferenceSession:
    """A session that shares the machine: no spinning threads, no more of them than cores.

    Args:
        model: an ONNX file's bytes.
        provider: `providers.CPU` or `providers.CUDA`.
        path: where it came from, for the error.
        threads: that one call may use on processors; None is as many as there are cores.

    Raises:
        EncoderError: it is no ONNX file, or damaged.
    """
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads or providers.cores()
    # Threads that spin while they wait take the cores that the decoders need.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    chosen: list[str | tuple[str, dict[str, str]]] = [providers.CPU]
    if provider == providers.CUDA:
        ort.preload_dlls()
        chosen.insert(0, (provider, providers.CUDA_OPTIONS))
    try:
        return ort.InferenceSession(model, options, providers=chosen)
    # ONNX Runtime's exceptions share no base class of their own.
    except Exception as error:
        raise EncoderError(
            f"{shown(path)} is not an ONNX file, or is damaged: {str(error).splitlines()[0]}",
            hint=_HINT,
        ) from None


def _spec(session: ort.InferenceSession, path: Path) -> EncoderSpec:
    """The contract inside the file, checked against the graph's own input and output."""
    text = session.get_modelmeta().custom_metadata_map.get(SPEC_KEY)
    if text is None:
        raise EncoderError(
            f"{shown(path)} is an ONNX file, but not an encoder of Lookalike: "
            f"it has no {SPEC_KEY} in its metadata",
            hint=_HINT,
        )
    spec = EncoderSpec.from_json(text)
    size = spec.preprocessing.image_size
    wanted = [
        (INPUT, "tensor(uint8)", [size, size, 3]),
        (OUTPUT, "tensor(float)", [spec.embedding_dim]),
    ]
    found = [(v.name, v.type, v.shape[1:]) for v in (*session.get_inputs(), *session.get_outputs())]
    if found != wanted:
        raise EncoderError(f"{shown(path)} takes and gives {found}, expected {wanted}", hint=_HINT)
    return spec
