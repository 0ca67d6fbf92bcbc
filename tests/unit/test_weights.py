"""Starting weights, from files made on the spot: no test reaches the network."""

import hashlib
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from training import weights
from training.checkpoint import save_encoder
from training.errors import WeightsError
from training.models import Backbone, build_backbone
from training.progress import Progress, Silent
from training.spec import EncoderSpec, Preprocessing
from training.weights import Start, find_start, verify

NAME = "mobilenet_v3_small"


class Heard(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, message: str) -> None:
        self.lines.append(message)


def load_start(
    backbone: Backbone, name: str, init: str, *, offline: bool, progress: Progress
) -> Start:
    start = find_start(name, init, offline=offline, progress=progress)
    start.fill(backbone)
    return start


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def torchvision_file(tmp_path: Path) -> Path:
    """Weights as torchvision publishes them: the start of the hash in the name."""
    torch.manual_seed(5)
    file = tmp_path / "mobilenet_v3_small.pth"
    torch.save(build_backbone(NAME).network.state_dict(), file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return file.rename(tmp_path / f"mobilenet_v3_small-{digest[:8]}.pth")


def test_random_stays_as_drawn() -> None:
    torch.manual_seed(0)
    backbone = build_backbone(NAME)
    before = {name: value.clone() for name, value in backbone.network.state_dict().items()}

    start = load_start(backbone, NAME, "random", offline=True, progress=Silent())

    assert start.kind == "random"
    assert all(torch.equal(before[n], v) for n, v in backbone.network.state_dict().items())


def test_a_torchvision_file_is_loaded_when_its_hash_fits(torchvision_file: Path) -> None:
    backbone = build_backbone(NAME)

    start = load_start(backbone, NAME, str(torchvision_file), offline=True, progress=Silent())

    saved = torch.load(torchvision_file, weights_only=True)
    assert start.kind == "file"
    assert all(torch.equal(saved[n], v) for n, v in backbone.network.state_dict().items())


def test_a_file_with_one_flipped_bit_is_refused_before_it_is_parsed(torchvision_file: Path) -> None:
    data = bytearray(torchvision_file.read_bytes())
    data[len(data) // 2] ^= 1
    torchvision_file.write_bytes(data)

    with pytest.raises(WeightsError, match="SHA-256"):
        load_start(build_backbone(NAME), NAME, str(torchvision_file), offline=True,
                   progress=Silent())  # fmt: skip


@pytest.mark.parametrize("name", ["mine.pth", "mine-.pth", "mine-abc.pth"])
def test_a_torch_file_without_a_hash_in_its_name_is_not_read(
    torchvision_file: Path, name: str
) -> None:
    file = torchvision_file.rename(torchvision_file.with_name(name))
    with pytest.raises(WeightsError, match="no SHA-256 in its name") as refused:
        load_start(build_backbone(NAME), NAME, str(file), offline=True, progress=Silent())
    assert "safetensors" in str(refused.value.hint)


def test_weights_under_torchvisions_names_are_a_start_without_a_spec(tmp_path: Path) -> None:
    file = tmp_path / "mine.safetensors"
    torch.manual_seed(5)
    own = build_backbone(NAME).network.state_dict()
    save_file(own, file)
    backbone = build_backbone(NAME)
    start = load_start(backbone, NAME, str(file), offline=True, progress=Silent())
    assert start.kind == "file"
    assert all(torch.equal(own[key], value) for key, value in backbone.network.state_dict().items())


def test_the_known_file_is_checked_by_its_whole_hash(tmp_path: Path) -> None:
    name, digest = next(iter(weights.KNOWN_SHA256.items()))
    (tmp_path / name).write_bytes(b"not it")

    assert len(digest) == 64
    with pytest.raises(WeightsError, match=name):
        verify(tmp_path / name)


def test_an_encoder_of_ours_is_a_start(tmp_path: Path) -> None:
    torch.manual_seed(6)
    source = build_backbone(NAME)
    spec = EncoderSpec(NAME, source.embedding_dim, Preprocessing(64))
    save_encoder(tmp_path / "encoder.safetensors", spec, source.network.state_dict())
    backbone = build_backbone(NAME)

    load_start(backbone, NAME, str(tmp_path), offline=True, progress=Silent())

    own, given = backbone.network.state_dict(), source.network.state_dict()
    assert all(torch.equal(own[name], given[name]) for name in given)


def test_an_encoder_of_another_architecture_names_the_option(tmp_path: Path) -> None:
    other = build_backbone("resnet18")
    spec = EncoderSpec("resnet18", 512, Preprocessing(64))
    save_encoder(tmp_path / "encoder.safetensors", spec, other.network.state_dict())

    with pytest.raises(WeightsError) as caught:
        load_start(build_backbone(NAME), NAME, str(tmp_path), offline=True, progress=Silent())

    assert "--backbone resnet18" in caught.value.hint


@pytest.mark.usefixtures("hub")
def test_imagenet_weights_that_are_nowhere_are_an_error_when_asked_for() -> None:
    with pytest.raises(WeightsError) as caught:
        load_start(build_backbone(NAME), NAME, "imagenet", offline=True, progress=Silent())

    assert "--offline" in caught.value.message
    assert "--init random" in caught.value.hint


@pytest.mark.usefixtures("hub")
def test_auto_falls_back_to_random_and_says_what_it_costs() -> None:
    heard = Heard()

    start = load_start(build_backbone(NAME), NAME, "auto", offline=True, progress=heard)

    assert start.kind == "random"
    assert "quality" in heard.lines[0]


@pytest.mark.usefixtures("hub")
def test_a_network_that_does_not_answer_is_announced_and_explained() -> None:
    heard = Heard()

    with pytest.raises(WeightsError, match="could not be fetched"):
        load_start(build_backbone(NAME), NAME, "imagenet", offline=False, progress=heard)

    assert any("Fetching" in line and "https://" in line for line in heard.lines)


def test_weights_in_the_cache_of_torch_are_found_first(
    hub: Path, torchvision_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"https://nowhere.invalid/{torchvision_file.name}"
    monkeypatch.setattr(weights, "_first_weights_url", lambda _name: url)
    torchvision_file.rename(hub / torchvision_file.name)

    start = load_start(build_backbone(NAME), NAME, "imagenet", offline=True, progress=Silent())

    assert start.kind == "imagenet"
    assert torchvision_file.name in start.source


def test_weights_of_another_shape_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "w.pth"
    torch.save({"features.0.0.weight": torch.zeros(1)}, file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    file = file.rename(tmp_path / f"w-{digest[:8]}.pth")

    with pytest.raises(WeightsError, match="does not fit"):
        load_start(build_backbone(NAME), NAME, str(file), offline=True, progress=Silent())


def test_weights_of_the_usual_stem_do_not_fit_the_small_one(tmp_path: Path) -> None:
    file = tmp_path / "r.safetensors"
    save_file(build_backbone("resnet18").network.state_dict(), file)
    small = build_backbone("resnet18", small_stem=True)

    with pytest.raises(WeightsError, match=r"the first is conv1\.weight"):
        load_start(small, "resnet18", str(file), offline=True, progress=Silent())


def test_a_start_says_with_which_stem_it_was_trained(tmp_path: Path) -> None:
    small = build_backbone("resnet18", small_stem=True)
    spec = EncoderSpec("resnet18", 512, Preprocessing(32), small_stem=True)
    save_encoder(tmp_path / "encoder.safetensors", spec, small.network.state_dict())

    start = find_start("resnet18", str(tmp_path), offline=True, progress=Silent())
    again = build_backbone("resnet18", small_stem=start.small_stem)
    start.fill(again)

    assert torch.equal(again.network.conv1.weight, small.network.conv1.weight)


@pytest.mark.usefixtures("hub")
@pytest.mark.skipif(
    find_spec(weights.OFFLINE_PACKAGE) is None,
    reason="the package with ImageNet's weights is not installed; tests/run.sh does it",
)
def test_the_offline_package_holds_the_known_weights() -> None:
    backbone = build_backbone("mobilenet_v2")

    start = load_start(backbone, "mobilenet_v2", "imagenet", offline=True, progress=Silent())

    assert start.kind == "imagenet"
    first = backbone.network.features[0][0].weight
    assert float(first.detach().abs().mean()) == pytest.approx(0.1535, abs=0.05)
