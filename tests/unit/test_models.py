import pytest
import torch
from torch import nn

from training.errors import ConfigError, EncoderError
from training.models import (
    blocks,
    build_backbone,
    forward_gflops,
    freeze,
    known_backbones,
    restore_backbone,
    to_device,
)
from training.spec import EncoderSpec, Preprocessing

ONE_OF_EACH_FAMILY = [
    "resnet18",
    "resnext50_32x4d",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "efficientnet_b0",
    "convnext_tiny",
    "regnet_y_400mf",
]


@pytest.mark.parametrize("name", ONE_OF_EACH_FAMILY)
def test_a_backbone_gives_one_pooled_row_an_image(name: str) -> None:
    backbone = build_backbone(name).eval()

    assert backbone(torch.zeros(2, 3, 64, 64)).shape == (2, backbone.embedding_dim)


@pytest.mark.parametrize("name", ONE_OF_EACH_FAMILY)
def test_the_blocks_in_turn_are_the_forward_pass(name: str) -> None:
    torch.manual_seed(0)
    backbone = build_backbone(name).eval()
    images = torch.randn(2, 3, 64, 64)

    in_turn = nn.Sequential(*blocks(backbone))(images)

    assert torch.equal(in_turn, backbone(images))


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "convnext_tiny"])
def test_the_small_stem_keeps_more_of_a_small_image(name: str) -> None:
    small, usual = build_backbone(name, small_stem=True).eval(), build_backbone(name).eval()
    image = torch.zeros(1, 3, 32, 32)

    height = blocks(small)[0](image).shape[-1]

    assert height >= 2 * blocks(usual)[0](image).shape[-1]
    assert small(image).shape == (1, small.embedding_dim)


def test_the_resnet_small_stem_is_a_3_x_3_convolution_of_stride_1_without_pooling() -> None:
    stem = blocks(build_backbone("resnet18", small_stem=True))[0]

    assert stem(torch.zeros(1, 3, 32, 32)).shape == (1, 64, 32, 32)


def test_an_unknown_backbone_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError) as caught:
        build_backbone("resnet19")

    assert "resnet18" in caught.value.hint
    assert "mobilenet_v2" in known_backbones()
    assert not [name for name in known_backbones() if name.startswith(("vit", "fasterrcnn"))]


def test_frozen_blocks_get_no_gradient_and_keep_their_statistics() -> None:
    backbone = build_backbone("resnet18")
    frozen, trainable = freeze(backbone, 0.5)
    before = {k: v.clone() for k, v in backbone.network.state_dict().items()}

    trainable(frozen(torch.randn(4, 3, 64, 64))).sum().backward()

    assert all(p.grad is None for p in frozen.parameters())
    assert all(p.grad is not None for p in trainable.parameters())
    assert torch.equal(before["bn1.running_mean"], backbone.network.bn1.running_mean)
    after = backbone.network.state_dict()["layer4.1.bn2.running_mean"]
    assert not torch.equal(before["layer4.1.bn2.running_mean"], after)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_the_limits_of_freezing(share: float) -> None:
    frozen, trainable = freeze(build_backbone("resnet18"), share)

    assert len(frozen) == (0 if share == 0 else 9)
    assert len(trainable) == 10 - len(frozen)


def test_restoring_gives_back_the_same_function() -> None:
    torch.manual_seed(1)
    backbone = build_backbone("mobilenet_v3_small").eval()
    spec = EncoderSpec("mobilenet_v3_small", backbone.embedding_dim, Preprocessing(64))
    images = torch.randn(2, 3, 64, 64)

    restored = restore_backbone(spec, backbone.network.state_dict())

    assert torch.equal(restored(images), backbone(images))


def test_weights_of_another_architecture_are_refused() -> None:
    spec = EncoderSpec("resnet18", 512, Preprocessing(64))

    with pytest.raises(EncoderError, match="resnet18"):
        restore_backbone(spec, build_backbone("mobilenet_v2").network.state_dict())


def test_an_image_embeds_the_same_alone_and_in_company() -> None:
    torch.manual_seed(2)
    backbone = build_backbone("resnet18").eval()
    to_device(backbone, torch.device("cpu"))
    images = torch.randn(5, 3, 64, 64)

    together, alone = backbone(images)[3], backbone(images[3:4])[0]

    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)


def test_operations_grow_with_the_area_of_the_image() -> None:
    backbone = build_backbone("resnet18")

    assert forward_gflops(backbone, 224) == pytest.approx(3.6, abs=0.1)  # 1.81 GMAC, two each
    ratio = forward_gflops(backbone, 128) / forward_gflops(backbone, 64)
    assert ratio == pytest.approx(4.0, rel=0.01)
