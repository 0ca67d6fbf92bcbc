"""Running out of memory: known in all its forms, and told with the option that helps."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from training.errors import MemoryShortage
from training.plan import Plan


@contextmanager
def memory_watched(plan: Plan) -> Iterator[None]:
    """Work on a batch of the plan's size.

    Raises:
        MemoryShortage: a GPU or the computer had no more memory for it.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError):
        raise _shortage(plan) from None
    except RuntimeError as error:
        # What torch raises on a CPU has no class of its own.
        if "DefaultCPUAllocator" not in str(error):
            raise
        raise _shortage(plan) from None


def _shortage(plan: Plan) -> MemoryShortage:
    network, smaller = plan.network, max(2, plan.batch_size // 2)
    where = "the GPU" if network.device == "cuda" else "this computer"
    return MemoryShortage(
        f"{where} has not enough memory for batches of {plan.batch_size} views of "
        f"{network.image_size} px through {network.backbone}",
        hint=f"start another run with --batch-size {smaller}, or with a smaller --image-size",
    )
