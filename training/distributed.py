"""Several processes as one: what each has its share of, and rows gathered with their gradients.

Without a process group everything here is for one process alone and costs nothing.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


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
    if not (dist.is_available() and dist.is_initialized()):
        return World()
    return World(dist.get_rank(), dist.get_world_size())


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


class _GatherRows(torch.autograd.Function):
    @staticmethod
    def forward(_ctx: Any, rows: Tensor) -> Tensor:
        rows = rows.contiguous()
        parts = [torch.empty_like(rows) for _ in range(world().size)]
        dist.all_gather(parts, rows)
        return torch.cat(parts)

    @staticmethod
    def backward(_ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].contiguous()
        dist.all_reduce(total)
        return total[world().share(len(total))]
