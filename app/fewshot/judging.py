"""How good is a classifier from few labels? Cross-validation that near-copies cannot flatter.

It judges the head that `fit_head` would make, compares it with others, and chooses where there
are labels enough. What people suggested or searched for is a biased sample: accuracy is told
apart by how photos came to be labelled, and only randomly drawn ones speak for the gallery.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from app.fewshot.calibration import balanced, best_temperature, losses
from app.fewshot.estimator import (
    CHOSEN_FROM,
    LOGISTIC,
    LOGISTIC_FROM,
    MEAN,
    Head,
    fit_head,
    smallest_class,
)
from app.fewshot.folds import Fold, Labelled, divided, held_out_logits
from app.fewshot.heads import LOGISTIC_C, LinearHead, Logistic, NearestMean, softmax
from app.fewshot.intervals import f1_scores, macro_f1
from app.fewshot.learning import learning_curve
from app.fewshot.quality import AUDIT, Candidate, Quality, by_source, per_class, suspicious
from app.fewshot.reliability import reliability

# Tried from 20 labels a class on, beside the default.
STRENGTHS = (0.1, 0.3, 3.0, 10.0)

NEIGHBOURS = 5
NEIGHBOUR_TEMPERATURE = 0.07  # how fast a neighbour's vote fades with its cosine, as in training


def judge(
    rows: np.ndarray,
    names: Sequence[str],
    *,
    groups: np.ndarray,
    sources: Sequence[str],
    seed: int = 0,
    stop: Callable[[], bool] = lambda: False,
) -> Quality:
    """Judge the classifier that these labels make, and choose it where there are labels enough.

    Args:
        rows: `(n, d)` float32 unit rows, the labelled photos.
        names: `(n,)` the class of each.
        groups: `(n,)` int64, the same number for near-copies of one photo (`near_groups`).
        sources: `(n,)` how each came to be labelled; `random` are the honest draws.
        seed: of the folds and of the bootstrap.
        stop: asked between fits; judging belongs in the background.

    Raises:
        LabelError: fewer than two classes have two photos that are no near-copies.
        Interrupted: `stop` said so.
    """
    assert len(rows) == len(names) == len(groups) == len(sources)
    labelled = Labelled.of(rows, names, groups)
    divisions = divided(labelled, seed=seed)
    fewest = smallest_class(list(names))[0]
    tried = [_Trial.of(labelled, divisions, kind, c, stop=stop) for kind, c in _candidates(fewest)]
    best = _chosen(tried, labelled)
    candidates = (*(trial.candidate for trial in tried), _neighbours(labelled, divisions))
    learning = None
    if fewest >= LOGISTIC_FROM:
        make = _maker(best.candidate.c)
        learning = learning_curve(
            labelled, divisions, make, whole=best.logits, seed=seed, stop=stop
        )
    found = _quality(labelled, sources, best, candidates, seed=seed)
    return replace(found, learning=learning)


def fit_as_judged(rows: np.ndarray, names: Sequence[str], quality: Quality | None) -> Head:
    """Refit with what the judge chose, as long as it fits the labels there are now.

    With other classes, or with one that is thin or was when judged, the kind goes by `auto` until
    the judge was asked again.
    """
    if quality is None or tuple(sorted(set(names))) != quality.classes:
        return fit_head(rows, names)
    fewest = smallest_class(names)[0]
    if min(fewest, quality.fewest) < LOGISTIC_FROM:
        return fit_head(rows, names)
    temperature = quality.temperature if fewest >= CHOSEN_FROM else None
    head = fit_head(rows, names, kind=quality.kind, c=quality.c, temperature=temperature)
    return replace(head, reason=quality.reason)


@dataclass(frozen=True, slots=True, eq=False)
class _Trial:
    """A candidate with its answers about photos it had not seen."""

    candidate: Candidate
    logits: np.ndarray  # (r, n, c) float64, as `held_out_logits` gives them
    loss: np.ndarray  # (n,) at the best temperature, mean of the divisions; NaN: never held out
    temperature: float

    @classmethod
    def of(
        cls,
        labelled: Labelled,
        divisions: list[list[Fold]],
        kind: str,
        c: float | None,
        *,
        stop: Callable[[], bool],
    ) -> "_Trial":
        logits = held_out_logits(labelled, divisions, _maker(c), stop=stop)
        held = _held_out(logits)
        numbers = labelled.numbers[held]
        planes = len(logits)
        flat = logits[:, held].reshape(planes * len(held), -1)  # (r * h, c)
        warmth = best_temperature(flat, np.tile(numbers, planes))
        loss = np.full(len(labelled.rows), np.nan)
        lost = losses(flat, np.tile(numbers, planes), temperature=warmth)
        loss[held] = lost.reshape(planes, -1).mean(axis=0)
        said = _mean_share(logits[:, held], warmth).argmax(axis=1)
        return cls(
            Candidate(
                kind, c, _plain_f1(labelled, held, said), float(balanced(numbers) @ loss[held])
            ),
            logits,
            loss,
            warmth,
        )


def _maker(c: float | None) -> Callable[[], LinearHead]:
    """Makes the head of a candidate: without a strength it is nearest mean."""
    return NearestMean if c is None else partial(Logistic, C=c)


def _candidates(fewest: int) -> list[tuple[str, float | None]]:
    """The heads to try, the default first."""
    if fewest < LOGISTIC_FROM:
        return [(MEAN, None)]
    strengths = STRENGTHS if fewest >= CHOSEN_FROM else ()
    return [(LOGISTIC, LOGISTIC_C), (MEAN, None), *((LOGISTIC, c) for c in strengths)]


def _chosen(tried: list[_Trial], labelled: Labelled) -> _Trial:
    """The one with the least loss, or the default where that is within a standard error of it."""
    default, best = tried[0], min(tried, key=lambda trial: trial.candidate.loss or 0.0)
    held = _held_out(default.logits)
    weights = balanced(labelled.numbers[held])
    gain = default.loss[held] - best.loss[held]  # (h,)
    mean = weights @ gain
    # Near-copies err together, so their errors are summed before they are squared.
    groups = np.unique(labelled.groups[held], return_inverse=True)[1]
    error = np.sqrt(np.sum(np.bincount(groups, weights * (gain - mean)) ** 2))
    return best if mean > error else default


def _neighbours(labelled: Labelled, divisions: list[list[Fold]]) -> Candidate:
    """A weighted vote of the nearest labelled photos, in the same folds."""
    shape = (len(labelled.rows), len(labelled.classes))
    votes, asked = np.zeros(shape), np.zeros(len(labelled.rows), bool)
    members = np.eye(len(labelled.classes))[labelled.numbers]  # (n, c)
    for learned, held in (fold for folds in divisions for fold in folds):
        cosines = labelled.rows[held] @ labelled.rows[learned].T  # (h, t)
        nearest = np.argsort(-cosines, axis=1, kind="stable")[:, :NEIGHBOURS]  # (h, k)
        weights = np.exp(np.take_along_axis(cosines, nearest, 1) / NEIGHBOUR_TEMPERATURE)
        votes[held] += np.einsum("hk,hkc->hc", weights, members[learned][nearest])
        asked[held] = True
    held = np.flatnonzero(asked)
    return Candidate("k-NN", None, _plain_f1(labelled, held, votes[held].argmax(axis=1)), None)


def _reason(best: Candidate, candidates: tuple[Candidate, ...]) -> str:
    """Why this head, in a sentence."""
    name = "nearest class mean" if best.kind == MEAN else f"logistic regression, C = {best.c:g}"
    if len(candidates) == 2:  # itself, and k-NN as a check
        return f"{name}: a class has fewer than {LOGISTIC_FROM} labels"
    if best == candidates[0]:
        return f"{name}: no other head was clearly better in cross-validation"
    return f"{name}: the best in cross-validation"


def _quality(
    labelled: Labelled,
    sources: Sequence[str],
    best: _Trial,
    candidates: tuple[Candidate, ...],
    *,
    seed: int,
) -> Quality:
    fewest = smallest_class([labelled.classes[n] for n in labelled.numbers])[0]
    enough = fewest >= CHOSEN_FROM
    usual = NearestMean() if best.candidate.kind == MEAN else Logistic()
    told_at = best.temperature if enough else usual.temperature
    probabilities = _mean_share(best.logits, told_at)
    held = _held_out(best.logits)
    truth, said = labelled.numbers[held], probabilities[held].argmax(axis=1)
    count = len(labelled.classes)
    confusion = np.bincount(truth * count + said, minlength=count * count).reshape(count, count)
    counts = np.bincount(labelled.numbers, minlength=count)
    sourced = by_source(np.asarray(sources)[held], truth == said)
    return Quality(
        kind=best.candidate.kind,
        c=best.candidate.c,
        reason=_reason(best.candidate, candidates),
        temperature=best.temperature if enough else None,
        told_at=told_at,
        classes=labelled.classes,
        macro_f1=macro_f1(
            truth, said, labelled.groups[held], classes=np.flatnonzero(labelled.judged), seed=seed
        ),
        per_class=per_class(labelled, confusion, counts),
        confusion=confusion,
        probabilities=probabilities,
        candidates=candidates,
        by_source=tuple(s for s in sourced if s.source != AUDIT),
        audit=next((s for s in sourced if s.source == AUDIT), None),
        suspicious=suspicious(labelled, probabilities, held),
        learning=None,
        reliability=reliability(probabilities[held].max(axis=1), truth == said) if enough else (),
        fewest=fewest,
        enough=enough,
    )


def _mean_share(logits: np.ndarray, temperature: float) -> np.ndarray:
    """The mean over the divisions of the shares: `(n, c)` float32 from `(r, n, c)`."""
    flat = logits.reshape(-1, logits.shape[-1])
    shares = softmax(flat, temperature=temperature).reshape(logits.shape)
    return np.asarray(shares.mean(axis=0), dtype=np.float32)


def _held_out(logits: np.ndarray) -> np.ndarray:
    return np.flatnonzero(~np.isnan(logits[0, :, 0]))


def _plain_f1(labelled: Labelled, held: np.ndarray, said: np.ndarray) -> float:
    """Macro-F1 over the judged classes, without an interval."""
    truth, count = labelled.numbers[held], len(labelled.classes)
    scores = f1_scores(
        np.bincount(truth[truth == said], minlength=count),
        np.bincount(truth, minlength=count),
        np.bincount(said, minlength=count),
    )
    return float(scores[labelled.judged].mean())
