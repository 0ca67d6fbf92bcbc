"""One training step: views, forward, loss, backward, update."""

import inspect
import math
import statistics
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from training.augment import apply_views, draw_parameters, make_views, share_of
from training.averaging import WeightAverage
from training.batches import Batch
from training.checkpoint import Checkpoint
from training.distributed import world
from training.errors import RunError
from training.memory import memory_watched
from training.methods import Method, build_method
from training.models import Backbone, freeze, to_device
from training.optim import (
    build_optimizer,
    optimizer_tensors,
    restore_optimizer,
    set_learning_rate,
)
from training.plan import Plan, StepCost
from training.randomness import LAYERS, VIEWS, generator_for, seed_for
from training.recipes import view_recipes
from training.schedule import warmup_cosine
from training.shared_norm import share_batch_norm

STEPS_PER_LOG = 10

# A plan is timed by so many steps, or by as many as take so many seconds: long ones vary little.
STEPS_TIMED, TIMED_ENOUGH = 3, 3.0

# DistributedDataParallel says so of channels-last weights; nothing is wrong, and little is lost.
warnings.filterwarnings("ignore", message="Grad strides do not match bucket view")


@dataclass
class Clock:
    """Progress through a run in [0, 1]: by steps, or by elapsed time over a budget.

    What came before the first step took some of the budget, but none of the schedule: the learning
    rate would otherwise begin in the middle of its rise, or behind it.
    """

    steps: int
    budget_seconds: float | None
    started: float = field(default_factory=time.monotonic)  # of this session
    elapsed: float = 0.0  # seconds of earlier sessions
    began: float = 0.0  # seconds of the run that were over before its first step

    def seconds(self) -> float:
        """Seconds spent on this run until now, earlier sessions included."""
        return self.elapsed + time.monotonic() - self.started

    def progress(self, step: float) -> float:
        """Share of the run that is over when `step` steps are done."""
        if self.budget_seconds is not None:
            left = self.budget_seconds - self.began
            return min(1.0, (self.seconds() - self.began) / left) if left > 0 else 1.0
        return min(1.0, step / self.steps)


@dataclass
class Pace:
    """Steps a second since it was last asked, without the time that other work took."""

    step: int  # when it was last asked
    since: float = field(default_factory=time.monotonic)

    def at(self, step: int) -> float:
        """Steps a second on the way to `step`."""
        now = time.monotonic()
        rate = (step - self.step) / max(now - self.since, 1e-9)
        self.step, self.since = step, now
        return rate

    @contextmanager
    def paused(self) -> Iterator[None]:
        """A block whose time does not count."""
        began = time.monotonic()
        yield
        self.since += time.monotonic() - began


class Trainer:
    """A method over the trainable part of a backbone, with its optimiser and step count."""

    def __init__(self, plan: Plan, backbone: Backbone) -> None:
        self.plan = plan
        self.backbone = backbone
        self.device = torch.device(plan.network.device)
        if self.device.type == "cuda":
            # Every step has the same shapes: trying cuDNN's algorithms once pays.
            torch.backends.cudnn.benchmark = True
        self.recipes = view_recipes(plan)
        torch.manual_seed(seed_for(plan.seed, LAYERS))  # the heads' first weights
        to_device(backbone, self.device)
        self.world = world()
        if self.world.size > 1:
            share_batch_norm(backbone, self.device)
        self.frozen, trainable = freeze(backbone, plan.freeze)
        self.method = build_method(
            plan.method,
            trainable,
            projection_dim=plan.projection_dim,
            hidden_dim=plan.hidden_dim,
            temperature=plan.temperature,
            tau_base=plan.tau,
        ).to(self.device)
        # What a step calls: the method itself, or the method with its gradients averaged.
        self.learner: nn.Module = self.method
        if self.world.size > 1:
            share_batch_norm(self.method, self.device)
            self.learner = _averaging_gradients(self.method)
        self.optimizer = build_optimizer(
            self.method,
            name=plan.optimizer,
            weight_decay=plan.weight_decay,
            layer_decay=plan.layer_decay,
        )
        self.average = WeightAverage(trainable, plan.ema) if plan.ema is not None else None
        self.step = 0
        self.lr = 0.0

    def train_step(self, batch: Batch, progress: float) -> Tensor:
        """One optimiser step on a batch; gives the loss, still on the device.

        Raises:
            MemoryShortage: the batch is too large for the machine.
        """
        with memory_watched(self.plan):
            return self._train_step(batch, progress)

    def _train_step(self, batch: Batch, progress: float) -> Tensor:
        first, second = self._views(batch)
        torch.manual_seed(seed_for(self.plan.seed, LAYERS, self.step))  # stochastic depth
        self.lr = self.plan.lr * warmup_cosine(progress, warmup=self.plan.warmup)
        set_learning_rate(self.optimizer, self.lr)
        with torch.autocast("cuda", torch.bfloat16, enabled=self.device.type == "cuda"):
            loss: Tensor = self.learner(self._see(first), self._see(second), batch.labels)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.method.after_step(progress)
        if self.average is not None:
            self.average.follow(self.step)
        self.step += 1
        return loss.detach()

    def use_average(self) -> None:
        """Give the backbone the average of its weights, where one is kept; training is over."""
        if self.average is not None:
            self.average.apply()

    def checkpoint(self, seconds: float, began: float = 0.0) -> Checkpoint:
        """The state after the last finished step. The random state is (seed, step).

        `seconds` of the run are over, `began` of them were before its first step.
        """
        tensors = {f"method.{name}": value for name, value in self.method.state_dict().items()}
        optimizer = optimizer_tensors(self.optimizer)
        tensors.update({f"optimizer.{name}": value for name, value in optimizer.items()})
        if self.average is not None:
            average = self.average.tensors()
            tensors.update({f"average.{name}": value for name, value in average.items()})
        return Checkpoint(tensors, {"step": self.step, "seconds": seconds, "began": began})

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint of the same plan."""
        self.method.load_state_dict(_below(checkpoint.tensors, "method."))
        restore_optimizer(self.optimizer, _below(checkpoint.tensors, "optimizer."))
        if self.average is not None:
            self.average.restore(_below(checkpoint.tensors, "average."))
        self.step = int(checkpoint.facts["step"])

    def _views(self, batch: Batch) -> tuple[Tensor, Tensor]:
        if self.world.size > 1:
            return self._shared_views(batch)
        seed, device = self.plan.seed, self.device
        first, second = (
            make_views(
                batch.pixels,
                batch.aspects,
                recipe,
                generator_for(seed, VIEWS, self.step, view, device=device),
            )
            for view, recipe in enumerate(self.recipes)
        )
        return first, second

    def _shared_views(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """This process's share of the views that one process alone would draw on a CPU."""
        rows = self.world.share(len(batch.aspects))
        first, second = (
            apply_views(
                batch.pixels,
                share_of(
                    draw_parameters(
                        recipe,
                        batch.aspects,
                        generator_for(self.plan.seed, VIEWS, self.step, view),
                    ),
                    rows,
                    self.device,
                ),
                recipe,
            )
            for view, recipe in enumerate(self.recipes)
        )
        return first, second

    def _see(self, views: Tensor) -> Tensor:
        """What the frozen blocks make of views, computed once for all that builds on it."""
        with torch.no_grad():
            seen: Tensor = self.frozen(views.contiguous(memory_format=torch.channels_last))
        return seen


def step_cost(plan: Plan, backbone: Backbone) -> StepCost:
    """Median time of some training steps on random pixels, after one that is not counted.

    With the most memory that they had from the GPU.

    `backbone` is trained by it: give a copy.

    Raises:
        MemoryShortage: the batch is too large for the machine.
    """
    trainer = Trainer(plan, backbone)
    with memory_watched(plan):
        batch = random_batch(plan, trainer.device)
    trainer.train_step(batch, 0.0)
    on_gpu = trainer.device.type == "cuda"
    if on_gpu:
        # What a larger batch, or the choice of an algorithm, took before belongs to no step.
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    times: list[float] = []
    while len(times) < STEPS_TIMED and sum(times) < TIMED_ENOUGH:
        started = time.monotonic()
        trainer.train_step(batch, 0.0).item()
        times.append(time.monotonic() - started)
    gpu_bytes = torch.cuda.max_memory_reserved() if on_gpu else 0
    return StepCost(statistics.median(times), gpu_bytes)


def random_batch(plan: Plan, device: torch.device) -> Batch:
    """A batch of the plan's size that shows nothing, to time steps on."""
    shape = (plan.batch_size, plan.cache_size, plan.cache_size, 3)
    generator = generator_for(plan.seed, VIEWS)
    pixels = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
    labels = torch.arange(plan.batch_size) // 2
    return Batch(*(rows.to(device) for rows in (pixels, labels, torch.ones(plan.batch_size))))


def _averaging_gradients(method: Method) -> nn.Module:
    """The method with its gradients averaged over processes.

    Buffers agree as they are, since all processes normalise by the same statistics: sending them
    around is switched off, by the name that this version of torch has for it.
    """
    options = inspect.signature(DistributedDataParallel).parameters
    name = "forward_sync_buffers" if "forward_sync_buffers" in options else "broadcast_buffers"
    switched_off: dict[str, Any] = {name: False}
    return DistributedDataParallel(method, **switched_off)


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
