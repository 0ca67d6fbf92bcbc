import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from training.checkpoint import (
    Checkpoint,
    load_checkpoint,
    load_encoder,
    save_checkpoint,
    save_encoder,
)
from training.errors import EncoderError, RunError
from training.spec import EncoderSpec, Preprocessing

SPEC = EncoderSpec("resnet18", 512, Preprocessing(96), origin="a test")


def test_an_encoder_comes_back_with_its_contract(tmp_path: Path) -> None:
    tensors = {"a": torch.randn(3, 4), "b": torch.tensor(7)}
    save_encoder(tmp_path / "encoder.safetensors", SPEC, tensors)

    by_folder, by_file = load_encoder(tmp_path), load_encoder(tmp_path / "encoder.safetensors")

    assert by_folder.spec == by_file.spec == SPEC
    assert by_folder.sha256 == by_file.sha256
    assert all(torch.equal(by_folder.tensors[name], tensors[name]) for name in tensors)


def test_channels_last_and_shared_tensors_are_written_all_the_same(tmp_path: Path) -> None:
    weight = torch.randn(2, 3, 4, 4).contiguous(memory_format=torch.channels_last)
    save_encoder(tmp_path / "e.safetensors", SPEC, {"a": weight, "b": weight})

    loaded = load_encoder(tmp_path / "e.safetensors").tensors

    assert torch.equal(loaded["a"], weight)
    assert torch.equal(loaded["b"], weight)


def test_a_missing_encoder_names_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(EncoderError) as caught:
        load_encoder(tmp_path)

    assert "ssl-train" in caught.value.hint


@pytest.mark.parametrize("keep", [0, 5, 200])
def test_a_truncated_encoder_is_refused(tmp_path: Path, keep: int) -> None:
    file = tmp_path / "e.safetensors"
    save_encoder(file, SPEC, {"a": torch.randn(30, 30)})
    file.write_bytes(file.read_bytes()[:keep])

    with pytest.raises(EncoderError, match=r"e\.safetensors"):
        load_encoder(file)


def test_safetensors_without_a_contract_are_refused(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(2)}, tmp_path / "e.safetensors")

    with pytest.raises(EncoderError, match="not an encoder"):
        load_encoder(tmp_path / "e.safetensors")


def test_a_checkpoint_comes_back(tmp_path: Path) -> None:
    checkpoint = Checkpoint({"method.a": torch.randn(2, 2)}, {"step": 12, "seconds": 3.5})
    save_checkpoint(tmp_path / "c.safetensors", checkpoint)

    loaded = load_checkpoint(tmp_path / "c.safetensors")

    assert loaded.facts == checkpoint.facts
    assert torch.equal(loaded.tensors["method.a"], checkpoint.tensors["method.a"])


def test_a_damaged_checkpoint_says_so(tmp_path: Path) -> None:
    (tmp_path / "c.safetensors").write_text(json.dumps({"step": 3}))

    with pytest.raises(RunError, match="damaged"):
        load_checkpoint(tmp_path / "c.safetensors")
