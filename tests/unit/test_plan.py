import json
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from training.batch_sizes import shared
from training.config import TrainConfig
from training.errors import ConfigError, MemoryShortage, RunError
from training.plan import Plan, StepCost, plan_from_json
from training.planning import (
    Survey,
    choose,
    choose_network,
    fit_to_machine,
    suit_start,
    survey,
)

PHOTOS = Survey(files=3000, typical_side=400)


def planned(found: Survey = PHOTOS, start: str = "imagenet", **options: object):
    config = TrainConfig(Path("p"), **options)  # type: ignore[arg-type]
    network = choose_network(config, found, has_cuda=False)
    return choose(config, found, suit_start(network, config, start, small_stem=False), start)


def test_a_cpu_gets_a_small_network_and_a_gpu_a_large_one() -> None:
    config = TrainConfig(Path("p"))

    on_cpu = choose_network(config, PHOTOS, has_cuda=False)
    on_gpu = choose_network(config, PHOTOS, has_cuda=True)

    assert (on_cpu.backbone, on_cpu.image_size, on_cpu.device) == ("mobilenet_v2", 96, "cpu")
    assert (on_gpu.backbone, on_gpu.image_size, on_gpu.device) == ("resnet50", 224, "cuda")


def test_a_gpu_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError, match="no usable GPU"):
        choose_network(TrainConfig(Path("p"), device="cuda"), PHOTOS, has_cuda=False)


def test_tiny_photos_are_seen_at_their_own_size_with_the_small_stem() -> None:
    network = choose_network(TrainConfig(Path("p")), Survey(5000, 32), has_cuda=True)

    assert (network.image_size, network.small_stem) == (32, True)


@pytest.mark.parametrize("backbone", ["mobilenet_v2", "resnet18"])
def test_tiny_photos_are_enlarged_for_weights_that_know_the_usual_stem(backbone: str) -> None:
    plan = planned(Survey(3000, 32), "imagenet", backbone=backbone)

    assert (plan.network.image_size, plan.network.small_stem) == (96, False)
    assert plan.start_size == plan.embed_size == 160
    assert any("photos of 32 px are enlarged" in reason for reason in plan.reasons)


def test_a_budget_keeps_tiny_photos_as_large_as_their_weights_want_them() -> None:
    found = Survey(3000, 32)
    plan = planned(found, budget_seconds=100_000.0)
    config = TrainConfig(Path("p"), budget_seconds=100_000.0)

    fitted = fit_to_machine(plan, config, found, lambda _plan: StepCost(2.0))

    assert fitted.network.image_size == 96
    assert sum("px" in reason for reason in fitted.reasons) == 2


def test_tiny_views_that_were_asked_for_keep_the_stem_of_the_weights() -> None:
    plan = planned(Survey(3000, 32), "imagenet", image_size=32)

    assert (plan.network.image_size, plan.network.small_stem) == (32, False)
    for never in (plan, planned(Survey(60, 0))):  # of no known size: no photo could be read
        assert not any("enlarged" in reason for reason in never.reasons)


@pytest.mark.parametrize("side", [32, 400])
def test_weights_of_a_run_with_the_small_stem_keep_it(side: int) -> None:
    config, found = TrainConfig(Path("p")), Survey(3000, side)
    network = choose_network(config, found, has_cuda=False)

    suited = suit_start(network, config, "file", small_stem=True)

    assert suited == replace(network, small_stem=True)


def test_small_collections_get_byol_and_large_ones_simclr() -> None:
    assert planned(Survey(3000, 400)).method == "byol"
    assert planned(Survey(20_000, 400)).method == "simclr"
    assert planned(Survey(20_000, 400), method="byol").method == "byol"


def test_random_weights_get_simclr_and_a_word_of_warning_on_any_collection() -> None:
    plan = planned(Survey(3000, 400), start="random")
    assert plan.method == "simclr"
    assert "random weights learn slowly" in "\n".join(plan.reasons)
    assert "learn slowly" not in "\n".join(planned(Survey(20_000, 400)).reasons)


def test_from_imagenet_a_run_is_long_gentle_and_exported_half_way() -> None:
    plan = planned()

    assert plan.epochs == 60
    assert plan.interpolate == 0.5
    assert plan.freeze == 0.5
    assert (plan.embed_size, plan.start_size) == (160, 224)


def test_from_random_weights_everything_trains_and_is_exported_as_it_is() -> None:
    plan = planned(start="random")

    assert plan.interpolate == 1.0
    assert plan.freeze == 0.0
    assert plan.embed_size == plan.network.image_size


@pytest.mark.parametrize("files", [50, 64, 341, 3000, 100_000])
def test_an_automatic_batch_is_a_power_of_two_with_several_steps_an_epoch(files: int) -> None:
    batch = planned(Survey(files, 400)).batch_size

    assert batch & (batch - 1) == 0
    assert 8 <= batch <= files / 4


def test_heavy_networks_get_smaller_batches_on_a_cpu() -> None:
    config = TrainConfig(Path("p"), backbone="resnet50", image_size=224)
    network = choose_network(config, PHOTOS, has_cuda=False)
    heavy = choose(config, PHOTOS, network.__class__("resnet50", 224, False, "cpu", 8.2), "random")

    assert heavy.batch_size < planned().batch_size


def test_what_was_asked_goes_before_what_would_be_chosen() -> None:
    plan = planned(
        epochs=3, batch_size=50, lr=0.5, freeze=0.25, interpolate=0.7, embed_size=100, image_size=80
    )

    assert (plan.epochs, plan.batch_size, plan.lr) == (3, 50, 0.5)
    assert (plan.freeze, plan.interpolate) == (0.25, 0.7)
    assert (plan.embed_size, plan.network.image_size) == (100, 80)


def test_every_knob_of_the_recipe_reaches_the_plan() -> None:
    knobs = {
        "optimizer": "sgd", "weight_decay": 0.01, "warmup": 0.1, "layer_decay": 0.8, "ema": 0.999,
        "views": "colour-matters", "strength": 0.7, "crop_min": 0.4, "temperature": 0.07,
        "tau": 0.996, "projection_dim": 64, "hidden_dim": 512,
    }  # fmt: skip

    plan = planned(**knobs)

    assert {name: getattr(plan, name) for name in knobs} == knobs


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "lars"])
def test_learning_rates_grow_with_the_root_of_the_batch_and_are_gentle_to_trained_weights(
    optimizer: str,
) -> None:
    small, large = (planned(optimizer=optimizer, batch_size=size) for size in (128, 512))

    assert large.lr == pytest.approx(2 * small.lr)
    assert small.lr < planned(optimizer=optimizer, batch_size=128, start="random").lr


def test_labels_choose_supcon() -> None:
    plan = planned(labels=Path("labels.csv"))

    assert plan.method == "supcon"
    assert plan.temperature == 0.1


def test_the_cache_is_larger_than_the_views_but_never_than_the_photos() -> None:
    assert planned().cache_size == 128
    assert planned(Survey(3000, 110)).cache_size == 110
    assert planned(Survey(3000, 32), "random").cache_size == 32


@pytest.mark.parametrize(("budget", "size"), [(600.0, 64), (3600.0, 96), (100_000.0, 224)])
def test_a_budget_buys_the_largest_size_that_leaves_enough_epochs(budget: float, size: int) -> None:
    config = TrainConfig(Path("p"), budget_seconds=budget)

    before, cost = planned(budget_seconds=budget), StepCost(2.0, gpu_bytes=900)

    plan = fit_to_machine(before, config, PHOTOS, lambda _plan: cost)

    assert plan.network.image_size == size
    assert any(f"{size} px" in reason for reason in plan.reasons)
    assert plan.seconds_per_step == pytest.approx(2.0 * (size / 96) ** 2)
    assert plan.step_gpu_bytes == {64: 900, 96: 900, 224: 4900}[size]  # weights do not shrink


@pytest.mark.parametrize("budget", [None, 100_000.0])
def test_an_automatic_batch_is_halved_until_it_fits_into_memory(budget: float | None) -> None:
    def timed(plan: Plan) -> StepCost:
        if plan.batch_size > 40:
            raise MemoryShortage("no memory")
        return StepCost(1.0)

    config = TrainConfig(Path("p"), budget_seconds=budget)
    before = planned(budget_seconds=budget)

    plan = fit_to_machine(before, config, PHOTOS, timed)

    assert (before.batch_size, plan.batch_size) == (128, 32)
    assert plan.lr == pytest.approx(before.lr / 2)
    assert any("batches of 32: 64 do not fit into memory" in reason for reason in plan.reasons)


@pytest.mark.parametrize("options", [{"batch_size": 128}, {}])
def test_a_batch_that_was_asked_for_or_is_the_smallest_is_not_halved(
    options: dict[str, int],
) -> None:
    def timed(_plan: Plan) -> StepCost:
        raise MemoryShortage("no memory")

    with pytest.raises(MemoryShortage):
        fit_to_machine(planned(**options), TrainConfig(Path("p"), **options), PHOTOS, timed)


def test_an_automatic_batch_is_cut_to_equal_shares_and_one_that_was_asked_is_refused() -> None:
    plan, asked = planned(), TrainConfig(Path("p"), batch_size=100)

    assert shared(plan, TrainConfig(Path("p")), 3).batch_size == 126
    assert shared(plan, TrainConfig(Path("p")), 4) == plan
    assert shared(replace(plan, batch_size=100), asked, 4).batch_size == 100
    with pytest.raises(ConfigError) as caught:
        shared(replace(plan, batch_size=100), asked, 3)
    assert "--batch-size 102" in caught.value.hint


def test_a_size_that_was_asked_for_stays_under_any_budget() -> None:
    config = TrainConfig(Path("p"), budget_seconds=60.0, image_size=96)
    plan = planned(budget_seconds=60.0, image_size=96)

    fitted = fit_to_machine(plan, config, PHOTOS, lambda _plan: StepCost(5.0))

    assert fitted.network.image_size == 96


def test_steps_cover_the_epochs() -> None:
    plan = planned(epochs=10, batch_size=64)

    assert plan.steps(1000) == 157
    assert plan.steps(1) == 1


def test_a_plan_survives_json() -> None:
    plan = planned(budget_seconds=60.0)

    assert plan_from_json(plan.to_json()) == plan


def test_a_plan_of_a_run_whose_steps_took_unmeasured_memory_is_read() -> None:
    values = json.loads(planned().to_json())
    del values["step_gpu_bytes"]

    assert plan_from_json(json.dumps(values)) == planned()


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"network": {}, "seed": 1}'])
def test_a_plan_of_another_version_is_refused(text: str) -> None:
    with pytest.raises(RunError, match="another version"):
        plan_from_json(text)


def test_the_plan_says_what_will_be_done_and_why() -> None:
    text = "\n".join(planned().lines(2850))

    for words in ("BYOL", "mobilenet_v2", "96 px", "1,336 steps", "60 epochs", "near-duplicates"):
        assert words in text
    assert "too short" not in text


@pytest.mark.parametrize("start", ["imagenet", "random"])
def test_a_plan_says_beforehand_that_it_is_too_short_to_export(start: str) -> None:
    """Ten epochs of 1,280 photos are a hundred steps, thirty are three hundred."""
    by_epochs = replace(planned(start=start, epochs=10), seconds_per_step=2.0)
    by_time = replace(planned(start=start, budget_seconds=200.0), seconds_per_step=2.0)

    for plan in (by_epochs, by_time):
        said = "\n".join(plan.lines(1280))
        assert ("30 epochs are needed, about 10 min 00 s" in said) == (start == "imagenet")
    assert "a budget of 3 min 20 s, about 10 epochs" in said


def test_a_survey_counts_files_and_finds_their_usual_size(tmp_path: Path) -> None:
    for index in range(5):
        Image.new("RGB", (90, 60 + index)).save(tmp_path / f"{index}.png")
    (tmp_path / "x.txt").write_text("no photo")

    assert survey(tmp_path) == Survey(files=6, typical_side=62)


def test_a_survey_of_nothing_readable_knows_no_size(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("no photo")

    assert survey(tmp_path) == Survey(files=1, typical_side=0)
