"""Self-supervised losses as pure functions, in float32 whatever the network computes in.

bfloat16 keeps 8 bits: at temperature 0.1 logits of 10 would be off by 0.03, so autocast is
switched off around them and inputs are cast first.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def nt_xent(first: Tensor, second: Tensor, *, temperature: float) -> Tensor:
    """Pick the other view of the same photo among all 2N - 1 (SimCLR, arXiv 2002.05709, eq. 1).

    Args:
        first: `(N, d)` projections of one view of each photo, any float type, any length.
        second: `(N, d)` projections of the other views, in the same order.
        temperature: above 0; small values look at the nearest negatives only.

    Returns:
        The mean over all 2N views, a float32 scalar, at least 0.
    """
    count = len(first)
    with torch.autocast(first.device.type, enabled=False):
        rows = F.normalize(torch.cat((first, second)).float(), dim=1)  # (2N, d)
        similarity = rows @ rows.T / temperature  # (2N, 2N)
        # A view is no candidate for itself. Filling keeps the shape; picking the others by a
        # mask would make a GPU's host wait.
        similarity.fill_diagonal_(-torch.inf)
        partners = torch.arange(2 * count, device=first.device).roll(count)  # (i + N) mod 2N
        return F.cross_entropy(similarity, partners)


def byol_regression(prediction: Tensor, target: Tensor) -> Tensor:
    """Squared distance of unit rows, 2 - 2 cos (BYOL, arXiv 2006.07733, eq. 2).

    Args:
        prediction: `(N, d)` of the online network's predictor, any float type, any length.
        target: `(N, d)` projections of the target network; no gradient reaches them.

    Returns:
        The mean over the rows, a float32 scalar in [0, 4].
    """
    with torch.autocast(prediction.device.type, enabled=False):
        predicted = F.normalize(prediction.float(), dim=1)
        wanted = F.normalize(target.detach().float(), dim=1)
        return (predicted - wanted).square().sum(dim=1).mean()
