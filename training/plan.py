"""What a run will do: every value it uses, in words and as JSON.

The plan is shown before training starts and stored with the run, so that a resumed run follows
the same one. `training.planning` makes it.
"""

import json
import math
from dataclasses import asdict, dataclass
from typing import Any

from training.errors import RunError
from training.progress import duration

# Fewer photos teach nothing that the start does not know: it is exported as it is.
TRAINING_MIN = 50

# Measured on photos of garments and on CIFAR-10: from ImageNet weights ten epochs make search
# worse and sixty of BYOL come level; half way between start and trained they are better, and
# beside the start better still. Below thirty the start alone is exported.
EPOCHS_WORTH_EXPORTING = 30


@dataclass(frozen=True)
class Network:
    """What must be known before starting weights are loaded."""

    backbone: str
    image_size: int
    small_stem: bool
    device: str
    gflops: float = 0.0  # of one image's forward pass


@dataclass(frozen=True)
class StepCost:
    """What a step takes in one process."""

    seconds: float
    gpu_bytes: int = 0  # at the most; 0 on a CPU


@dataclass(frozen=True)
class Plan:
    """Every value a run uses."""

    network: Network
    method: str
    start: str  # imagenet, random or file
    embed_size: int  # of all weights but the start's own
    start_size: int  # of the start's own
    cache_size: int
    batch_size: int
    epochs: int | None  # None: the budget decides
    budget_seconds: float | None
    optimizer: str
    lr: float
    weight_decay: float
    warmup: float  # share of the run
    freeze: float  # share of the backbone's blocks
    layer_decay: float  # of the learning rate, from a block to the one before it
    ema: float | None  # momentum of the average of the weights; None: none is kept
    interpolate: float
    crop_min: float
    strength: float
    views: str
    tau: float
    hidden_dim: int
    projection_dim: int
    temperature: float
    seed: int
    seconds_per_step: float = 0.0
    step_gpu_bytes: int = 0  # of a process at the most; 0 on a CPU, and where nobody measured
    reasons: tuple[str, ...] = ()

    def steps(self, photos: int) -> int:
        """Optimiser steps for a number of training photos; with a budget, an estimate."""
        if self.epochs is not None:
            return max(1, math.ceil(self.epochs * photos / self.batch_size))
        seconds = self.budget_seconds or 0.0
        return max(1, int(seconds / max(self.seconds_per_step, 1e-6)))

    def lines(self, photos: int) -> list[str]:
        """The plan in words, for a number of photos to learn from."""
        network, steps = self.network, self.steps(photos)
        epochs = steps * self.batch_size / photos
        length = f"{self.epochs} epochs"
        if self.epochs is None:
            length = (
                f"a budget of {duration(self.budget_seconds or 0.0)}, about {epochs:.0f} epochs"
            )
        too_short = []
        if self.start == "imagenet" and epochs < EPOCHS_WORTH_EXPORTING:
            enough = EPOCHS_WORTH_EXPORTING * photos / self.batch_size * self.seconds_per_step
            too_short = [
                f"  too short to export what it learns, unless classes or options say so: "
                f"{EPOCHS_WORTH_EXPORTING} epochs are needed, about {duration(enough)}"
            ]
        return [
            f"{self.method.upper()} on {network.backbone}, {network.image_size} px views, "
            f"{self.embed_size} px embedding, {network.device.upper()}",
            f"{length}: about {steps:,} steps of {self.batch_size} photos, learning rate "
            f"{self.lr:.2g}; about {duration(steps * self.seconds_per_step)}",
            *(f"  {reason}" for reason in self.reasons),
            *too_short,
        ]

    def to_json(self) -> str:
        """Indented JSON for the run folder."""
        return json.dumps(asdict(self), indent=2, sort_keys=True)


def plan_from_json(text: str) -> Plan:
    """Read what `Plan.to_json` wrote.

    Raises:
        RunError: it is damaged, or of another version of Lookalike.
    """
    try:
        values: dict[str, Any] = json.loads(text)
        network = Network(**values.pop("network"))
        return Plan(network=network, **{**values, "reasons": tuple(values["reasons"])})
    except (ValueError, TypeError, KeyError, AttributeError):
        raise RunError(
            "the run's plan is damaged or was made by another version of Lookalike",
            hint="start the run anew in another folder with -o",
        ) from None
