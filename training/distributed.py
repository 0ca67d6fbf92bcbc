"""Several processes as one: who leads, what each has its share of, rows gathered with gradients.

torch's launcher, torchrun, starts the processes and tells each its place through the environment,
which is read here and nowhere else. For one process alone everything here costs nothing.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from training.errors import ConfigError, RunError
from training.wording import counted

Result = TypeVar("Result")

# How long one process may wait for another, which may decode a hundred thousand photos meanwhile:
# gloo's half hour ended such runs. The dead are noticed sooner: torchrun then ends all processes.
LONGEST_WAIT = timedelta(days=1)

_alone: ContextVar[bool] = ContextVar("alone", default=False)


@dataclass(frozen=True)
class World:
    """The processes that train together, and which one of them this is."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes and prints."""
        return self.rank == 0

    def share(self, count: int) -> slice:
        """This process's part of `count` things; `count` is a multiple of the processes."""
        each = count // self.size
        return slice(self.rank * each, (self.rank + 1) * each)


def world() -> World:
    """The processes that train together; one alone without a process group."""
    if _alone.get() or not (dist.is_available() and dist.is_initialized()):
        return World()
    return World(dist.get_rank(), dist.get_world_size())


@contextmanager
def joined() -> Iterator[World]:
    """Join the other processes where torchrun started this one; leave them at the end.

    Raises:
        RunError: another process ended in the middle of a common step.
    """
    if not dist.is_torchelastic_launched():
        yield World()
        return
    backend = "gloo"
    if torch.cuda.is_available():
        backend = "cpu:gloo,cuda:nccl"
        gpu = own_gpu(int(os.environ["LOCAL_RANK"]), torch.cuda.device_count())
        if gpu is not None:
            torch.cuda.set_device(gpu)
    try:
        _meet(backend)
        yield world()
    except RuntimeError as error:
        if not isinstance(error, dist.DistError) and "gloo" not in str(error).lower():
            raise
        raise _another_ended() from None
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def restarted() -> bool:
    """Whether torchrun started the processes again after one of them died."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) > 0


def own_gpu(place: int, gpus: int) -> int | None:
    """The GPU that a process has to itself, by its place among those of its machine.

    None where there are more processes than GPUs: they can still train on processors.
    """
    return place if place < gpus else None


def check_gpus(device: str) -> None:
    """See whether every process of this machine has a GPU to itself where it trains on one.

    NCCL would say so too, in the middle of the first step, as if another process had died.

    Raises:
        ConfigError: there are more processes than GPUs.
    """
    processes, gpus = int(os.environ.get("LOCAL_WORLD_SIZE", "1")), torch.cuda.device_count()
    if device == "cuda" and processes > gpus:
        raise ConfigError(
            "this run trains on GPUs, one for each process; here are "
            f"{counted(processes, 'process', 'processes')} and {counted(gpus, 'GPU')}",
            hint="start no more processes than there are GPUs, or another run with --device cpu",
        )


@contextmanager
def alone() -> Iterator[None]:
    """Work that the other processes have no part in."""
    token = _alone.set(True)
    try:
        yield
    finally:
        _alone.reset(token)


def in_turn(work: Callable[[], Result]) -> Result:
    """Let every process do the same work, one after another, the leading one first.

    Raises:
        RunError: the work of another process failed; whatever this one's own work raises.
    """
    here = world()
    done: list[Result] = []
    for rank in range(here.size):
        failure: Exception | None = None
        if rank == here.rank:
            try:
                done.append(work())
            except Exception as error:
                failure = error
        failed = anyone(failure is not None)
        if failure is not None:
            raise failure
        if failed:
            raise _another_ended()
    return done[0]


def anyone(claim: bool) -> bool:
    """Whether the claim is true in any of the processes."""
    return total(float(claim)) > 0


def mean(value: float) -> float:
    """The mean of a number over all processes."""
    return total(value) / world().size


def total(value: float) -> float:
    """The sum of a number over all processes, the same in each."""
    if world().size == 1:
        return value
    found = torch.tensor([value], dtype=torch.float64)
    dist.all_reduce(found)
    return float(found)


def gather_rows(rows: Tensor) -> Tensor:
    """The rows of all processes in the order of their ranks: `(n, ...)` to `(size * n, ...)`.

    Gradients flow back to the process that a row came from, summed over all processes: a loss
    that sees the rows of others pushes on them too. With gradients averaged over processes, as
    DistributedDataParallel does, the mean of the losses has the gradient of one process with all
    rows.
    """
    if world().size == 1:
        return rows
    gathered: Tensor = _GatherRows.apply(rows)
    return gathered


def sum_over_processes(values: Tensor) -> Tensor:
    """A tensor's sum over all processes, with gradients summed likewise."""
    summed: Tensor = _Sum.apply(values)
    return summed


class _GatherRows(torch.autograd.Function):
    @staticmethod
    def forward(_ctx: Any, rows: Tensor) -> Tensor:
        rows = rows.contiguous()
        parts = [torch.empty_like(rows) for _ in range(world().size)]
        dist.all_gather(parts, rows)
        return torch.cat(parts)

    @staticmethod
    def backward(_ctx: Any, *gradients: Tensor) -> Tensor:
        summed = gradients[0].contiguous()
        dist.all_reduce(summed)
        return summed[world().share(len(summed))]


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(_ctx: Any, values: Tensor) -> Tensor:
        summed = values.clone()
        dist.all_reduce(summed)
        return summed

    @staticmethod
    def backward(_ctx: Any, *gradients: Tensor) -> Tensor:
        summed = gradients[0].clone()
        dist.all_reduce(summed)
        return summed


def _meet(backend: str) -> None:
    """Form the process group, by what torchrun has put into the environment.

    Under keys of this attempt: the launcher's store outlives its workers, and after a restart it
    would give out the addresses of the dead.
    """
    store, rank, size = next(dist.rendezvous("env://"))  # type: ignore[attr-defined]
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    own = dist.PrefixStore(f"attempt-{attempt}", store)  # type: ignore[attr-defined]
    dist.init_process_group(backend, store=own, rank=rank, world_size=size, timeout=LONGEST_WAIT)


def _another_ended() -> RunError:
    return RunError(
        "another process of this run ended, or cannot be reached",
        hint="its own message says why; torchrun's --max-restarts N goes on from the checkpoint",
    )
