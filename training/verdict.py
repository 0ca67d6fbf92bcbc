"""Which weights to export, and one plain sentence on whether training helped."""

from dataclasses import dataclass

from torch import Tensor

from training.evaluate import SearchQuality
from training.monitor import Quality
from training.plan import EPOCHS_WORTH_EXPORTING, Plan

START, TRAINED, INTERPOLATED = "start", "trained", "interpolated"


@dataclass(frozen=True)
class Candidate:
    """Weights that could be exported, and what is known of them."""

    name: str  # start, trained or interpolated
    tensors: dict[str, Tensor]
    quality: Quality | None = None  # on held-out photos
    search: SearchQuality | None = None  # by class folders, where there are any


def interpolated(
    start: dict[str, Tensor], trained: dict[str, Tensor], weight: float
) -> dict[str, Tensor]:
    """Weights between two networks of one architecture: 0 is the start, 1 is the trained one.

    Robust fine-tuning by weight-space interpolation (Wortsman et al., arXiv 2109.01903, eq. 1),
    batch-norm statistics included; integer counters are the trained network's.
    """
    mixed = {}
    for name, end in trained.items():
        if end.is_floating_point():
            mixed[name] = start[name].to(end.dtype).lerp(end, weight)
        else:
            mixed[name] = end.clone()
    return mixed


def choose_export(
    candidates: list[Candidate], plan: Plan, epochs: float, *, asked: bool
) -> tuple[Candidate, str]:
    """The weights to export, and why; `asked` says that --interpolate was given.

    Class folders decide where there are any. Without them nothing that was measured can: the
    loss and the rank of the embeddings improved in runs that lost class structure. Then the
    choice is the one that measured best elsewhere.
    """
    named = {candidate.name: candidate for candidate in candidates}
    if asked and INTERPOLATED in named:
        return named[INTERPOLATED], f"--interpolate {plan.interpolate:g}"
    if all(candidate.search is not None for candidate in candidates):
        return max(candidates, key=_score), "the classes of the folders judged it best"
    if INTERPOLATED not in named:
        return named[TRAINED], f"the run started from {plan.start} weights, without interpolation"
    if epochs < EPOCHS_WORTH_EXPORTING:
        why = f"{epochs:.0f} epochs from ImageNet weights make search worse before it gets better"
        return named[START], why + f"; {EPOCHS_WORTH_EXPORTING} or more are worth exporting"
    why = f"weights at {plan.interpolate:g} of the way measured better than either end"
    return named[INTERPOLATED], why


def sentence(chosen: Candidate, start: Candidate) -> str:
    """Did training help against the start, and by how much?"""
    if chosen.search is not None and start.search is not None:
        knn, before = 100 * chosen.search.knn, 100 * start.search.knn
        found, found_before = (
            100 * chosen.search.precision_at_10,
            100 * start.search.precision_at_10,
        )
        return (
            f"{_verdict(found - found_before + knn - before, chosen.name)} By the classes of the "
            f"folders, k-NN accuracy is {knn:.1f} % (start {before:.1f} %) and {found:.1f} % of "
            f"the ten nearest photos are of the same class (start {found_before:.1f} %)."
        )
    views = ""
    if chosen.quality is not None and start.quality is not None:
        views = (
            f" On held-out photos, the other view of a photo is found first in "
            f"{100 * chosen.quality.retrieval:.0f} % of cases (start "
            f"{100 * start.quality.retrieval:.0f} %)."
        )
    return (
        "Whether training helped search cannot be told without labels: figures that need none "
        f"also improve in runs that lose what matters.{views} Start, trained and exported weights "
        "are all kept: compare them on your photos."
    )


def _verdict(gain: float, name: str) -> str:
    if name == START:
        return "Training did not help: the starting weights are exported."
    if gain > 1.0:
        return "Training helped."
    return "Training made no clear difference."


def _score(candidate: Candidate) -> float:
    search = candidate.search
    assert search is not None
    return search.knn + search.precision_at_10 + search.mean_average_precision
