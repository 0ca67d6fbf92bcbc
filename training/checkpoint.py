"""Weights on disk: safetensors with their description inside, written atomically."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from training.errors import EncoderError, RunError
from training.files import atomic_write
from training.spec import ENCODER_FILE, EncoderSpec

START_FILE = "start.safetensors"
TRAINED_FILE = "trained.safetensors"
INTERPOLATED_FILE = "interpolated.safetensors"
CHECKPOINT_FILE = "checkpoint.safetensors"


@dataclass(frozen=True)
class EncoderWeights:
    """A backbone's weights with the contract they were trained under."""

    spec: EncoderSpec
    tensors: dict[str, Tensor]  # under torchvision's names; see models.restore_backbone
    sha256: str  # of the file, in hex

    def same_network(self, other: "EncoderWeights") -> bool:
        """Whether both hold the same tensors."""
        own, others = self.tensors, other.tensors
        return own.keys() == others.keys() and all(
            torch.equal(tensor, others[name]) for name, tensor in own.items()
        )


@dataclass(frozen=True)
class Checkpoint:
    """Everything a run needs to go on after the last finished step."""

    tensors: dict[str, Tensor]
    facts: dict[str, Any]


def save_encoder(path: Path, spec: EncoderSpec, tensors: dict[str, Tensor]) -> None:
    """Write a backbone's weights and its spec as one safetensors file."""
    atomic_write(path, save(_contiguous(tensors), metadata={"spec": spec.to_json()}))


def load_encoder(path: Path) -> EncoderWeights:
    """Read an encoder from a run folder (its encoder.safetensors) or from one such file.

    Raises:
        EncoderError: there is none, or it is damaged.
    """
    file = _encoder_file(path)
    spec, tensors = load_weights(file)
    if spec is None:
        raise EncoderError(
            f"{file} holds weights, but not an encoder of Lookalike",
            hint="give a run folder, or a .safetensors file from one",
        )
    return EncoderWeights(spec, tensors, hashlib.sha256(file.read_bytes()).hexdigest())


def load_weights(path: Path) -> tuple[EncoderSpec | None, dict[str, Tensor]]:
    """Read the weights of a run folder, or of any safetensors file, and the spec where it has one.

    Raises:
        EncoderError: there are none, or they are damaged.
    """
    tensors, metadata = _read(_encoder_file(path))
    spec = EncoderSpec.from_json(metadata["spec"]) if "spec" in metadata else None
    return spec, tensors


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a run's state as one safetensors file: tensors, and the rest as JSON inside."""
    facts = json.dumps(checkpoint.facts, sort_keys=True)
    atomic_write(path, save(_contiguous(checkpoint.tensors), metadata={"facts": facts}))


def load_checkpoint(path: Path) -> Checkpoint:
    """Read what `save_checkpoint` wrote.

    Raises:
        RunError: the file is missing or damaged.
    """
    if not path.is_file():
        raise RunError(f"there is no checkpoint at {path}", hint="start the run anew with -o")
    try:
        tensors, metadata = _read(path)
        return Checkpoint(tensors, json.loads(metadata["facts"]))
    except (EncoderError, KeyError, ValueError):
        raise RunError(
            f"the checkpoint {path} is damaged",
            hint="start the run anew in another folder with -o",
        ) from None


def _encoder_file(path: Path) -> Path:
    file = path / ENCODER_FILE if path.is_dir() else path
    if not file.is_file():
        raise EncoderError(
            f"there is no encoder at {file}",
            hint="train one with `ssl-train PHOTOS`, or name a run folder or a .safetensors file",
        )
    return file


def _read(file: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(file, framework="pt") as opened:
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
            return tensors, opened.metadata() or {}
    except SafetensorError as error:
        raise EncoderError(
            f"{file} is not a safetensors file or is damaged: {error}",
            hint="give a run folder, or a .safetensors file from one",
        ) from None


def _contiguous(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    # safetensors refuses channels_last strides and shared storage.
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
