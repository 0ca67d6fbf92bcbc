"""Which kind of index a gallery gets: one table, by the size of its embeddings and by the machine.

Everything is compared as long as a query takes less than about 50 ms: only approximate indexes
depend on what the photos look like.
"""

import os
from dataclasses import dataclass
from typing import Literal

import faiss

Kind = Literal["exact", "half", "approximate"]
Wanted = Literal["auto", "exact", "half", "approximate"]

WANTED: tuple[Wanted, ...] = ("auto", "exact", "half", "approximate")

_GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Step:
    """A kind of index, and up to which size it is the best one."""

    kind: Kind
    most_bytes: int | None  # of the embeddings as float32; None: no limit
    share_in_memory: float  # of those bytes: what every search reads
    why: str


# A search waits for memory: one core read between 7 and 26 GB a second where it was measured. So
# a query takes some 10 to 40 ms at the end of the first step, and of the second in half precision
# 40 ms on a fast machine. Below it half precision would be faster too, by what nobody notices.
TABLE = (
    Step("exact", _GIB // 4, 1.0, "every photo is compared"),
    Step("half", 2 * _GIB, 0.5, "every photo is compared, first in half precision"),
    Step("approximate", None, 0.25, "only the photos in the nearest cells are compared"),
)

# A GPU compares some 500 GB a second. Cards that CUDA supports today have 8 GB and more.
EXACT_ON_GPU = 4 * _GIB

# What searches read should lie in memory: at most this share of the machine's.
SHARE_OF_MEMORY = 0.5


@dataclass(frozen=True, slots=True)
class Machine:
    """What of a machine bears on the choice."""

    memory_bytes: int
    gpus: int


@dataclass(frozen=True, slots=True)
class Choice:
    """The kind of index that a gallery gets."""

    kind: Kind
    why: str  # a sentence's end
    wanted: Wanted = "auto"  # what was asked for


def this_machine() -> Machine:
    """The machine that this runs on."""
    try:
        memory_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, AttributeError, OSError):  # pragma: no cover - not on Linux or macOS
        memory_bytes = 8 * _GIB
    return Machine(memory_bytes, faiss.get_num_gpus())


def choose(count: int, dim: int, *, wanted: Wanted, machine: Machine) -> Choice:
    """The kind of index for so many embeddings.

    Args:
        count: how many photos.
        dim: numbers of an embedding.
        wanted: `auto` goes by the table; anything else is taken.
        machine: where it will be searched.
    """
    if wanted != "auto":
        return Choice(wanted, f"{_why(wanted)}, as was asked for", wanted)
    kind = _by_table(4 * count * dim, TABLE, machine)
    return Choice(kind, _why(kind))


def without_cells(count: int, dim: int, *, wanted: Wanted, machine: Machine, why: str) -> Choice:
    """The next best choice where an approximate index does not find enough, and `why`."""
    kind = _by_table(4 * count * dim, TABLE[:-1], machine)
    return Choice(kind, f"{_why(kind)}: {why}", wanted)


def _by_table(size: int, table: tuple[Step, ...], machine: Machine) -> Kind:
    if machine.gpus and size <= EXACT_ON_GPU:
        return "exact"
    for step in table[:-1]:
        fits = size * step.share_in_memory <= machine.memory_bytes * SHARE_OF_MEMORY
        if step.most_bytes is not None and size <= step.most_bytes and fits:
            return step.kind
    return table[-1].kind


def _why(kind: Kind) -> str:
    return next(step.why for step in TABLE if step.kind == kind)
