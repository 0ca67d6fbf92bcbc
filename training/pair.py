"""Two networks side by side as one encoder: what the start knows, and what training taught it.

Both see a photo at the same size, and their unit representations are joined. Blocks from the input
that are the same in both, because training left them frozen, are computed once.
"""

from itertools import takewhile

import torch
from torch import Tensor, nn

# Before the names of the second network's tensors; those that are the first one's are left out.
SECOND = "second."


def paired(first: dict[str, Tensor], second: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of two networks of one architecture as those of a pair."""
    changed = {n: tensor for n, tensor in second.items() if not torch.equal(tensor, first[n])}
    return {**first, **{SECOND + name: tensor for name, tensor in changed.items()}}


def members(tensors: dict[str, Tensor]) -> tuple[dict[str, Tensor], ...]:
    """The networks that some tensors are of: the two of a pair, or the one that they are."""
    first = {n: tensor for n, tensor in tensors.items() if not n.startswith(SECOND)}
    changed = {
        n.removeprefix(SECOND): tensor for n, tensor in tensors.items() if n.startswith(SECOND)
    }
    return (first, {**first, **changed}) if changed else (first,)


class Pair(nn.Module):
    """Two networks `(n, 3, s, s)` to `(n, d)` as one to `(n, 2 d)`: both unit rows, joined."""

    def __init__(self, first: list[nn.Module], second: list[nn.Module]) -> None:
        """Put the blocks of both networks together, from input to output."""
        super().__init__()
        same = len(list(takewhile(lambda both: _equal(*both), zip(first, second, strict=True))))
        self.shared = nn.Sequential(*first[:same])
        self.first = nn.Sequential(*first[same:])
        self.second = nn.Sequential(*second[same:])

    def forward(self, images: Tensor) -> Tensor:
        """Joined representations `(n, 2 d)` of normalised float images."""
        seen = self.shared(images)
        rows = [nn.functional.normalize(part(seen), dim=1) for part in (self.first, self.second)]
        return torch.cat(rows, dim=1)


def _equal(one: nn.Module, other: nn.Module) -> bool:
    own, others = one.state_dict(), other.state_dict()
    return all(torch.equal(tensor, others[name]) for name, tensor in own.items())
