"""The losses as pure functions, in float32 whatever the network computes in.

bfloat16 keeps 8 bits: at temperature 0.1 logits of 10 would be off by 0.03, so autocast is
switched off around them and inputs are cast first.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

# Numbers from here on are given to photos without one; nobody else has them.
_NOBODYS = torch.iinfo(torch.int64).min


def sup_con(
    rows: Tensor,
    labels: Tensor,
    *,
    temperature: float,
    anchors: Tensor | None = None,
    alike: Tensor | None = None,
) -> Tensor:
    """Pull rows of one label together, push all others away (SupCon, arXiv 2004.11362, eq. 2).

    The form called L_out: an anchor's loss is the mean over its positives *outside* the logarithm,
    log sum_(a != i) exp(s_ia) - mean_(p of i's label, p != i) s_ip, with s = cosine / temperature.
    Anchors without positives have nothing to learn and do not count in the mean.

    Args:
        rows: `(M, d)` projections, any float type, any length.
        labels: `(M,)` int64; equal is positive, whatever the number: see `own_identities`.
        temperature: above 0; small values look at the nearest negatives only.
        anchors: `(m,)` int64, which rows are asked, by default all. Where M / m processes have an
            equal share each, the mean of their losses is the loss of all rows together.
        alike: `(M,)` int64; rows of one number that are no positives are left out of the sum, so
            that they neither attract nor repel. By default none are.

    Returns:
        A float32 scalar, at least 0; 0 where no row has a positive.
    """
    with torch.autocast(rows.device.type, enabled=False):
        unit = F.normalize(rows.float(), dim=1)  # (M, d)
        places = torch.arange(len(rows), device=rows.device)
        asked = places if anchors is None else anchors  # (m,)
        similarity = unit[asked] @ unit.T / temperature  # (m, M)
        itself = asked[:, None] == places  # (m, M)
        positive = (labels[asked, None] == labels) & ~itself  # (m, M)
        # Filling keeps the shape; picking rows by a mask would make a GPU's host wait.
        left_out = itself
        if alike is not None:
            left_out = itself | ((alike[asked, None] == alike) & ~positive)  # (m, M)
        total = similarity.masked_fill(left_out, -torch.inf).logsumexp(dim=1)  # (m,)
        count = positive.sum(dim=1)  # (m,)
        pull = (similarity * positive).sum(dim=1) / count.clamp(min=1)  # (m,)
        losses = torch.where(count > 0, total - pull, 0.0)
        if anchors is not None:  # those that count among all rows, not only among these
            count = (labels[:, None] == labels).sum(dim=1) - 1  # (M,)
        counting = (count > 0).sum().clamp(min=1)
        return losses.sum() * (len(rows) / len(asked)) / counting


def nt_xent(
    first: Tensor,
    second: Tensor,
    *,
    temperature: float,
    anchors: Tensor | None = None,
    alike: Tensor | None = None,
) -> Tensor:
    """Pick the other view of the same photo among all 2N - 1 (SimCLR, arXiv 2002.05709, eq. 1).

    It is SupCon where every photo is a class of its own, and computed as such.

    Args:
        first: `(N, d)` projections of one view of each photo, any float type, any length.
        second: `(N, d)` projections of the other views, in the same order.
        temperature: above 0; small values look at the nearest negatives only.
        anchors: which of the 2N views are asked, as `sup_con` has it; by default all.
        alike: `(N,)` int64; photos of one number are no negatives of each other.

    Returns:
        The mean over all 2N views, a float32 scalar, at least 0.
    """
    photos = torch.arange(len(first), device=first.device).repeat(2)  # (2N,)
    rows = torch.cat((first, second))
    both = None if alike is None else alike.repeat(2)  # (2N,)
    return sup_con(rows, photos, temperature=temperature, anchors=anchors, alike=both)


def own_identities(labels: Tensor) -> Tensor:
    """Labels in which every unlabelled photo is a class of its own, `(n,)` int64.

    Args:
        labels: `(n,)` int64. -1 is nobody's: left as it is, all such photos would count as one
            class and attract each other. Any other number says who or what a photo shows.
    """
    places = torch.arange(len(labels), device=labels.device)
    return torch.where(labels == -1, _NOBODYS + places, labels)


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
