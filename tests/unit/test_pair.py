"""Two networks side by side: what each of them says, joined, and what they share seen once."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from indexer.encoder import OnnxEncoder
from indexer.export import MAX_DIFFERENCE, export_encoder
from training.checkpoint import load_encoder, save_encoder
from training.models import blocks, build_backbone, forward_gflops, restore_backbone
from training.pair import SECOND, Pair, members, paired
from training.progress import Silent
from training.spec import EncoderSpec, Preprocessing
from training.weights import find_start

NAME = "mobilenet_v3_small"
SIZE = 32
FROZEN = 5  # blocks from the input that both networks have in common

pytestmark = pytest.mark.usefixtures("one_thread")


@dataclass(frozen=True)
class Two:
    """A network, and another one that differs from it behind its frozen blocks."""

    spec: EncoderSpec  # of either
    first: dict[str, Tensor]
    second: dict[str, Tensor]

    @property
    def pair_spec(self) -> EncoderSpec:
        return replace(self.spec, embedding_dim=2 * self.spec.embedding_dim)

    def rows(self, tensors: dict[str, Tensor], images: Tensor) -> Tensor:
        with torch.no_grad():
            return restore_backbone(self.spec, tensors)(images)


@pytest.fixture(scope="module")
def two() -> Two:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        first, other = build_backbone(NAME), build_backbone(NAME)
    second = build_backbone(NAME)
    second.network.load_state_dict(other.network.state_dict())
    for own, common in list(zip(blocks(second), blocks(first), strict=True))[:FROZEN]:
        own.load_state_dict(common.state_dict())
    spec = EncoderSpec(NAME, first.embedding_dim, Preprocessing(SIZE))
    return Two(spec, first.network.state_dict(), second.network.state_dict())


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.randn((3, 3, SIZE, SIZE), generator=torch.Generator().manual_seed(0))


def test_a_pair_says_what_both_say_each_in_unit_length(two: Two, images: Tensor) -> None:
    pair = restore_backbone(two.pair_spec, paired(two.first, two.second))

    with torch.no_grad():
        rows = pair(images)

    each = [normalize(two.rows(tensors, images), dim=1) for tensors in (two.first, two.second)]
    assert torch.equal(rows, torch.cat(each, dim=1))
    assert pair.embedding_dim == rows.shape[1] == 2 * two.spec.embedding_dim


def test_what_both_have_in_common_is_kept_and_computed_once(two: Two) -> None:
    tensors = paired(two.first, two.second)
    pair, one = (restore_backbone(two.spec, given) for given in (tensors, two.first))

    assert isinstance(pair.network, Pair)
    assert len(pair.network.shared) == FROZEN
    stem = [name for name in two.first if name.startswith("features.0.")]
    assert stem
    assert not any(SECOND + name in tensors for name in stem)
    assert 1.0 < forward_gflops(pair, SIZE) / forward_gflops(one, SIZE) < 1.9


def test_both_members_come_back_out_of_a_pair(two: Two) -> None:
    for member, expected in zip(
        members(paired(two.first, two.second)), (two.first, two.second), strict=True
    ):
        assert member.keys() == expected.keys()
        assert all(torch.equal(member[name], expected[name]) for name in expected)


def test_a_network_beside_itself_is_that_network(two: Two) -> None:
    assert paired(two.first, two.first).keys() == two.first.keys()
    assert len(members(two.first)) == 1


def test_a_pair_survives_the_disk_and_the_export(two: Two, tmp_path: Path) -> None:
    file = tmp_path / "encoder.safetensors"
    save_encoder(file, two.pair_spec, paired(two.first, two.second))
    report = export_encoder(file, tmp_path / "pair.onnx")
    for number, tensors in enumerate((two.first, two.second)):
        save_encoder(tmp_path / f"{number}.safetensors", two.spec, tensors)
        export_encoder(tmp_path / f"{number}.safetensors", tmp_path / f"{number}.onnx")

    photos = np.random.default_rng(0).integers(0, 256, (4, SIZE, SIZE, 3), dtype=np.uint8)
    pair, *each = (
        OnnxEncoder.open(tmp_path / f"{name}.onnx", device="cpu").embed(photos)
        for name in ("pair", "0", "1")
    )

    assert report.parity <= MAX_DIFFERENCE
    np.testing.assert_allclose(pair, np.hstack(each) / np.sqrt(2), atol=1e-5)


def test_training_goes_on_from_the_trained_one_of_a_pair(two: Two, tmp_path: Path) -> None:
    file = tmp_path / "encoder.safetensors"
    save_encoder(file, two.pair_spec, paired(two.first, two.second))
    backbone = build_backbone(NAME)

    find_start(NAME, str(file), offline=True, progress=Silent()).fill(backbone)

    loaded = backbone.network.state_dict()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in two.second.items())


def test_a_pair_is_not_taken_for_its_start(two: Two, tmp_path: Path) -> None:
    save_encoder(tmp_path / "one.safetensors", two.spec, two.first)
    save_encoder(tmp_path / "two.safetensors", two.pair_spec, paired(two.first, two.second))
    one, both = (load_encoder(tmp_path / f"{name}.safetensors") for name in ("one", "two"))

    assert one.same_network(one)
    assert not one.same_network(both)
    assert not both.same_network(one)
