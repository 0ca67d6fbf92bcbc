"""Everything before the first step: the run folder, the plan, the start, the decoded photos."""

import copy
import hashlib
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import platformdirs
import torch

from training.batch_sizes import fit_to_photos, shared
from training.cache import PhotoSet, open_photos
from training.checkpoint import load_encoder, save_encoder
from training.collection import same_collection
from training.config import TrainConfig
from training.distributed import alone, check_gpus, world
from training.errors import CollectionError, Interrupted, LookalikeError
from training.files import atomic_write
from training.labels import (
    PhotoLabels,
    check_teachable,
    folder_classes,
    read_kept_labels,
    read_labels,
)
from training.models import Backbone, build_backbone, forward_gflops, restore_backbone
from training.monitor import split_held_out
from training.plan import TRAINING_MIN, Plan, StepCost, plan_from_json
from training.planning import choose, choose_network, fit_to_machine, suit_start, survey
from training.progress import Progress
from training.randomness import LAYERS, seed_for
from training.resuming import check_machine
from training.runs import (
    LABELS_FILE,
    PROBLEMS_FILE,
    RunFolder,
    create_run,
    discard_run,
    open_run,
    resume_command,
)
from training.spec import EncoderSpec, Preprocessing
from training.trainer import step_cost
from training.weights import find_start


@dataclass(frozen=True)
class Surroundings:
    """What a run is given by its caller: where to show progress, when to stop, where to cache."""

    progress: Progress
    stop: Callable[[], bool]
    cache_root: Path
    seconds_between_checkpoints: float = 120.0


@dataclass(frozen=True)
class Prepared:
    """A run that is ready to train."""

    run: RunFolder
    config: TrainConfig
    plan: Plan
    spec: EncoderSpec  # of the start; its origin says which weights they are
    backbone: Backbone  # at its starting weights
    photos: PhotoSet
    labels: PhotoLabels | None  # of the photos; None where the method learns without


def prepare(
    config: TrainConfig, around: Surroundings, *, resume: bool, claims: ExitStack
) -> Prepared:
    """Begin a run or pick up one that was begun.

    Args:
        config: what was asked; when resuming, only its `photos` and `out` count.
        around: where to show progress, when to stop, where to cache.
        resume: go on with the run in `config.out`.
        claims: holds the run's folder for the leading process until it is closed.

    Raises:
        LookalikeError: anything the user can mend; a new run's folder is then removed again,
            unless it was interrupted.
    """
    if resume:
        run, begun = open_run(config.out)
        config = replace(begun, photos=config.photos, out=config.out)  # both may have moved
    else:
        run = create_run(config)
    if world().leads:
        claims.enter_context(run.claimed())
    planned_before = run.plan.is_file()
    try:
        plan, spec, backbone = _planned(run, config, around)
        if not run.finished:
            check_gpus(plan.network.device)
        photos = _decoded(run, config, plan, around)
        labels = _labelled(run, config, photos, around) if plan.method == "supcon" else None
        plan = _with_fitting_batch(run, config, plan, len(photos))
        if planned_before and not run.finished:
            _announce(plan, len(photos), around)
    except Interrupted as stopped:
        raise Interrupted(stopped.message, hint=resume_hint(config)) from None
    except (LookalikeError, OSError):
        if not resume:
            discard_run(run)
        raise
    return Prepared(run, config, plan, spec, backbone, photos, labels)


def resume_hint(config: TrainConfig) -> str:
    """How to go on with a run that was stopped."""
    return f"`{resume_command(config)}` goes on from there"


def cache_root() -> Path:
    """Where decoded photos are kept unless told otherwise."""
    return Path(platformdirs.user_cache_dir("lookalike", appauthor=False))


def cache_folder(root: Path, photos: Path, size: int) -> Path:
    """Where the decoded photos of a folder are kept, one cache a size."""
    name = hashlib.sha256(str(photos.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:12]
    return root / f"{photos.resolve().name or 'photos'}-{name}-{size}px"


def _planned(
    run: RunFolder, config: TrainConfig, around: Surroundings
) -> tuple[Plan, EncoderSpec, Backbone]:
    """The plan and the start; both from the run folder when it has them."""
    if run.plan.is_file():
        start = load_encoder(run.start)
        plan = plan_from_json(run.plan.read_text(encoding="utf-8"))
        if not run.finished:
            has_cuda = torch.cuda.is_available()
            check_machine(plan, has_cuda=has_cuda, processes=world().size)
        return plan, start.spec, restore_backbone(start.spec, start.tensors)
    found = survey(config.photos)
    if found.files == 0:
        raise CollectionError(
            f"{config.photos} holds no files", hint="give the folder that holds your photos"
        )
    network = choose_network(config, found, has_cuda=torch.cuda.is_available())
    start_weights = find_start(
        network.backbone, config.init, offline=config.offline, progress=around.progress
    )
    network = suit_start(network, config, start_weights.kind, small_stem=start_weights.small_stem)
    backbone = _fresh(network.backbone, small_stem=network.small_stem, seed=config.seed)
    start_weights.fill(backbone)
    network = replace(network, gflops=forward_gflops(backbone, network.image_size))
    plan = choose(config, found, network, start_weights.kind)
    if found.files >= TRAINING_MIN:
        around.progress.say(f"Timing a few steps on this {network.device.upper()} ...")
        plan = fit_to_machine(plan, config, found, lambda tried: _timed(tried, backbone))
    plan = shared(plan, config, world().size)
    spec = EncoderSpec(
        backbone=plan.network.backbone,
        embedding_dim=backbone.embedding_dim,
        preprocessing=Preprocessing(plan.start_size),
        small_stem=plan.network.small_stem,
        origin=start_weights.source,
    )
    save_encoder(run.start, spec, backbone.network.state_dict())
    atomic_write(run.plan, plan.to_json().encode())
    _announce(plan, found.files, around)
    return plan, spec, backbone


def _announce(plan: Plan, photos: int, around: Surroundings) -> None:
    """Say what will be done before it takes its time: decoding does, too."""
    if photos < TRAINING_MIN:
        return
    for line in plan.lines(len(split_held_out(photos, plan.seed)[0])):
        around.progress.say(line)


def _timed(plan: Plan, backbone: Backbone) -> StepCost:
    """What a step with this process's share of a batch takes."""
    share = max(2, plan.batch_size // world().size)
    with alone():
        cost = step_cost(replace(plan, batch_size=share), copy.deepcopy(backbone))
    torch.cuda.empty_cache()  # a run begins with as much of the GPU as one that goes on
    return cost


def _fresh(name: str, *, small_stem: bool, seed: int) -> Backbone:
    torch.manual_seed(seed_for(seed, LAYERS))
    return build_backbone(name, small_stem=small_stem)


def _decoded(run: RunFolder, config: TrainConfig, plan: Plan, around: Surroundings) -> PhotoSet:
    size = plan.cache_size
    photos = open_photos(
        config.photos,
        config.cache or cache_folder(around.cache_root, config.photos, size),
        size,
        progress=around.progress,
        stop=around.stop,
    )
    if world().leads:
        run.write_skipped(photos.skipped)
    if len(photos) == 0:
        first = photos.skipped[0]
        raise CollectionError(
            f"none of the {len(photos.skipped):,} files in {config.photos} is a photo that can "
            f"be read; the first: {first.path.decode(errors='replace')}: {first.reason}",
            hint="give the folder that holds your photos",
        )
    same_collection(run, config.photos, photos)
    return photos


def _labelled(
    run: RunFolder, config: TrainConfig, photos: PhotoSet, around: Surroundings
) -> PhotoLabels:
    """The labels to learn from; a resumed run's are those it began with."""
    kept = run.path / LABELS_FILE
    if kept.is_file():
        return read_kept_labels(kept, photos.paths)
    given = config.labels
    labels = read_labels(given, photos.paths) if given else folder_classes(photos.paths)
    if len(photos) >= TRAINING_MIN:
        learned, _ = split_held_out(len(photos), config.seed)
        check_teachable(replace(labels, codes=labels.codes[learned]))
    around.progress.say(
        f"{labels.count:,} of {len(photos):,} photos have one of {len(labels.names)} labels"
    )
    if labels.problems:
        around.progress.say(
            f"{len(labels.problems):,} lines of {given} cannot be used, see {PROBLEMS_FILE} in "
            f"the run; the first: {labels.problems[0]}"
        )
        text = "".join(f"{problem}\n" for problem in labels.problems)
        atomic_write(run.path / PROBLEMS_FILE, text.encode("utf-8", "surrogateescape"))
    run.write_labels(photos.paths, labels)
    return labels


def _with_fitting_batch(run: RunFolder, config: TrainConfig, plan: Plan, photos: int) -> Plan:
    if photos < TRAINING_MIN:
        return plan
    learned, _ = split_held_out(photos, plan.seed)
    fitting = fit_to_photos(plan, config, len(learned), world().size)
    if fitting != plan:
        atomic_write(run.plan, fitting.to_json().encode())
    return fitting
