"""A whole run on a folder of drawn photos: what it leaves, what it stands, what it repeats."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from training.checkpoint import load_encoder
from training.config import TrainConfig
from training.engine import pretrain
from training.errors import CollectionError, Interrupted, LookalikeError, RunError
from training.finish import RunReport
from training.prepare import Surroundings
from training.progress import Silent

FAST = {
    "backbone": "mobilenet_v3_small",
    "init": "random",
    "image_size": 32,
    "batch_size": 16,
    "epochs": 2,
    "offline": True,
}


@pytest.fixture(scope="module")
def photos(
    tmp_path_factory: pytest.TempPathFactory, make_shape_folder: Callable[..., Path]
) -> Path:
    """Sixty photos in four class folders, and one file that is none."""
    folder = make_shape_folder(tmp_path_factory.mktemp("photos") / "shapes", per_class=15)
    (folder / "circle" / "notes.txt").write_text("no photo")
    return folder


@pytest.fixture
def surroundings(tmp_path: Path) -> Surroundings:
    return Surroundings(Silent(), lambda: False, tmp_path / "cache")


def stopping_after(around: Surroundings, calls: int) -> Surroundings:
    """Ask to stop at the given question."""
    asked: Iterator[int] = iter(range(1, 10_000))
    return replace(around, stop=lambda: next(asked) >= calls)


def train(photos: Path, out: Path, around: Surroundings, **options: object) -> RunReport:
    return pretrain(TrainConfig(photos, out, **{**FAST, **options}), around)  # type: ignore[arg-type]


def test_a_run_folder_explains_itself(
    photos: Path, tmp_path: Path, surroundings: Surroundings
) -> None:
    report = train(photos, tmp_path / "run", surroundings)

    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names >= {
        "encoder.safetensors", "start.safetensors", "trained.safetensors", "encoder.json",
        "checkpoint.safetensors", "config.json", "plan.json", "report.json", "metrics.jsonl",
        "skipped.csv", "views.png", "curves.png", "tensorboard", ".lookalike",
    }  # fmt: skip
    assert report.photos == 60
    assert report.skipped == 1
    assert "notes.txt" in (tmp_path / "run" / "skipped.csv").read_text()
    assert json.loads((tmp_path / "run" / "report.json").read_text()) == report.to_json()
    encoder = load_encoder(tmp_path / "run")
    assert encoder.spec.preprocessing.image_size == 32
    assert "epochs" in load_encoder(tmp_path / "run" / "trained.safetensors").spec.origin
    assert list((tmp_path / "run" / "tensorboard").glob("events.out.tfevents.*"))
    for picture in ("views.png", "curves.png"):
        with Image.open(tmp_path / "run" / picture) as image:
            assert min(image.size) > 100
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    groups = {json.loads(line)["group"] for line in lines}
    assert "quality" in groups


def test_quality_is_known_from_the_starting_weights_on_and_classes_decide(
    photos: Path, tmp_path: Path, surroundings: Surroundings
) -> None:
    report = train(photos, tmp_path / "run", surroundings, interpolate=0.5)

    assert set(report.quality) == {"start", "trained", "interpolated"}
    assert set(report.search) == {"start", "trained", "interpolated"}
    assert report.exported in report.search
    assert "k-NN" in report.verdict


@pytest.mark.parametrize(
    "method",
    ["byol", *(pytest.param(name, marks=pytest.mark.soak) for name in ("simclr", "supcon"))],
)
def test_two_runs_with_one_seed_give_identical_weights(
    photos: Path, tmp_path: Path, surroundings: Surroundings, method: str
) -> None:
    for name in ("a", "b"):
        train(photos, tmp_path / name, surroundings, method=method, epochs=1)

    assert same_weights(tmp_path / "a", tmp_path / "b")


def test_a_resumed_run_ends_with_the_weights_of_one_that_was_never_stopped(
    photos: Path, tmp_path: Path, surroundings: Surroundings
) -> None:
    train(photos, tmp_path / "straight", surroundings)
    with pytest.raises(Interrupted) as stopped:
        train(photos, tmp_path / "halting", stopping_after(surroundings, 3))

    pretrain(TrainConfig(photos, tmp_path / "halting"), surroundings, resume=True)

    assert "--resume" in stopped.value.hint
    assert same_weights(tmp_path / "straight", tmp_path / "halting")


def test_labels_from_a_file_teach_and_what_cannot_be_used_is_listed(
    photos: Path, tmp_path: Path, surroundings: Surroundings
) -> None:
    names = [f"circle/{n.name},round" for n in sorted((photos / "circle").iterdir())[:9]]
    names += [f"cross/{n.name},pointed" for n in sorted((photos / "cross").iterdir())[:9]]
    file = tmp_path / "labels.csv"
    file.write_text("\n".join(["path,label", *names, "gone.jpg,round"]))
    halting = stopping_after(surroundings, 64)
    with pytest.raises(Interrupted):
        train(photos, tmp_path / "run", halting, labels=file)
    file.unlink()  # the run keeps what it learns from

    report = pretrain(TrainConfig(photos, tmp_path / "run"), surroundings, resume=True)

    assert report.method == "supcon"
    kept = (tmp_path / "run" / "labels.csv").read_text()
    assert sorted(kept.splitlines()) == sorted(["path,label", *names])
    assert "gone.jpg" in (tmp_path / "run" / "labels-problems.txt").read_text()


def test_a_run_stopped_while_decoding_goes_on_too(
    photos: Path, tmp_path: Path, surroundings: Surroundings
) -> None:
    with pytest.raises(Interrupted) as stopped:
        train(photos, tmp_path / "run", stopping_after(surroundings, 5))

    report = pretrain(TrainConfig(photos, tmp_path / "run"), surroundings, resume=True)

    assert "--resume" in stopped.value.hint
    assert report.photos == 60


def test_resuming_a_finished_run_gives_its_report_again(
    photos: Path, tmp_path: Path, surroundings: Surroundings
) -> None:
    report = train(photos, tmp_path / "run", surroundings, epochs=1)

    again = pretrain(TrainConfig(photos, tmp_path / "run"), surroundings, resume=True)

    assert again == report


def test_a_photo_folder_that_moved_is_given_anew(
    photos: Path, tmp_path: Path, surroundings: Surroundings
) -> None:
    shutil.copytree(photos, tmp_path / "old")
    with pytest.raises(Interrupted):
        train(tmp_path / "old", tmp_path / "run", stopping_after(surroundings, 64))
    (tmp_path / "old").rename(tmp_path / "new")

    report = pretrain(TrainConfig(tmp_path / "new", tmp_path / "run"), surroundings, resume=True)

    assert report.photos == 60


def test_other_photos_than_the_run_began_with_are_refused(
    photos: Path, tmp_path: Path, surroundings: Surroundings
) -> None:
    shutil.copytree(photos, tmp_path / "mine")
    with pytest.raises(Interrupted):
        train(tmp_path / "mine", tmp_path / "run", stopping_after(surroundings, 64))
    shutil.rmtree(tmp_path / "mine" / "cross")

    with pytest.raises(RunError, match="changed"):
        pretrain(TrainConfig(tmp_path / "mine", tmp_path / "run"), surroundings, resume=True)


def test_an_existing_run_is_refused_with_the_way_to_go_on(
    photos: Path, tmp_path: Path, surroundings: Surroundings
) -> None:
    train(photos, tmp_path / "run", surroundings, epochs=1)

    with pytest.raises(RunError) as caught:
        train(photos, tmp_path / "run", surroundings)

    assert "--resume" in caught.value.hint
    assert "-o" in caught.value.hint


@pytest.mark.parametrize("method", ["auto", "supcon"])
def test_too_few_photos_export_the_start_as_a_normal_run(
    tmp_path: Path, surroundings: Surroundings, make_shape_folder: Callable[..., Path], method: str
) -> None:
    folder = make_shape_folder(tmp_path / "few", per_class=2)

    report = train(folder, tmp_path / "run", surroundings, method=method)

    start = load_file(tmp_path / "run" / "start.safetensors")
    encoder = load_file(tmp_path / "run" / "encoder.safetensors")
    assert (report.exported, report.steps) == ("start", 0)
    assert all(torch.equal(start[name], encoder[name]) for name in start)
    assert pretrain(TrainConfig(folder, tmp_path / "run"), surroundings, resume=True) == report


@pytest.mark.parametrize("content", ["missing", "empty", "text"])
def test_a_folder_without_photos_is_an_error_and_leaves_no_run(
    tmp_path: Path, surroundings: Surroundings, content: str
) -> None:
    folder = tmp_path / "photos"
    if content != "missing":
        folder.mkdir()
    if content == "text":
        (folder / "a.jpg").write_text("not a photo")

    with pytest.raises(CollectionError) as caught:
        train(folder, tmp_path / "run", surroundings)

    assert str(folder) in caught.value.message
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "options",
    [
        {"backbone": "resnet19"},
        {"init": "nowhere.pth"},
        {"init": "imagenet"},
        {"batch_size": 53},  # of 52 photos to learn from
        {"labels": Path("nowhere.csv")},
    ],
)
def test_a_run_that_cannot_begin_leaves_nothing_behind(
    photos: Path,
    tmp_path: Path,
    surroundings: Surroundings,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, str],
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))

    with pytest.raises(LookalikeError):
        train(photos, tmp_path / "run", surroundings, **options)

    assert not (tmp_path / "run").exists()


def test_photos_that_vanish_in_the_middle_do_not_stop_a_run(
    photos: Path, tmp_path: Path, surroundings: Surroundings
) -> None:
    shutil.copytree(photos, tmp_path / "mine")

    def vanish() -> bool:
        for photo in sorted((tmp_path / "mine" / "square").iterdir())[:-8]:
            photo.unlink()
        return False

    report = train(tmp_path / "mine", tmp_path / "run", replace(surroundings, stop=vanish))

    assert report.steps > 0
    assert report.photos + report.skipped == 61


def same_weights(first: Path, second: Path) -> bool:
    """Whether two runs hold the same encoder and the same training state, to the bit."""
    for name in ("encoder.safetensors", "checkpoint.safetensors"):
        a, b = load_file(first / name), load_file(second / name)
        if a.keys() != b.keys() or not all(torch.equal(a[key], b[key]) for key in a):
            return False
    return True
