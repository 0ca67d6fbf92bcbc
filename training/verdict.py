"""Which weights to export, and one plain sentence on whether training helped."""

from dataclasses import dataclass

from torch import Tensor

from training.bootstrap import Interval, paired_interval
from training.config import EXPORTS
from training.evaluate import QueryFigures, SearchQuality
from training.figures import Quality, Sight
from training.plan import EPOCHS_WORTH_EXPORTING, Plan

# A pair is the start beside the interpolated network: see training/pair.py.
START, TRAINED, INTERPOLATED, PAIR = EXPORTS

# Every second query, for photos lie by path, and so by folder.
_CHOOSING, _JUDGING = slice(0, None, 2), slice(1, None, 2)


@dataclass(frozen=True)
class Candidate:
    """Weights that could be exported, and what is known of them."""

    name: str  # one of EXPORTS
    tensors: dict[str, Tensor]
    quality: Quality | None = None  # on held-out photos
    sight: Sight | None = None  # what the quality was taken from
    queries: QueryFigures | None = None  # by known classes, where there are any, photo by photo

    @property
    def search(self) -> SearchQuality | None:
        """The search quality by known classes, where there are any."""
        return None if self.queries is None else self.queries.means()


@dataclass(frozen=True)
class Choice:
    """The weights to export."""

    chosen: Candidate
    why: str
    by_classes: bool = False  # one half of the queries chose them: the other half judges


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
    candidates: list[Candidate], plan: Plan, epochs: float, *, asked: str | None
) -> Choice:
    """The weights to export, and why; `asked` names those that the user wants.

    Known classes decide where there are any: one half of the queries, for the best of several is
    partly so by luck, and the other half judges it. Without classes nothing that was measured can:
    the loss and the rank of the embeddings improved in runs that lost class structure. Then the
    choice is the one that measured best elsewhere.
    """
    named = {candidate.name: candidate for candidate in candidates}
    if asked in named:
        return Choice(named[asked], "they were asked for")
    if all(candidate.queries is not None for candidate in candidates):
        why = "the photos' classes, by label or folder, judged them best"
        return Choice(max(candidates, key=_score), why, by_classes=True)
    if PAIR not in named:
        return Choice(named[TRAINED], f"the run started from {plan.start} weights")
    if epochs < EPOCHS_WORTH_EXPORTING:
        why = f"{epochs:.0f} epochs from ImageNet weights make search worse before it gets better"
        why += f"; {EPOCHS_WORTH_EXPORTING} or more are worth exporting"
        return Choice(named[START], why)
    why = (
        f"start and {plan.interpolate:g} of the way side by side put more right photos among the "
        "first ten than the start, wherever that was measured"
    )
    return Choice(named[PAIR], why)


def sentence(choice: Choice, start: Candidate, *, taught: bool) -> str:
    """Did training help against the start, by how much, and how sure is that?

    `taught` says that classes were learned from; the queries then are photos that were not.
    """
    chosen = choice.chosen
    if chosen.queries is not None and start.queries is not None:
        judging = _JUDGING if choice.by_classes else slice(None)
        after, before = (found.of(judging) for found in (chosen.queries, start.queries))
        traits = ["were not learned from"] * taught
        traits += ["had no say in the choice"] * choice.by_classes
        who = f"{len(after.knn):,} photos" + (f" that {' and '.join(traits)}" if traits else "")
        return _judged_by_classes(chosen.name, after, before, who)
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
        "are all kept: `ssl-train compare` lets you judge them on your photos."
    )


def _judged_by_classes(name: str, after: QueryFigures, before: QueryFigures, who: str) -> str:
    knn = paired_interval(after.knn, before.knn)
    found = paired_interval(after.precision_at_10, before.precision_at_10)
    both = paired_interval(after.knn + after.precision_at_10, before.knn + before.precision_at_10)
    shown, shown_before = after.means(), before.means()
    return (
        f"{_verdict(both, name)} By the classes of {who}, k-NN accuracy is "
        f"{100 * shown.knn:.1f} % (start {100 * shown_before.knn:.1f} %{_reach(knn, name)}) and "
        f"{100 * shown.precision_at_10:.1f} % of the ten nearest photos are of the same class "
        f"(start {100 * shown_before.precision_at_10:.1f} %{_reach(found, name)})."
    )


def _reach(change: Interval, name: str) -> str:
    if name == START:
        return ""
    return f", 95 % interval of the change {100 * change.low:+.1f} to {100 * change.high:+.1f}"


def _verdict(change: Interval, name: str) -> str:
    if name == START:
        return "Training did not help: the starting weights are exported."
    if change.low > 0:
        return "Training helped."
    if change.high < 0:
        return "Training made search worse."
    return "Training made no clear difference."


def _score(candidate: Candidate) -> float:
    assert candidate.queries is not None
    search = candidate.queries.of(_CHOOSING).means()
    return search.knn + search.precision_at_10 + search.mean_average_precision
