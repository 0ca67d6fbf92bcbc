"""Views with chosen parameters, for tests that compare them with torchvision's."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from training.augment import ViewParameters, apply_views
from training.image_ops import Jitter
from training.recipes import ViewRecipe

NOTHING_RANDOM = ViewRecipe(
    image_size=32,
    crop_scale=(1.0, 1.0),
    crop_ratio=(1.0, 1.0),
    flip=0,
    jitter=0,
    grayscale=0,
    blur=0,
    solarize=0,
)


class Darkroom:
    """Makes noise photos and the views of parameters that a test chooses."""

    nothing_random = NOTHING_RANDOM

    def photos(
        self, count: int, side: int, *, low: int = 0, high: int = 256, seed: int = 0
    ) -> Tensor:
        """Noise of `low` to `high`, `(count, side, side, 3)` uint8: the hardest to resample."""
        generator = torch.Generator().manual_seed(seed)
        shape = (count, side, side, 3)
        return torch.randint(low, high, shape, generator=generator, dtype=torch.uint8)

    def channels_first(self, pixels: Tensor) -> Tensor:
        """`(B, 3, s, s)` in [0, 1]."""
        return pixels.permute(0, 3, 1, 2).float() / 255

    def as_pixels(self, views: Tensor, recipe: ViewRecipe) -> Tensor:
        """Normalisation taken back: `(B, 3, s, s)` in [0, 1]."""
        mean = torch.tensor(recipe.mean)[:, None, None]
        return views * torch.tensor(recipe.std)[:, None, None] + mean

    def still(self, count: int, **changes: Tensor) -> ViewParameters:
        """Parameters that change nothing, with some of them replaced."""
        nothing = torch.ones(count)
        colours = {name: value for name, value in changes.items() if name in Jitter.__annotations__}
        jitter = Jitter(
            order=torch.arange(4).expand(count, 4),
            brightness=nothing,
            contrast=nothing,
            saturation=nothing,
            hue=torch.zeros(count),
            grayscale=torch.zeros(count, dtype=torch.bool),
        )
        none = torch.zeros(0, dtype=torch.int64)
        parameters = ViewParameters(
            box=torch.tensor([0.0, 0.0, 1.0, 1.0]).expand(count, 4),
            flip=torch.zeros(count, dtype=torch.bool),
            jitter=replace(jitter, **colours),
            blurred=none,
            sigma=torch.zeros(0),
            solarized=none,
        )
        others = {name: value for name, value in changes.items() if name not in colours}
        return replace(parameters, **others)

    def view_of(self, pixels: Tensor, size: int | None = None, **changes: Tensor) -> Tensor:
        """The view of chosen parameters, back in [0, 1]."""
        recipe = replace(NOTHING_RANDOM, image_size=size or pixels.shape[1])
        views = apply_views(pixels, self.still(len(pixels), **changes), recipe)
        return self.as_pixels(views, recipe)

    def assert_near(self, found: Tensor, expected: Tensor, tolerance: float) -> None:
        torch.testing.assert_close(found, expected, atol=tolerance, rtol=0)


@pytest.fixture
def darkroom() -> Darkroom:
    """Noise photos, and views of them with parameters that a test chooses."""
    return Darkroom()


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Tensors this small only wait for a second thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
