"""The sheet of views that a run draws of its first batch, wherever its parts lie."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch._subclasses.fake_tensor import FakeTensorMode

from training.augment import make_views
from training.batches import Batch, PhotoBatches
from training.cache import PhotoSet
from training.config import TrainConfig
from training.distributed import World
from training.planning import Survey, choose, choose_network
from training.recipes import simclr_recipe, view_recipes
from training.views_sheet import first_photos, write_views

pytestmark = pytest.mark.usefixtures("one_thread")

# Where pixels and aspects lie: with several processes on GPUs, apart.
PLACES = [("cuda", "cpu"), ("cuda", "cuda"), ("cpu", "cpu")]


@pytest.mark.parametrize(("pixels_on", "aspects_on"), PLACES)
def test_views_of_the_first_photos_can_be_drawn_wherever_a_batch_lies(
    pixels_on: str, aspects_on: str
) -> None:
    with FakeTensorMode():  # a GPU's tensors without a GPU: mixing them with a CPU's raises
        batch = Batch(
            torch.empty((4, 40, 40, 3), dtype=torch.uint8, device=pixels_on),
            torch.zeros(4, dtype=torch.int64, device=pixels_on),
            torch.ones(8, device=aspects_on),
        )

        shown = first_photos(batch, 6)
        views = make_views(shown.pixels, shown.aspects, simclr_recipe(32), torch.Generator())

    assert shown.pixels.shape == (4, 40, 40, 3)
    assert shown.aspects.shape == shown.labels.shape == (4,)
    assert views.device.type == "cpu"


def test_a_sheet_shows_the_leading_process_its_share_of_the_batch(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    photos = PhotoSet(
        pixels=draw.integers(0, 256, (20, 40, 40, 3), np.uint8),
        rows=np.arange(20),
        aspects=np.linspace(0.5, 2, 20, dtype=np.float32),
        paths=tuple(f"{i}".encode() for i in range(20)),
        skipped=(),
        decoded=0,
    )
    config = TrainConfig(Path("p"), image_size=32, batch_size=12)
    found = Survey(20, 40)
    plan = choose(config, found, choose_network(config, found, has_cuda=False), "random")
    batches = PhotoBatches(photos, np.arange(20), plan, world=World(0, 2))

    write_views(tmp_path, batches, view_recipes(plan), plan.seed)

    with Image.open(tmp_path / "views.png") as sheet:
        assert sheet.size == (7 * 36 + 4, 6 * 36 + 4)
