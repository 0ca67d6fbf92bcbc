"""What a step learns from: batches of cached photos on the training device.

Which photos a step sees is a function of the seed and the step.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from training.cache import PhotoSet
from training.distributed import World
from training.labels import UNLABELLED
from training.memory import memory_watched
from training.plan import Plan
from training.randomness import CLASS_PHOTOS, CLASSES, ORDER

# Of a GPU's memory, what photos and a step may take together. CUDA itself, the exchange of
# gradients and gaps between blocks want the rest.
GPU_SHARE = 0.85

# What a step takes of it where nobody measured: runs of earlier versions.
STEP_SHARE = 0.5

# Photos that move to a GPU at a time: a copy of all might be more than the computer's memory.
PHOTOS_PER_MOVE = 1024

# Photos of a class in a batch, at least: fewer classes are seen at a time where there are many.
PER_CLASS_MIN = 4

# Labelled photos fill at least this share of a batch, however few they are.
LABELLED_SHARE_MIN = 0.25

Order = Callable[[int], np.ndarray]  # the photos `(B,)` of a step


@dataclass(frozen=True, eq=False)
class Batch:
    """The photos of a step: B in all processes together, b in this one."""

    pixels: Tensor  # (b, s, s, 3) uint8
    labels: Tensor  # (b,) int64, class or burst; a number of the photo's own below -1 without one
    aspects: Tensor  # (B,) float32, width / height; on the CPU where processes share a batch


class PhotoBatches:
    """Batches of cached photos on the training device, in a seeded endless order."""

    def __init__(
        self,
        photos: PhotoSet,
        chosen: np.ndarray,
        plan: Plan,
        *,
        labels: np.ndarray | None = None,
        bursts: np.ndarray | None = None,
        world: World | None = None,
    ) -> None:
        """Prepare batches of the `chosen` photos, `(m,)` indices.

        `labels` `(n,)`, of all photos, balance the batches by class; `bursts` `(n,)`, the groups of
        near-duplicates, do not. Batches carry whichever is given.
        """
        self._device = device = plan.network.device
        self._rows = photos.rows[chosen]
        here = world or World()
        # Shared views are drawn on the CPU, for all processes alike, and then divided.
        self._alone = here.size == 1
        aspects_device = device if self._alone else "cpu"
        self._aspects = torch.from_numpy(photos.aspects[chosen]).to(aspects_device)
        self._pixels = photos.pixels
        carried = labels if labels is not None else bursts
        codes = np.full(len(chosen), UNLABELLED) if carried is None else carried[chosen]
        # Where a batch crosses from one shuffle to the next a photo may be in it twice. By a number
        # of its own it then is no negative of itself.
        own = np.where(codes < 0, -2 - np.arange(len(codes)), codes)
        self._labels = torch.from_numpy(own.astype(np.int64)).to(device)
        if labels is None:
            self._order = shuffled(len(chosen), plan.batch_size, plan.seed)
        else:
            self._order = class_balanced(codes, plan.batch_size, plan.seed)
        self._share = here.share(plan.batch_size)
        self._plan = plan
        self._resident: Tensor | None = None
        if device == "cuda" and self._fit_the_gpu():
            with memory_watched(plan):
                self._resident = rows_on(device, self._pixels, self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def at(self, step: int) -> Batch:
        """The photos of a step; of pixels and labels only this process's share.

        Raises:
            MemoryShortage: the batch is too large for the machine.
        """
        with memory_watched(self._plan):
            return self._at(step)

    def _at(self, step: int) -> Batch:
        chosen = self._order(step)
        index = torch.from_numpy(chosen)
        mine = self._sent(index[self._share])
        if self._resident is not None:
            pixels = self._resident[mine]
        else:
            pixels = self._sent(torch.from_numpy(self._pixels[self._rows[chosen[self._share]]]))
        aspects = self._aspects[mine if self._alone else index]
        return Batch(pixels, self._labels[mine], aspects)

    def _sent(self, rows: Tensor) -> Tensor:
        """Rows on the training device.

        From pinned memory: else a GPU would end all steps before it took them.
        """
        if self._device != "cuda":
            return rows
        return rows.pin_memory().to(self._device, non_blocking=True)

    def _fit_the_gpu(self) -> bool:
        """Whether the photos can stay on the GPU.

        By what it has in all: what is free just now depends on what this process did before.
        """
        _, gpu_bytes = torch.cuda.mem_get_info()
        photo_bytes = len(self._rows) * self._pixels[0].nbytes
        return fit_beside_steps(photo_bytes, self._plan.step_gpu_bytes, gpu_bytes)


def fit_beside_steps(photo_bytes: int, step_bytes: int, gpu_bytes: int) -> bool:
    """Whether photos leave a GPU the memory that a step takes, 0 where that is not known."""
    step = step_bytes or STEP_SHARE * gpu_bytes
    return photo_bytes + step <= GPU_SHARE * gpu_bytes


def rows_on(device: str, pixels: np.ndarray, rows: np.ndarray) -> Tensor:
    """The photos `(n, s, s, 3)` uint8 in some rows of a cache, on a device."""
    found = torch.empty((len(rows), *pixels.shape[1:]), dtype=torch.uint8, device=device)
    for start in range(0, len(rows), PHOTOS_PER_MOVE):
        part = slice(start, start + PHOTOS_PER_MOVE)
        found[part] = torch.from_numpy(pixels[rows[part]])
    return found


def shuffled(count: int, batch_size: int, seed: int) -> Order:
    """One shuffle of all photos after another, cut into batches.

    No photo waits more than two epochs and no batch is short; a batch that crosses from one
    shuffle to the next may hold a photo twice.
    """
    endless = _Endless(count, seed, ORDER)
    return lambda step: endless.take(step * batch_size, batch_size)


def class_balanced(codes: np.ndarray, batch_size: int, seed: int) -> Order:
    """P classes with K photos each, whatever their sizes; unlabelled photos fill the rest.

    Classes come in one shuffle after another, and so do the photos of each class: a class of
    fewer than K photos has some twice, as different views.

    Args:
        codes: `(n,)` int64 class of each photo, negative without one.
        batch_size: photos in a batch.
        seed: of all shuffles.
    """
    members = [np.flatnonzero(codes == code) for code in np.unique(codes[codes >= 0])]
    rest = np.flatnonzero(codes < 0)
    share = max(1 - len(rest) / len(codes), LABELLED_SHARE_MIN)
    labelled = max(2, round(batch_size * share))
    classes = max(1, min(len(members), labelled // PER_CLASS_MIN))
    each = labelled // classes
    spare = batch_size - classes * each
    if len(rest) == 0:  # what the division left over
        rest = np.arange(len(codes))
    class_order = _Endless(len(members), seed, CLASSES)
    photo_orders = [
        _Endless(len(photos), seed, CLASS_PHOTOS, i) for i, photos in enumerate(members)
    ]
    rest_order = _Endless(len(rest), seed, ORDER)

    def photos_of(step: int) -> np.ndarray:
        found = []
        for place in range(step * classes, (step + 1) * classes):
            number = class_order.at(place)
            times = place // len(members)  # how often this class was asked before
            found.append(members[number][photo_orders[number].take(times * each, each)])
        return np.concatenate([*found, rest[rest_order.take(step * spare, spare)]])

    return photos_of


class _Endless:
    """The numbers below `count` in one seeded shuffle after another."""

    def __init__(self, count: int, *key: int) -> None:
        self._count, self._key = count, key
        self._last: tuple[int, np.ndarray] = (-1, np.zeros(0, np.int64))

    def at(self, position: int) -> int:
        epoch, offset = divmod(position, self._count)
        if self._last[0] != epoch:
            stream = np.random.default_rng([*self._key, epoch])
            self._last = (epoch, stream.permutation(self._count))
        return int(self._last[1][offset])

    def take(self, start: int, count: int) -> np.ndarray:
        return np.array([self.at(start + i) for i in range(count)], np.int64)
