"""A plan, with reasons, from what was asked, what the folder holds and how fast this machine is."""

import math
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from training.batch_sizes import BATCH_MIN, automatic_batch, resized
from training.config import TrainConfig
from training.errors import ConfigError, MemoryShortage, PhotoError
from training.methods import TAU_BASE
from training.models import SMALL_IMAGE
from training.photos import FoundFile, read_photo, walk
from training.plan import Network, Plan, StepCost

# Measured: see plan.EPOCHS_WORTH_EXPORTING.
EPOCHS_IMAGENET = 60
EPOCHS_SCRATCH = 200
EPOCHS_BUDGET_AIM = 60

# Learning rates at a batch of 128, from random and from trained weights; they grow with the root
# of the batch, which does better than in proportion below 4,096 (SimCLR, arXiv 2002.05709,
# appendix B.1). SGD's and LARS's from random weights are lightly's for CIFAR-10 and ImageNet.
BASE_LR = {"adamw": (1e-3, 3e-4), "sgd": (0.06, 0.02), "lars": (0.85, 0.2)}
WEIGHT_DECAY = {"adamw": 1e-4, "sgd": 5e-4, "lars": 1e-6}

CPU_SIZES = (64, 96, 128, 160, 224)
CPU_SIZE = 96
GPU_SIZE = 224

# The resolution that torchvision's ImageNet weights were trained at, and search best at.
IMAGENET_SIZE = 224

# Photos are embedded somewhat larger than the views that tuned the weights. Measured on garments,
# views of 96 px: precision at 10 is .541 at 96, .547 at 128, .552 at 160 and .507 at 224.
EMBED_OVER_VIEW = 5 / 3

_SAMPLED_PHOTOS = 32


@dataclass(frozen=True)
class Survey:
    """What a look at the folder tells before anything is decoded."""

    files: int
    typical_side: int  # median shorter side in pixels of a few photos; 0 where none can be read


def survey(photos: Path) -> Survey:
    """Count a folder's files and look at the size of some, spread evenly."""
    files = [file for file in walk(photos) if isinstance(file, FoundFile)]
    sides: list[int] = []
    for file in files[:: max(1, len(files) // _SAMPLED_PHOTOS)][:_SAMPLED_PHOTOS]:
        try:
            photo = read_photo(photos / os.fsdecode(file.path), at_least=32)
        except PhotoError:
            continue
        sides.append(min(photo.width, photo.height))
    return Survey(len(files), sorted(sides)[len(sides) // 2] if sides else 0)


def choose_network(config: TrainConfig, found: Survey, *, has_cuda: bool) -> Network:
    """The backbone, its image size and its device; the start may change size and stem.

    Raises:
        ConfigError: a GPU was asked for and there is none.
    """
    if config.device == "cuda" and not has_cuda:
        raise ConfigError("--device cuda: no usable GPU was found", hint="use --device cpu")
    on_gpu = config.device == "cuda" or (config.device == "auto" and has_cuda)
    size = config.image_size or (GPU_SIZE if on_gpu else CPU_SIZE)
    if config.image_size is None and 0 < found.typical_side < size:
        size = max(32, found.typical_side // 8 * 8)
    backbone = config.backbone
    if backbone == "auto":
        backbone = "resnet50" if on_gpu else "mobilenet_v2"
    return Network(backbone, size, size < SMALL_IMAGE, "cuda" if on_gpu else "cpu")


def suit_start(network: Network, config: TrainConfig, start: str, *, small_stem: bool) -> Network:
    """A network as its starting weights want it.

    Weights that were trained with the usual stem keep it: another first layer would be random,
    and what follows was never made for it. Small photos are enlarged for them instead, which is
    what the figures on CIFAR-10 were measured with.

    Args:
        network: as it would be from random weights.
        config: what was asked.
        start: imagenet, random or file.
        small_stem: whether the starting weights were trained with the stem for small images.
    """
    if start == "random" or small_stem:
        return replace(network, small_stem=small_stem or network.small_stem)
    size = config.image_size or max(network.image_size, CPU_SIZE)
    return replace(network, image_size=size, small_stem=False)


def choose(config: TrainConfig, found: Survey, network: Network, start: str) -> Plan:
    """The plan for a known start, before anything was timed."""
    tuned = start != "random"  # weights that already know something are moved gently
    small = found.files < 5000
    method = config.method
    if method == "auto":
        # From random weights BYOL's first steps collapse, and ten minutes do not mend it: measured.
        method = "supcon" if config.labels else "byol" if small and tuned else "simclr"
    plan = Plan(
        network=network,
        method=method,
        start=start,
        embed_size=0,
        start_size=0,
        cache_size=0,
        batch_size=config.batch_size or automatic_batch(network, found.files),
        epochs=config.epochs,
        budget_seconds=config.budget_seconds,
        optimizer=config.optimizer,
        lr=0.0,
        weight_decay=_or(config.weight_decay, WEIGHT_DECAY[config.optimizer]),
        warmup=_or(config.warmup, 0.05),
        freeze=_or(config.freeze, 0.5 if tuned else 0.0),
        layer_decay=_or(config.layer_decay, 1.0),
        ema=config.ema,
        interpolate=_or(config.interpolate, 0.5 if start == "imagenet" else 1.0),
        crop_min=_or(config.crop_min, 0.3 if tuned else 0.2),
        strength=_or(config.strength, 1.0 if config.views == "shapes" else 0.4 if tuned else 0.5),
        views=config.views,
        tau=_or(config.tau, TAU_BASE),
        hidden_dim=config.hidden_dim or (2048 if network.device == "cuda" else 1024),
        projection_dim=config.projection_dim or (256 if method == "byol" else 128),
        temperature=_or(config.temperature, 0.1 if method == "supcon" else 0.2),
        seed=config.seed,
        reasons=tuple(_reasons(config, found, network, method, start)),
    )
    if plan.epochs is None and plan.budget_seconds is None:
        plan = replace(plan, epochs=EPOCHS_IMAGENET if tuned else EPOCHS_SCRATCH)
    base_lr = BASE_LR[config.optimizer][tuned]
    lr = config.lr or base_lr * math.sqrt(plan.batch_size / 128)
    return _sized(replace(plan, lr=lr), config, found, network.image_size)


def fit_to_machine(
    plan: Plan, config: TrainConfig, found: Survey, step_cost: Callable[[Plan], StepCost]
) -> Plan:
    """Time a few steps; with a budget, choose the largest image size that leaves enough epochs.

    An automatic batch that does not fit into memory is halved until it does.

    Raises:
        MemoryShortage: a batch that was asked for, or the smallest, does not fit into memory.
    """
    asked = plan.batch_size
    while (cost := _cost_or_none(plan, config, step_cost)) is None:
        smaller = plan.batch_size // 2
        reason = f"batches of {smaller}: {plan.batch_size} do not fit into memory"
        plan = replace(resized(plan, config, smaller), reasons=(*plan.reasons, reason))
    plan = replace(plan, seconds_per_step=cost.seconds, step_gpu_bytes=cost.gpu_bytes)
    halved = plan.batch_size < asked  # larger images would not fit either
    if plan.budget_seconds is None or config.image_size is not None or halved:
        return plan
    return _fit_size_to_budget(plan, config, found)


def _cost_or_none(
    plan: Plan, config: TrainConfig, step_cost: Callable[[Plan], StepCost]
) -> StepCost | None:
    """What a step takes; None where a smaller batch should be tried."""
    try:
        return step_cost(plan)
    except MemoryShortage:
        if config.batch_size is not None or plan.batch_size <= BATCH_MIN:
            raise
        return None


def _fit_size_to_budget(plan: Plan, config: TrainConfig, found: Survey) -> Plan:
    now = plan.network
    if now.image_size < SMALL_IMAGE:
        return plan
    largest = max(found.typical_side, now.image_size)
    for size in sorted((size for size in CPU_SIZES if size <= largest), reverse=True):
        area = (size / now.image_size) ** 2
        network = replace(now, image_size=size, gflops=now.gflops * area)
        fitted = choose(config, found, network, plan.start)
        work = area * fitted.batch_size / plan.batch_size
        seconds = plan.seconds_per_step * work
        epochs = (plan.budget_seconds or 0) / seconds * fitted.batch_size / max(found.files, 1)
        if epochs >= EPOCHS_BUDGET_AIM or size == CPU_SIZES[0]:
            reason = f"{size} px: the budget gives about {epochs:.0f} epochs of it"
            return replace(
                fitted,
                seconds_per_step=seconds,
                # Weights do not shrink with the views.
                step_gpu_bytes=round(plan.step_gpu_bytes * max(1.0, work)),
                reasons=(*fitted.reasons, reason),
            )
    return plan


def _sized(plan: Plan, config: TrainConfig, found: Survey, size: int) -> Plan:
    """The sizes that follow from the views' size."""
    embed = size
    if plan.start != "random":
        embed = max(size, min(IMAGENET_SIZE, round(size * EMBED_OVER_VIEW / 8) * 8))
    embed = config.embed_size or embed
    # Photos that are enlarged even for views gain nothing from more: measured on CIFAR-10's of
    # 32 px, the start's precision at 10 is .484 at 96 px, .502 at 160 and .470 at 224.
    at_its_own = plan.start == "imagenet" and not _enlarged(found, size)
    start = config.embed_size or (IMAGENET_SIZE if at_its_own else embed)
    # A third larger than the views: crops are then reduced by at most that, and bilinear
    # sampling does not alias. Never larger than the photos themselves.
    cache = math.ceil(size * 4 / 3 / 8) * 8
    if found.typical_side:
        cache = max(size, min(cache, found.typical_side))
    network = replace(plan.network, image_size=size)
    return replace(plan, network=network, embed_size=embed, start_size=start, cache_size=cache)


def _reasons(
    config: TrainConfig, found: Survey, network: Network, method: str, start: str
) -> list[str]:
    reasons: list[str] = []
    if config.backbone == "auto":
        reasons.append(f"{network.backbone}: the default on a {network.device.upper()}")
    if config.method == "auto":
        why = {
            "byol": "it needs no negatives, so near-duplicates do not hurt",
            "simclr": "its negatives pay on large collections, and from random weights",
            "supcon": "there are labels to learn from",
        }[method]
        reasons.append(f"{method}: {found.files:,} files; {why}")
    enlarged = _enlarged(found, network.image_size)
    if start != "random" and config.image_size is None and enlarged:
        reasons.append(
            f"{network.image_size} px: photos of {found.typical_side} px are enlarged, for the "
            "starting weights know larger ones"
        )
    if start == "random":
        reasons.append("random weights learn slowly: 300 steps left search worse than raw pixels")
    if config.freeze is None and start != "random":
        reasons.append("the first half of the network stays as it is: edges and textures are known")
    if config.interpolate is None and config.export == "auto" and start == "imagenet":
        reasons.append(
            "unless known classes decide, a long run exports start and half way side by side: "
            "best, measured"
        )
    return reasons


def _enlarged(found: Survey, size: int) -> bool:
    """Whether photos are smaller than a size that they are seen at; not where nobody knows."""
    return 0 < found.typical_side < size


def _or(value: float | None, default: float) -> float:
    return default if value is None else value
