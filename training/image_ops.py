"""The arithmetic of views: crop, colour, blur and solarize on whole batches, and no chance in it.

Everything takes one parameter per image and has shapes that do not depend on values, so nothing
here waits for a GPU. `training.augment` draws the parameters and puts the operations together.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

# ITU-R BT.601 luma, as torchvision's grayscale has it but summing to one exactly.
LUMA = (0.299, 0.587, 0.114)

# The positions of the jitter's operations in `Jitter.order`.
BRIGHTNESS, CONTRAST, SATURATION, HUE = range(4)

Channels = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Jitter:
    """How the colours of B images change: four operations in each image's own order, then grey."""

    order: Tensor  # (B, 4) int64, a permutation of BRIGHTNESS, CONTRAST, SATURATION, HUE
    brightness: Tensor  # (B,) factors, 1 changes nothing
    contrast: Tensor  # (B,) likewise
    saturation: Tensor  # (B,) likewise
    hue: Tensor  # (B,) turns in [-0.5, 0.5], 0 changes nothing
    grayscale: Tensor  # (B,) bool


@dataclass(frozen=True, eq=False)
class ColourMap:
    """From an image in [0, 255] to normalised: of_pixel @ x + of_mean @ mean(image) + bias."""

    of_pixel: Tensor  # (B, 3, 3)
    of_mean: Tensor  # (B, 3, 3)
    bias: Tensor  # (3, 1)

    def apply(self, images: Tensor, rows: slice, *, out: Tensor) -> None:
        """Map the images of some rows, `(b, 3, pixels)` float32, into `out` of that shape."""
        mean = images.mean(dim=2, keepdim=True)  # (b, 3, 1)
        offset = torch.baddbmm(self.bias, self.of_mean[rows], mean)
        torch.baddbmm(offset, self.of_pixel[rows], images, out=out)


def crop_and_flip(
    pixels: Tensor, box: Tensor, flip: Tensor, size: int, *, turn: Tensor | None = None
) -> Tensor:
    """Cut out boxes, mirror and turn them and bring them to one size, in one resampling.

    Not antialiased: the cache holds photos at most half as large again as a view.

    Args:
        pixels: `(b, S, S, 3)` uint8.
        box: `(b, 4)` left, top, width, height as fractions of the sides.
        flip: `(b,)` bool, mirror left and right.
        size: side of the result.
        turn: `(b, 2, 2)` what to do to a place's distance from the middle of its box, across and
            down in fractions of the sides; what then lies outside the photo is mirrored into it.

    Returns:
        `(b, 3, size * size)` float32 in [0, 255].
    """
    centres = (torch.arange(size, device=pixels.device) + 0.5) / size
    across = torch.where(flip[:, None], centres.flip(0), centres)  # (b, size)
    left, top, width, height = box[:, :, None].unbind(dim=1)  # (b, 1) each
    x, y = 2 * (left + width * across) - 1, 2 * (top + height * centres) - 1  # (b, size)
    shape = (len(box), size, size)
    # Stacked as planes and then turned: three times faster than interleaving while writing.
    grid = torch.stack((x[:, None, :].expand(shape), y[:, :, None].expand(shape)), dim=1)
    if turn is not None:
        middle = (2 * torch.cat((left + width / 2, top + height / 2), dim=1) - 1)[:, :, None]
        grid = (middle + turn @ (grid.flatten(2) - middle)).view_as(grid)
    images = F.grid_sample(
        pixels.permute(0, 3, 1, 2).float(),
        grid.permute(0, 2, 3, 1),
        mode="bilinear",
        padding_mode="border" if turn is None else "reflection",
        align_corners=False,
    )
    return images.flatten(2)


def colour_map(jitter: Jitter, mean: Channels, std: Channels) -> ColourMap:
    """Jitter, grayscale and normalisation as one affine map per image.

    Contrast pulls towards the mean grey of the image as it is by then. That is linear in the
    channel means of the image before: `of_mean` keeps track of it.
    """
    device = jitter.order.device
    grey = on_device(LUMA, device).expand(3, 3)  # any colour to its luma, three times
    identity = torch.eye(3, device=device)
    operations = _operations(jitter, identity, grey)  # (B, 4, 3, 3), in the image's order
    pull = (jitter.order == CONTRAST) * (1 - jitter.contrast[:, None])  # (B, 4)
    of_pixel = identity.expand_as(operations[:, 0])
    of_mean = torch.zeros_like(of_pixel)
    for step in range(4):
        mean_grey = grey @ (of_pixel + of_mean)
        of_mean = operations[:, step] @ of_mean + pull[:, step, None, None] * mean_grey
        of_pixel = operations[:, step] @ of_pixel
    spread = on_device(std, device)[:, None]
    last = torch.where(jitter.grayscale[:, None, None], grey, identity) / (255 * spread)
    return ColourMap(last @ of_pixel, last @ of_mean, -on_device(mean, device)[:, None] / spread)


def clamp(images: Tensor, mean: Channels, std: Channels) -> None:
    """Cut normalised images `(b, 3, pixels)`, in place, to what black and white become."""
    # A loop, as clamping to tensors is ten times slower on a CPU.
    for channel in range(3):
        black, white = -mean[channel] / std[channel], (1 - mean[channel]) / std[channel]
        images[:, channel].clamp_(black, white)


def blur_matrices(sigma: Tensor, side: int) -> Tensor:
    """Gaussian blur of a line, mirrored at its ends, as `(n, side, side)` matrices.

    The kernel is a tenth of the side, made odd, as in SimCLR; `sigma` `(n,)` is in pixels. On a
    CPU two products of matrices beat a grouped convolution up to 160 px and need no padding.
    """
    distance = torch.arange(max(1, side // 20) + 1, device=sigma.device)
    weights = torch.exp(-0.5 * (distance / sigma[:, None]) ** 2)  # (n, r + 1)
    # Below the precision of a float they add nothing but denormal numbers, at half the speed.
    weights = F.threshold(weights, 1e-8, 0.0)
    weights = weights / (2 * weights.sum(dim=1, keepdim=True) - weights[:, :1])
    source = torch.arange(side, device=sigma.device)
    to, last, apart = source[:, None], side - 1, distance[:, None, None]
    reached = ((to - source).abs() == apart).float()  # (r + 1, side, side)
    reached += (to + source == apart) & (source > 0)
    reached += (2 * last - to - source == apart) & (source < last)
    return (weights @ reached.flatten(1)).view(-1, side, side)


def blur(images: Tensor, matrices: Tensor) -> Tensor:
    """Blur `(n, 3, s, s)` along both sides with `(n, s, s)` matrices."""
    across = torch.bmm(images.flatten(1, 2), matrices.mT)  # (n, 3s, s)
    return matrices[:, None] @ across.view_as(images)


def solarize(images: Tensor, mean: Channels, std: Channels) -> Tensor:
    """Invert what is brighter than half: 0.5 - |x - 0.5| in [0, 1], on normalised images."""
    spread = on_device(std, images.device)[:, None, None]
    half = (0.5 - on_device(mean, images.device)[:, None, None]) / spread
    return half - (images - half).abs()


def on_device(values: Channels, device: torch.device) -> Tensor:
    """Three numbers, `(3,)` float32; made on a GPU directly, the host would wait for the copy."""
    return torch.tensor(values).to(device, non_blocking=True)


def _operations(jitter: Jitter, identity: Tensor, grey: Tensor) -> Tensor:
    """The linear parts of the four operations, `(B, 4, 3, 3)`, each image's in its order."""
    saturation = jitter.saturation[:, None, None]
    listed = (
        jitter.brightness[:, None, None] * identity,
        jitter.contrast[:, None, None] * identity,
        saturation * identity + (1 - saturation) * grey,
        _hue_rotation(jitter.hue),
    )
    return torch.stack(listed, dim=1).take_along_dim(jitter.order[:, :, None, None], dim=1)


def _hue_rotation(turns: Tensor) -> Tensor:
    """Rotations of RGB about the grey axis, `(B, 3, 3)`, by `turns` `(B,)` of the colour circle.

    Greys and the mean of the channels stay; a third of a turn makes red green, as in HSV. In
    between HSV keeps the largest channel instead and is not linear: on photos, a tenth of a turn
    brings colours 22 to 40 % nearer to torchvision's than they were. FFCV-SSL (arXiv 2303.01986)
    turns so too. The rotation in YIQ ends further away than no turn at all, by 7 to 17 %.
    """
    channel = torch.arange(3, device=turns.device)
    apart = turns[:, None, None] - (channel[:, None] - channel) / 3  # (B, 3, 3)
    return (1 + 2 * torch.cos(2 * math.pi * apart)) / 3
