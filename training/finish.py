"""The end of a run: choose what to export, write it, and say whether training helped."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from training.checkpoint import load_encoder, save_encoder
from training.config import TrainConfig
from training.errors import Interrupted
from training.figures import Sight, changes, quality_of
from training.models import restore_backbone, to_device
from training.monitor import Judge, Monitor, known_classes, split_held_out
from training.pair import members, paired
from training.plan import Plan
from training.prepare import Prepared, resume_hint
from training.report import write_curves
from training.runs import REPORT_FILE, SPEC_FILE, RunFolder
from training.spec import EncoderSpec, Preprocessing
from training.verdict import (
    INTERPOLATED,
    PAIR,
    START,
    TRAINED,
    Candidate,
    choose_export,
    interpolated,
    sentence,
)

METHOD_NAMES = {"simclr": "SimCLR", "byol": "BYOL", "supcon": "SupCon"}


@dataclass(frozen=True)
class Ending:
    """What the loop leaves."""

    start: Sight
    trained: Sight
    steps: int
    seconds: float


@dataclass(frozen=True)
class RunReport:
    """What a run did. Figures are keyed by the names of `verdict.EXPORTS`."""

    run: str
    photos: int
    held_out: int
    skipped: int
    method: str
    backbone: str
    steps: int
    epochs: float
    seconds: float
    exported: str  # which weights encoder.safetensors holds
    why: str
    verdict: str
    quality: dict[str, dict[str, float]]  # on held-out photos
    search: dict[str, dict[str, float]]  # by known classes; empty without
    # What differs from the start on held-out photos: `value`, `low` and `high` of every figure.
    changes: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def finish(
    ready: Prepared, monitor: Monitor, ending: Ending, stop: Callable[[], bool]
) -> RunReport:
    """Judge all weights that could be exported, export some of them, write the report.

    Raises:
        Interrupted: `stop` said so; resuming judges again, it need not train again.
    """
    run, plan = ready.run, ready.plan
    asked = _asked(ready.config)
    candidates = _candidates(ready, ending, asked)
    specs = {c.name: _spec_of(c, ready) for c in candidates}
    judges = {p: _judge(ready, p) for p in {spec.preprocessing for spec in specs.values()}}
    judged: list[Candidate] = []
    for candidate in candidates:
        if stop():
            raise Interrupted("stopped after training", hint=resume_hint(ready.config))
        judge = judges[specs[candidate.name].preprocessing]
        judged.append(_judged(candidate, ready, monitor, judge))
    epochs = ending.steps * plan.batch_size / max(1, len(ready.photos) - len(monitor))
    choice = choose_export(judged, plan, epochs, asked=asked)
    chosen = choice.chosen
    origin = _origin(plan, ready.spec.origin, epochs)
    between = f"{origin}, {plan.interpolate:g} of the way from the start"
    kept = {
        TRAINED: (run.trained, f"{origin}, as trained"),
        INTERPOLATED: (run.interpolated, between),
    }
    for candidate in judged:
        if candidate.name in kept:
            file, said = kept[candidate.name]
            save_encoder(file, replace(specs[candidate.name], origin=said), candidate.tensors)
    origins = {
        START: ready.spec.origin,
        TRAINED: origin,
        INTERPOLATED: between,
        PAIR: f"{between}, beside it",
    }
    spec = replace(specs[chosen.name], origin=origins[chosen.name])
    report = RunReport(
        run=str(run.path),
        photos=len(ready.photos),
        held_out=len(monitor),
        skipped=len(ready.photos.skipped),
        method=plan.method,
        backbone=plan.network.backbone,
        steps=ending.steps,
        epochs=round(epochs, 2),
        seconds=round(ending.seconds, 1),
        exported=chosen.name,
        why=choice.why,
        verdict=sentence(choice, judged[0], taught=ready.labels is not None),
        quality={c.name: c.quality.to_json() for c in judged if c.quality},
        search={c.name: c.search.to_json() for c in judged if c.search},
        changes={c.name: _changes(c, judged[0]) for c in judged[1:]},
    )
    _write(run, spec, chosen.tensors, report)
    return report


def _judge(ready: Prepared, preprocessing: Preprocessing) -> Judge:
    """By the photos' classes; where these were learned, by the photos that were not."""
    taught = ready.labels is not None
    asked = split_held_out(len(ready.photos), ready.plan.seed)[1] if taught else None
    classes = known_classes(ready.photos, ready.labels)
    return Judge(ready.config.photos, ready.photos, preprocessing, classes, asked)


def _asked(config: TrainConfig) -> str | None:
    """The weights that --export names; a weight to interpolate with asks for those."""
    if config.export != "auto":
        return config.export
    return None if config.interpolate is None else INTERPOLATED


def _candidates(ready: Prepared, ending: Ending, asked: str | None) -> list[Candidate]:
    """All weights that could be exported."""
    plan, start, trained = ready.plan, load_encoder(ready.run.start).tensors, _tensors(ready)
    found = [
        Candidate(START, start, sight=ending.start),
        Candidate(TRAINED, trained, sight=ending.trained),
    ]
    between = interpolated(start, trained, plan.interpolate)
    if plan.start == "imagenet" or 0 < plan.interpolate < 1 or asked == INTERPOLATED:
        found.append(Candidate(INTERPOLATED, between))
    if plan.start == "imagenet" or asked == PAIR:
        found.append(Candidate(PAIR, paired(start, between)))
    return found


def _spec_of(candidate: Candidate, ready: Prepared) -> EncoderSpec:
    """The contract of weights: what was trained is embedded at another size than the start."""
    if candidate.name == START:
        return ready.spec
    return replace(
        ready.spec,
        preprocessing=Preprocessing(ready.plan.embed_size),
        embedding_dim=ready.spec.embedding_dim * len(members(candidate.tensors)),
    )


def finish_untrained(ready: Prepared, why: str) -> RunReport:
    """Export the start as it is, for nothing was learned."""
    tensors = _tensors(ready)
    count = len(ready.photos)
    report = RunReport(
        run=str(ready.run.path),
        photos=count,
        held_out=0,
        skipped=len(ready.photos.skipped),
        method="none",
        backbone=ready.plan.network.backbone,
        steps=0,
        epochs=0.0,
        seconds=0.0,
        exported=START,
        why=why,
        verdict=f"Nothing was trained: {why}. The starting weights are the encoder; search works "
        "with them.",
        quality={},
        search={},
    )
    save_encoder(ready.run.trained, ready.spec, tensors)
    _write(ready.run, ready.spec, tensors, report)
    return report


def read_report(run: RunFolder) -> RunReport:
    """The report of a finished run.

    Raises:
        RunError: it is missing or damaged.
    """
    return RunReport(**run.read_json(REPORT_FILE))


def _judged(candidate: Candidate, ready: Prepared, monitor: Monitor, judge: Judge) -> Candidate:
    backbone = restore_backbone(ready.spec, candidate.tensors)
    device = torch.device(ready.plan.network.device)
    to_device(backbone, device)
    sight = candidate.sight or monitor.look(backbone)
    return replace(
        candidate,
        sight=sight,
        quality=quality_of(sight),
        queries=judge.judge(backbone, device),
    )


def _changes(candidate: Candidate, start: Candidate) -> dict[str, dict[str, float]]:
    assert candidate.sight is not None
    assert start.sight is not None
    found = changes(candidate.sight, start.sight)
    return {name: interval.to_json() for name, interval in found.items()}


def _tensors(ready: Prepared) -> dict[str, Tensor]:
    state = ready.backbone.network.state_dict()
    return {name: value.detach().cpu().clone() for name, value in state.items()}


def _origin(plan: Plan, start: str, epochs: float) -> str:
    method = METHOD_NAMES[plan.method]
    return f"{method}, {epochs:.0f} epochs at {plan.network.image_size} px from {start}"


def _write(
    run: RunFolder, spec: EncoderSpec, tensors: dict[str, Tensor], report: RunReport
) -> None:
    """The encoder and its spec; the report last, for it is what says that a run is finished."""
    save_encoder(run.encoder, spec, tensors)
    run.write_json(SPEC_FILE, _spec_json(spec))
    write_curves(run.path)
    run.write_json(REPORT_FILE, report.to_json())


def _spec_json(spec: EncoderSpec) -> dict[str, Any]:
    return asdict(spec)
