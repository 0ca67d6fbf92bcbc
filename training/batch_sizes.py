"""How many photos a step learns from: by the network, the collection, the memory, the processes."""

import math
import os
from dataclasses import replace

from training.config import TrainConfig
from training.errors import ConfigError
from training.plan import Network, Plan

# A step must end soon after Ctrl-C. An automatic batch follows from counted operations and what
# a slow core does in a second, not from a stopwatch: two runs on one machine get the same one.
STEP_SECONDS_MAX = 5.0
CORE_GFLOPS = 15.0
# Forward passes' worth of work for a photo: two views forward and back, and the target's two.
PASSES_PER_PHOTO = 8

BATCH_MIN = 8


def automatic_batch(network: Network, files: int) -> int:
    """A power of two that suits a network on its device and a number of files."""
    largest = 256 if network.device == "cuda" or network.small_stem else 128
    if network.device == "cpu":
        second = CORE_GFLOPS * (os.cpu_count() or 1)
        photos_per_second = second / max(PASSES_PER_PHOTO * network.gflops, 1e-9)
        largest = min(largest, int(STEP_SECONDS_MAX * photos_per_second))
    # At least four steps an epoch, and a power of two.
    fitting = max(min(largest, files // 4), BATCH_MIN)
    return 1 << fitting.bit_length() - 1


def resized(plan: Plan, config: TrainConfig, batch_size: int) -> Plan:
    """A plan with other batches; the learning rate grows with their root, unless asked for."""
    lr = plan.lr if config.lr else plan.lr * math.sqrt(batch_size / plan.batch_size)
    return replace(plan, batch_size=batch_size, lr=lr)


def shared(plan: Plan, config: TrainConfig, processes: int) -> Plan:
    """A plan whose batch is shared equally by a number of processes.

    Raises:
        ConfigError: a batch that was asked for cannot be.
    """
    over = plan.batch_size % processes
    if over == 0:
        return plan
    if config.batch_size is not None:
        raise ConfigError(
            f"--batch-size {plan.batch_size} cannot be shared equally by {processes} processes",
            hint=f"use --batch-size {plan.batch_size - over + processes}",
        )
    return resized(plan, config, max(plan.batch_size - over, 2 * processes))


def fit_to_photos(plan: Plan, config: TrainConfig, photos: int, processes: int) -> Plan:
    """Cut an automatic batch to as many as there are photos to learn from.

    Raises:
        ConfigError: a batch that was asked for is larger, or the processes are too many.
    """
    if plan.batch_size <= photos:
        return plan
    if config.batch_size is not None:
        raise ConfigError(
            f"--batch-size {config.batch_size} is more than the {photos} photos to learn from",
            hint=f"use at most --batch-size {photos}",
        )
    plan = shared(resized(plan, config, 1 << photos.bit_length() - 1), config, processes)
    if plan.batch_size > photos:
        raise ConfigError(
            f"{processes} processes are too many for {photos} photos to learn from",
            hint=f"use at most {photos // 2}",
        )
    return plan
