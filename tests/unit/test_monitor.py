from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from training.cache import PhotoSet, open_photos
from training.figures import quality_of
from training.labels import UNLABELLED, PhotoLabels
from training.models import Backbone, build_backbone
from training.monitor import (
    Judge,
    Monitor,
    MonitorSettings,
    embed,
    evaluating,
    known_classes,
    prepare_photos,
    split_held_out,
)
from training.progress import Silent
from training.recipes import simclr_recipe
from training.spec import Preprocessing

PREPROCESSING = Preprocessing(32)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    torch.manual_seed(0)
    return build_backbone("resnet18", small_stem=True)


@pytest.fixture
def folder(tmp_path: Path, make_shape_folder: Callable[..., Path]) -> Path:
    return make_shape_folder(tmp_path / "shapes")


@pytest.fixture
def photos(folder: Path, tmp_path: Path) -> PhotoSet:
    return open_photos(folder, tmp_path / "cache", 40, progress=Silent())


def settings(seed: int = 0) -> MonitorSettings:
    return MonitorSettings((simclr_recipe(32), simclr_recipe(32)), PREPROCESSING, CPU, seed)


@pytest.mark.parametrize(("count", "held"), [(50, 8), (160, 8), (3068, 153), (100_000, 256)])
def test_one_in_twenty_is_held_out_within_limits(count: int, held: int) -> None:
    chosen, held_out = split_held_out(count, seed=0)

    assert len(held_out) == held
    np.testing.assert_array_equal(np.sort(np.concatenate([chosen, held_out])), np.arange(count))


def test_the_same_seed_holds_out_the_same_photos() -> None:
    np.testing.assert_array_equal(split_held_out(100, 3)[1], split_held_out(100, 3)[1])
    assert not np.array_equal(split_held_out(100, 3)[1], split_held_out(100, 4)[1])


def test_embeddings_are_unit_rows_whatever_the_batch(backbone: Backbone) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (70, 32, 32, 3), np.uint8)

    together = embed(backbone, pixels, PREPROCESSING, CPU)
    alone = embed(backbone, pixels[69:], PREPROCESSING, CPU)

    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1.0, atol=1e-5)
    np.testing.assert_allclose(together[69:], alone, atol=1e-4)


def test_evaluating_gives_every_module_its_mode_back(backbone: Backbone) -> None:
    backbone.train()
    backbone.network.layer1.eval()

    with evaluating(backbone):
        assert not any(module.training for module in backbone.modules())

    assert backbone.training
    assert backbone.network.layer2.training
    assert not backbone.network.layer1.training


def test_measuring_changes_nothing_and_repeats(
    backbone: Backbone, photos: PhotoSet, folder: Path
) -> None:
    classes = known_classes(photos, None)
    monitor = Monitor(folder, photos, np.arange(12), settings(), classes)
    before = {name: value.clone() for name, value in backbone.state_dict().items()}

    first, second = monitor.measure(backbone), monitor.measure(backbone)

    assert first == second
    assert all(torch.equal(before[name], v) for name, v in backbone.state_dict().items())
    assert 0 <= first.retrieval <= 1
    assert first.knn is not None


def test_photos_that_vanished_are_left_out(
    backbone: Backbone, photos: PhotoSet, folder: Path
) -> None:
    gone = photos.paths[3]
    (folder / gone.decode()).unlink()

    pixels, kept = prepare_photos(folder, photos.paths, PREPROCESSING)

    assert len(pixels) == len(photos) - 1
    assert 3 not in kept
    assert len(Monitor(folder, photos, np.arange(12), settings())) == 11


def test_judging_needs_classes(
    backbone: Backbone, photos: PhotoSet, folder: Path, tmp_path: Path
) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    for index, path in enumerate(photos.paths):
        (flat / f"{index}.jpg").write_bytes((folder / path.decode()).read_bytes())
    loose = open_photos(flat, tmp_path / "flat-cache", 40, progress=Silent())

    assert known_classes(loose, None) is None
    assert Judge(flat, loose, PREPROCESSING, None).judge(backbone, CPU) is None
    judge = Judge(folder, photos, PREPROCESSING, known_classes(photos, None))
    judged = judge.judge(backbone, CPU)
    assert judged is not None
    assert len(judged.knn) == len(photos)


def test_labels_of_a_file_are_classes_whatever_the_folders(photos: PhotoSet) -> None:
    codes = np.full(len(photos), UNLABELLED)
    codes[:4] = (0, 0, 1, 1)

    classes = known_classes(photos, PhotoLabels(("a", "b"), codes))

    assert classes is not None
    assert classes.tolist() == codes.tolist()


def test_photos_that_were_learned_from_ask_nothing(
    backbone: Backbone, photos: PhotoSet, folder: Path
) -> None:
    """Their labels were told; they still may be found."""
    classes, held_out = known_classes(photos, None), np.array([0, 2, 3, 5, 6, 7, 9, 11])

    judged = Judge(folder, photos, PREPROCESSING, classes, held_out).judge(backbone, CPU)
    everyone = Judge(folder, photos, PREPROCESSING, classes).judge(backbone, CPU)

    assert judged is not None
    assert everyone is not None
    assert judged.knn.tolist() == everyone.knn[held_out].tolist()
    assert judged.precision_at_10.tolist() == everyone.precision_at_10[held_out].tolist()
    assert Judge(folder, photos, PREPROCESSING, classes, held_out[:7]).judge(backbone, CPU) is None


def test_photos_without_a_label_are_no_class(
    backbone: Backbone, photos: PhotoSet, folder: Path
) -> None:
    classes = known_classes(photos, None)
    assert classes is not None
    some = np.where(np.arange(len(photos)) % 3 == 0, UNLABELLED, classes)

    judged = Judge(folder, photos, PREPROCESSING, some).judge(backbone, CPU)
    sight = Monitor(folder, photos, np.arange(12), settings(), some).look(backbone)

    assert judged is not None
    assert len(judged.knn) == (some >= 0).sum()
    known = some[:12] >= 0
    alone = replace(
        sight,
        embeddings=sight.embeddings[known],
        first=sight.first[known],
        second=sight.second[known],
        labels=some[:12][known],
    )
    assert quality_of(sight).knn == quality_of(alone).knn
