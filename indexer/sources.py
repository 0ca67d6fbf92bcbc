"""What `--encoder` may name: a run of `ssl-train`, its weights, or an encoder as an ONNX file."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from indexer.encoder import OnnxEncoder, read_encoder
from indexer.wording import shown
from training.errors import EncoderError
from training.spec import ENCODER_FILE


@dataclass(frozen=True)
class EncoderSource:
    """Where an encoder comes from, and the identity it keeps through export and centring."""

    path: Path
    sha256: str  # of the weights, hex
    is_onnx: bool


def find_source(path: Path) -> EncoderSource:
    """Identify an encoder without loading its weights.

    Raises:
        EncoderError: there is none at `path`.
    """
    if path.suffix == ".onnx":
        # Looking inside needs a library that searching does without.
        from indexer.foreign import foreign_source, is_foreign  # noqa: PLC0415

        if is_foreign(read_encoder(path)):
            return EncoderSource(path, foreign_source(path), is_onnx=True)
        encoder = OnnxEncoder.open(path, device="cpu")
        return EncoderSource(path, encoder.source or encoder.fingerprint, is_onnx=True)
    file = path / ENCODER_FILE if path.is_dir() else path
    try:
        with file.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        raise EncoderError(
            f"there is no encoder to read at {shown(file)}: {error.strerror}",
            hint="train one with `ssl-train PHOTOS`, or name its run folder with --encoder",
        ) from None
    return EncoderSource(path, digest, is_onnx=False)
