from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from training.batches import PhotoBatches
from training.cache import PhotoSet
from training.checkpoint import load_checkpoint, save_checkpoint
from training.config import TrainConfig
from training.distributed import World
from training.errors import MemoryShortage, RunError
from training.memory import memory_watched
from training.models import build_backbone
from training.plan import Plan
from training.planning import Survey, choose, choose_network
from training.trainer import Clock, Pace, Trainer, check_finite, step_cost

PHOTOS = 20


def make_plan(**options: object) -> Plan:
    config = TrainConfig(
        Path("p"), backbone="mobilenet_v3_small", image_size=32, batch_size=8, epochs=2, **options
    )  # type: ignore[arg-type]
    found = Survey(PHOTOS, 40)
    plan = choose(config, found, choose_network(config, found, has_cuda=False), "random")
    return replace(plan, hidden_dim=32, projection_dim=16)


def make_trainer(plan: Plan) -> Trainer:
    torch.manual_seed(0)
    return Trainer(plan, build_backbone(plan.network.backbone, small_stem=True))


@pytest.fixture(scope="module")
def photos() -> PhotoSet:
    pixels = np.random.default_rng(0).integers(0, 256, (PHOTOS + 3, 40, 40, 3), np.uint8)
    return PhotoSet(
        pixels=pixels,
        rows=np.arange(PHOTOS)[::-1] + 3,
        aspects=np.linspace(0.5, 2, PHOTOS, dtype=np.float32),
        paths=tuple(f"{i}".encode() for i in range(PHOTOS)),
        skipped=(),
        decoded=0,
    )


def test_every_photo_is_seen_once_an_epoch_in_an_order_that_changes(photos: PhotoSet) -> None:
    batches = PhotoBatches(photos, np.arange(PHOTOS), replace(make_plan(), batch_size=5))

    epochs = [
        np.concatenate([batches.at(step).aspects.numpy() for step in range(4 * e, 4 * e + 4)])
        for e in range(2)
    ]

    for epoch in epochs:
        np.testing.assert_array_equal(np.sort(epoch), photos.aspects)
    assert not np.array_equal(epochs[0], epochs[1])


def test_a_batch_holds_the_pixels_of_its_photos(photos: PhotoSet) -> None:
    batch = PhotoBatches(photos, np.arange(PHOTOS), make_plan()).at(1)

    for picture, aspect in zip(batch.pixels.numpy(), batch.aspects.numpy(), strict=True):
        photo = int(np.argmin(np.abs(photos.aspects - aspect)))
        np.testing.assert_array_equal(picture, photos.pixels[photos.rows[photo]])


def test_processes_have_their_share_of_the_pixels_and_the_aspects_of_all(photos: PhotoSet) -> None:
    whole, *shares = (
        PhotoBatches(photos, np.arange(PHOTOS), make_plan(), world=here).at(1)
        for here in (World(), World(0, 2), World(1, 2))
    )

    assert torch.equal(torch.cat([share.pixels for share in shares]), whole.pixels)
    assert all(torch.equal(share.aspects, whole.aspects) for share in shares)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("here", [World(), World(1, 2)])
@pytest.mark.parametrize("step_gpu_bytes", [1, 1 << 60])  # photos kept on the GPU, and not
def test_a_gpu_gets_the_same_batches_without_waiting(
    photos: PhotoSet, here: World, step_gpu_bytes: int
) -> None:
    plan = replace(make_plan(), step_gpu_bytes=step_gpu_bytes)
    on_gpu = replace(plan, network=replace(plan.network, device="cuda"))
    expected = PhotoBatches(photos, np.arange(PHOTOS), plan, world=here).at(1)
    batches = PhotoBatches(photos, np.arange(PHOTOS), on_gpu, world=here)

    torch.cuda.set_sync_debug_mode("error")
    try:
        found = batches.at(1)
    finally:
        torch.cuda.set_sync_debug_mode("default")

    assert found.pixels.is_cuda
    for part in ("pixels", "labels", "aspects"):
        assert torch.equal(getattr(found, part).cpu(), getattr(expected, part))


def test_batches_do_not_depend_on_what_was_asked_before(photos: PhotoSet) -> None:
    fresh = PhotoBatches(photos, np.arange(PHOTOS), make_plan())
    used = PhotoBatches(photos, np.arange(PHOTOS), make_plan())
    for step in (9, 0, 4):
        used.at(step)

    assert torch.equal(fresh.at(2).pixels, used.at(2).pixels)


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("simclr", {"optimizer": "lars", "ema": 0.9}),
        ("byol", {}),
        ("supcon", {"optimizer": "sgd", "layer_decay": 0.7, "views": "any-orientation"}),
    ],
)
def test_a_restored_trainer_takes_the_very_steps_of_one_that_never_stopped(
    photos: PhotoSet, tmp_path: Path, method: str, options: dict[str, object]
) -> None:
    plan = make_plan(method=method, freeze=0.25, **options)
    batches = PhotoBatches(photos, np.arange(PHOTOS), plan)
    straight, first = make_trainer(plan), make_trainer(plan)
    for step in range(4):
        straight.train_step(batches.at(step), step / 4)
    for step in range(2):
        first.train_step(batches.at(step), step / 4)
    save_checkpoint(tmp_path / "c", first.checkpoint(seconds=1.0))

    resumed = make_trainer(plan)
    resumed.restore(load_checkpoint(tmp_path / "c"))
    for step in range(2, 4):
        resumed.train_step(batches.at(step), step / 4)

    ends = [trainer.checkpoint(0.0).tensors for trainer in (straight, resumed)]
    assert resumed.step == 4
    assert ends[0].keys() == ends[1].keys()
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


def test_two_trainers_with_one_seed_agree_and_with_another_do_not(photos: PhotoSet) -> None:
    losses = [
        float(make_trainer(plan).train_step(PhotoBatches(photos, np.arange(20), plan).at(0), 0.5))
        for plan in (make_plan(), make_plan(), make_plan(seed=1))
    ]

    assert losses[0] == losses[1] != losses[2]


def test_training_leaves_frozen_blocks_as_they_were(photos: PhotoSet) -> None:
    trainer = make_trainer(make_plan(freeze=0.5))
    frozen = {name: value.clone() for name, value in trainer.frozen.state_dict().items()}
    trained = trainer.method.backbone.state_dict()
    before = {name: value.clone() for name, value in trained.items()}

    trainer.train_step(PhotoBatches(photos, np.arange(PHOTOS), trainer.plan).at(0), 0.5)

    assert all(torch.equal(frozen[n], v) for n, v in trainer.frozen.state_dict().items())
    assert not all(torch.equal(before[n], v) for n, v in trained.items())


def test_progress_is_steps_or_time() -> None:
    assert Clock(10, None).progress(5) == 0.5
    assert Clock(10, None).progress(11) == 1.0
    assert Clock(10, 1000.0, elapsed=500.0).progress(0) == pytest.approx(0.5, abs=0.01)
    assert Clock(10, 1.0, elapsed=5.0).progress(0) == 1.0


def test_a_budget_is_spent_by_all_and_scheduled_over_the_training() -> None:
    at_first = Clock(10, 1000.0, elapsed=400.0, began=400.0)
    half_way = Clock(10, 1000.0, elapsed=700.0, began=400.0)

    assert at_first.progress(0) == pytest.approx(0, abs=0.01)
    assert half_way.progress(0) == pytest.approx(0.5, abs=0.01)
    assert Clock(10, 1000.0, elapsed=1000.0, began=400.0).progress(0) == 1.0
    assert Clock(10, 1000.0, elapsed=1200.0, began=1200.0).progress(0) == 1.0


def test_a_loss_that_is_lost_stops_the_run_with_a_hint() -> None:
    check_finite(1.0, 3, 0.1)

    with pytest.raises(RunError) as caught:
        check_finite(float("nan"), 3, 0.1)

    assert "--lr" in caught.value.hint


def test_a_batch_that_no_memory_holds_is_told_with_the_option_that_helps() -> None:
    plan = replace(make_plan(), batch_size=1 << 28)  # terabytes

    with pytest.raises(MemoryShortage) as caught:
        step_cost(plan, build_backbone(plan.network.backbone, small_stem=True))

    assert "not enough memory" in caught.value.message
    assert f"--batch-size {1 << 27}" in caught.value.hint


def test_a_batch_of_photos_that_no_memory_holds_is_told_likewise(photos: PhotoSet) -> None:
    side = 1 << 22  # a batch would take more bytes than there are addresses
    huge = np.broadcast_to(photos.pixels[:, :1, :1], (len(photos.pixels), side, side, 3))
    batches = PhotoBatches(replace(photos, pixels=huge), np.arange(PHOTOS), make_plan())

    with pytest.raises(MemoryShortage, match="not enough memory"):
        batches.at(0)


def test_other_errors_are_not_taken_for_a_lack_of_memory() -> None:
    with pytest.raises(RuntimeError, match="something else"), memory_watched(make_plan()):
        raise RuntimeError("something else")


def test_a_step_can_be_timed() -> None:
    plan = make_plan()

    cost = step_cost(plan, build_backbone(plan.network.backbone, small_stem=True))

    assert cost.seconds > 0
    assert cost.gpu_bytes == 0  # on a CPU


def test_a_pace_counts_steps_since_it_was_last_asked_and_leaves_out_pauses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pace = Pace(step=3, since=100.0)
    times = iter([101.0, 151.0, 104.0 + 50.0, 160.0])
    monkeypatch.setattr("training.trainer.time.monotonic", lambda: next(times))
    with pace.paused():  # from 101 to 151
        pass
    assert pace.at(11) == 8 / 4
    assert pace.at(14) == 3 / 6
