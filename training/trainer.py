"""One training step, and what feeds it: batches, views, forward, loss, backward, update."""

import math
import time
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from training.augment import ViewRecipe, byol_recipes, make_views, simclr_recipe
from training.cache import PhotoSet
from training.checkpoint import Checkpoint
from training.errors import RunError
from training.methods import build_method
from training.models import Backbone, freeze, to_device
from training.optim import (
    build_optimizer,
    optimizer_tensors,
    restore_optimizer,
    set_learning_rate,
)
from training.plan import Plan
from training.randomness import LAYERS, ORDER, VIEWS, generator_for, seed_for
from training.schedule import warmup_cosine

STEPS_PER_LOG = 10

# Photos are kept on the GPU whole when they take less than this share of its free memory.
RESIDENT_SHARE = 0.4


def view_recipes(plan: Plan) -> tuple[ViewRecipe, ViewRecipe]:
    """How the two views of every photo are drawn."""
    size, strength, crop_min = plan.network.image_size, plan.strength, plan.crop_min
    if plan.method == "byol":
        return byol_recipes(size, strength=strength, crop_min=crop_min, flip=plan.flip)
    recipe = simclr_recipe(size, strength=strength, crop_min=crop_min, flip=plan.flip)
    return recipe, recipe


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


@dataclass
class Clock:
    """Progress through a run in [0, 1]: by steps, or by elapsed time over a budget."""

    steps: int
    budget_seconds: float | None
    started: float = field(default_factory=time.monotonic)  # of this session
    elapsed: float = 0.0  # seconds of earlier sessions

    def seconds(self) -> float:
        """Seconds spent on this run until now, earlier sessions included."""
        return self.elapsed + time.monotonic() - self.started

    def progress(self, step: float) -> float:
        """Share of the run that is over when `step` steps are done."""
        if self.budget_seconds is not None:
            return min(1.0, self.seconds() / self.budget_seconds)
        return min(1.0, step / self.steps)


class Trainer:
    """A method over the trainable part of a backbone, with its optimiser and step count."""

    def __init__(self, plan: Plan, backbone: Backbone) -> None:
        self.plan = plan
        self.backbone = backbone
        self.device = torch.device(plan.network.device)
        self.recipes = view_recipes(plan)
        torch.manual_seed(seed_for(plan.seed, LAYERS))  # the heads' first weights
        to_device(backbone, self.device)
        self.frozen, trainable = freeze(backbone, plan.freeze)
        self.method = build_method(
            plan.method,
            trainable,
            projection_dim=plan.projection_dim,
            hidden_dim=plan.hidden_dim,
            temperature=plan.temperature,
            tau_base=plan.tau,
        ).to(self.device)
        self.optimizer = build_optimizer(self.method, weight_decay=plan.weight_decay)
        self.step = 0
        self.lr = 0.0

    def train_step(self, pixels: Tensor, aspects: Tensor, progress: float) -> Tensor:
        """One optimiser step on a batch; gives the loss, still on the device."""
        first, second = self._views(pixels, aspects)
        torch.manual_seed(seed_for(self.plan.seed, LAYERS, self.step))  # stochastic depth
        self.lr = self.plan.lr * warmup_cosine(progress, warmup=self.plan.warmup)
        set_learning_rate(self.optimizer, self.lr)
        with torch.autocast("cuda", torch.bfloat16, enabled=self.device.type == "cuda"):
            loss: Tensor = self.method.loss(self._see(first), self._see(second))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.method.after_step(progress)
        self.step += 1
        return loss.detach()

    def checkpoint(self, seconds: float) -> Checkpoint:
        """The state after the last finished step. The random state is (seed, step)."""
        tensors = {f"method.{name}": value for name, value in self.method.state_dict().items()}
        optimizer = optimizer_tensors(self.optimizer)
        tensors.update({f"optimizer.{name}": value for name, value in optimizer.items()})
        return Checkpoint(tensors, {"step": self.step, "seconds": seconds})

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint of the same plan."""
        self.method.load_state_dict(_below(checkpoint.tensors, "method."))
        restore_optimizer(self.optimizer, _below(checkpoint.tensors, "optimizer."))
        self.step = int(checkpoint.facts["step"])

    def _views(self, pixels: Tensor, aspects: Tensor) -> tuple[Tensor, Tensor]:
        seed, device = self.plan.seed, self.device
        first, second = (
            make_views(
                pixels, aspects, recipe, generator_for(seed, VIEWS, self.step, view, device=device)
            )
            for view, recipe in enumerate(self.recipes)
        )
        return first, second

    def _see(self, views: Tensor) -> Tensor:
        """What the frozen blocks make of views, computed once for all that builds on it."""
        with torch.no_grad():
            seen: Tensor = self.frozen(views.contiguous(memory_format=torch.channels_last))
        return seen


def seconds_per_step(plan: Plan, backbone: Backbone, *, steps: int = 3) -> float:
    """Median time of a training step on random pixels, after one that is not counted.

    `backbone` is trained by it: give a copy.
    """
    trainer = Trainer(plan, backbone)
    shape = (plan.batch_size, plan.cache_size, plan.cache_size, 3)
    generator = generator_for(plan.seed, VIEWS)
    pixels = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
    aspects = torch.ones(plan.batch_size)
    pixels, aspects = pixels.to(trainer.device), aspects.to(trainer.device)
    times: list[float] = []
    for _ in range(steps + 1):
        started = time.monotonic()
        trainer.train_step(pixels, aspects, 0.0).item()
        times.append(time.monotonic() - started)
    return sorted(times[1:])[steps // 2]


def check_finite(loss: float, step: int, lr: float) -> None:
    """Stop a run whose loss is lost.

    Raises:
        RunError: the loss is NaN or infinite.
    """
    if not math.isfinite(loss):
        raise RunError(
            f"the loss became {loss} at step {step}",
            hint=f"start again with a lower learning rate, as --lr {lr / 3:.1g}",
        )


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
