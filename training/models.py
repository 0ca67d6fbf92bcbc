"""Backbones by torchvision's names, their classifier taken off, split for freezing."""

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision import models as zoo

from training.errors import ConfigError, EncoderError
from training.pair import Pair, members
from training.spec import EncoderSpec

# The families whose classifier comes off cleanly, by the start of their torchvision names.
FAMILIES = (
    "resnet",
    "resnext",
    "wide_resnet",
    "mobilenet_v2",
    "mobilenet_v3",
    "efficientnet",
    "convnext",
    "regnet",
)

# Below this many pixels the usual stem (stride 4) would leave nothing to see.
SMALL_IMAGE = 64


def known_backbones() -> list[str]:
    """The torchvision names that `build_backbone` accepts."""
    return [name for name in zoo.list_models(module=zoo) if name.startswith(FAMILIES)]


def check_known(name: str) -> None:
    """See whether there is a backbone of this name.

    Raises:
        ConfigError: the name is not one of `known_backbones`.
    """
    if name not in known_backbones():
        raise ConfigError(
            f"there is no backbone named {name!r}",
            hint="known backbones: " + ", ".join(known_backbones()),
        )


class Backbone(nn.Module):
    """A torchvision network without its classifier: `(n, 3, s, s)` to `(n, embedding_dim)`."""

    def __init__(self, network: nn.Module, embedding_dim: int) -> None:
        super().__init__()
        self.network = network
        self.embedding_dim = embedding_dim

    def forward(self, images: Tensor) -> Tensor:
        """Pooled representations `(n, embedding_dim)` of normalised float images."""
        representations: Tensor = self.network(images)
        return representations


class Part(nn.Sequential):
    """Some consecutive blocks of a backbone, sharing its weights."""

    def __init__(self, blocks: list[nn.Module], embedding_dim: int) -> None:
        super().__init__(*blocks)
        self.embedding_dim = embedding_dim


# What a method trains: a whole network, or what follows its frozen blocks.
Encoder = Backbone | Part


def build_backbone(name: str, *, small_stem: bool = False) -> Backbone:
    """A backbone with random weights.

    Args:
        name: a torchvision classification model, as `resnet18` or `mobilenet_v2`.
        small_stem: keep the resolution in the stem, for images below 64 pixels (SimCLR,
            arXiv 2002.05709, appendix B.9): a 3 x 3 convolution of stride 1 and no max-pooling.

    Raises:
        ConfigError: the name is not one of `known_backbones`.
    """
    check_known(name)
    network = zoo.get_model(name, weights=None)
    remove_classifier(network)
    if small_stem:
        _keep_resolution(network)
    return Backbone(network, _output_dim(network))


def restore_backbone(spec: EncoderSpec, tensors: dict[str, Tensor]) -> Backbone:
    """The trained network of a checkpoint, in evaluation mode; a pair's two as one.

    Args:
        spec: the contract the weights were trained under.
        tensors: the network's weights under torchvision's own names, without the classifier; of
            a pair as `pair.paired` has them.

    Raises:
        EncoderError: the weights do not fit the architecture that the spec names.
    """
    restored = [_restored(spec, member) for member in members(tensors)]
    if len(restored) == 1:
        return restored[0]
    pair = Pair(*(blocks(member) for member in restored))
    return Backbone(pair, sum(member.embedding_dim for member in restored)).eval()


def _restored(spec: EncoderSpec, tensors: dict[str, Tensor]) -> Backbone:
    backbone = build_backbone(spec.backbone, small_stem=spec.small_stem)
    try:
        backbone.network.load_state_dict(tensors)
    except RuntimeError:
        own = backbone.network.state_dict()
        unfit = sorted(
            name
            for name, value in own.items()
            if name not in tensors or tensors[name].shape != value.shape
        )
        raise EncoderError(
            f"the weights do not fit a {spec.backbone}: {len(unfit)} of {len(own)} tensors are "
            f"missing or have another shape{', the first is ' + unfit[0] if unfit else ''}",
            hint="train the encoder again",
        ) from None
    return backbone.eval()


def blocks(backbone: Backbone) -> list[nn.Module]:
    """The backbone's blocks from input to output: applied in turn they are its forward pass."""
    network = backbone.network
    if isinstance(network, zoo.ResNet):
        stem = nn.Sequential(network.conv1, network.bn1, network.relu, network.maxpool)
        stages = (network.layer1, network.layer2, network.layer3, network.layer4)
        return [stem, *(block for stage in stages for block in stage), _pooling(network)]
    if isinstance(network, zoo.RegNet):
        groups = list(network.trunk_output.children())
        inner = [block for group in groups for block in group.children()]
        return [network.stem, *inner, _pooling(network)]
    trunk: nn.Module = network.get_submodule("features")
    return [*trunk.children(), _pooling(network)]


def freeze(backbone: Backbone, share: float) -> tuple[Part, Part]:
    """Split a backbone into blocks that stay as they are and blocks that train.

    The frozen part gets no gradients and stays in evaluation mode, its batch-norm statistics
    included. What it computes can be shared by all that build on it.

    Args:
        backbone: its modules are put into training or evaluation mode here.
        share: of the blocks, from the input; the last one always trains.
    """
    parts = blocks(backbone)
    count = min(round(share * len(parts)), len(parts) - 1)
    frozen = Part(parts[:count], backbone.embedding_dim).requires_grad_(False).eval()
    trainable = Part(parts[count:], backbone.embedding_dim).requires_grad_(True).train()
    return frozen, trainable


def to_device(backbone: Backbone, device: torch.device) -> None:
    """Move a backbone, its weights laid out channels last: 2 to 4 times faster on a CPU."""
    backbone.to(device)
    for parameter in backbone.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)


def forward_gflops(backbone: Backbone, image_size: int) -> float:
    """Billions of floating point operations to see one image of a size, two a multiply-add."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        backbone.eval()(torch.zeros(1, 3, image_size, image_size))
    return float(counter.get_total_flops()) / 1e9


def remove_classifier(network: nn.Module) -> None:
    """Replace the last linear layer by nothing; norms and pooling before it stay.

    Heads with a hidden layer (MobileNetV3) lose it too: it was made for the 1,000 classes.
    """
    head = getattr(network, "classifier", None)
    if isinstance(head, nn.Sequential):
        kept = [layer for layer in head if isinstance(layer, nn.LayerNorm | nn.Flatten)]
        network.classifier = nn.Sequential(*kept)
    elif isinstance(head, nn.Linear):
        network.classifier = nn.Identity()
    else:
        network.fc = nn.Identity()


def _pooling(network: nn.Module) -> nn.Module:
    """What follows the last block: pooling, and the norms that were kept of the classifier."""
    pool = getattr(network, "avgpool", None) or nn.AdaptiveAvgPool2d(1)
    rest = getattr(network, "classifier", None) or nn.Identity()
    return nn.Sequential(pool, rest, nn.Flatten(1))


def _output_dim(network: nn.Module) -> int:
    training = network.training
    network.eval()
    with torch.no_grad():
        dim = network(torch.zeros(1, 3, 64, 64)).shape[1]
    network.train(training)
    return int(dim)


def _keep_resolution(network: nn.Module) -> None:
    """Change the first convolution so that a small image is not reduced before it is seen."""
    if isinstance(network, zoo.ResNet):
        network.conv1 = nn.Conv2d(3, network.conv1.out_channels, 3, 1, 1, bias=False)
        network.maxpool = nn.Identity()
        return
    first = next(layer for layer in network.modules() if isinstance(layer, nn.Conv2d))
    # Same weights, finer steps: MobileNet and EfficientNet stems keep their 3 x 3 kernels.
    # ConvNeXt's 4 x 4 patches overlap by half, padded to keep the size even.
    first.stride = (max(1, first.stride[0] // 2), max(1, first.stride[1] // 2))
    if first.kernel_size[0] == 4:
        first.padding = (1, 1)
