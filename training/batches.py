"""What a step learns from: batches of cached photos on the training device."""

import numpy as np
import torch
from torch import Tensor

from training.cache import PhotoSet
from training.plan import Plan
from training.randomness import ORDER

# Photos are kept on the GPU whole when they take less than this share of its free memory.
RESIDENT_SHARE = 0.4


class PhotoBatches:
    """Batches of cached photos on the training device, in a seeded endless order."""

    def __init__(self, photos: PhotoSet, chosen: np.ndarray, plan: Plan) -> None:
        self._batch_size, self._seed = plan.batch_size, plan.seed
        self._device = device = plan.network.device
        self._rows = photos.rows[chosen]
        self._aspects = torch.from_numpy(photos.aspects[chosen]).to(device)
        self._pixels = photos.pixels
        self._order: tuple[int, np.ndarray] = (-1, np.zeros(0, np.int64))
        self._resident = self._to_gpu() if device == "cuda" else None

    def __len__(self) -> int:
        return len(self._rows)

    def at(self, step: int) -> tuple[Tensor, Tensor]:
        """Pixels `(b, s, s, 3)` uint8 and aspect ratios `(b,)` float32 of a step's photos.

        The order is one shuffle of all photos after another, cut into batches: no photo waits
        more than two epochs and no batch is short.
        """
        first = step * self._batch_size
        chosen = np.array([self._photo(first + i) for i in range(self._batch_size)])
        index = torch.from_numpy(chosen).to(self._device)
        if self._resident is not None:
            return self._resident[index], self._aspects[index]
        pixels = torch.from_numpy(self._pixels[self._rows[chosen]])
        return pixels.to(self._device, non_blocking=True), self._aspects[index]

    def _photo(self, position: int) -> int:
        epoch, offset = divmod(position, len(self._rows))
        if self._order[0] != epoch:
            stream = np.random.default_rng([self._seed, ORDER, epoch])
            self._order = (epoch, stream.permutation(len(self._rows)))
        return int(self._order[1][offset])

    def _to_gpu(self) -> Tensor | None:
        free, _ = torch.cuda.mem_get_info()
        if len(self._rows) * self._pixels[0].nbytes > RESIDENT_SHARE * free:
            return None
        return torch.from_numpy(self._pixels[self._rows]).to(self._device)
