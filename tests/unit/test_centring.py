"""The mean and the principal components at the end of an encoder's graph."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from sklearn.decomposition import PCA

from indexer.centring import (
    CentringPlan,
    fit_centring,
    with_centring,
    without_centring,
)
from indexer.encoder import OnnxEncoder

MEAN_ONLY = CentringPlan(centre_from=5, reduce_from=1_000)
REDUCED = CentringPlan(centre_from=5, reduce_from=10, dim=4)


@pytest.fixture
def pixels(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)


@pytest.fixture
def rows(toy_encoder: Path, pixels: np.ndarray) -> np.ndarray:
    return OnnxEncoder.open(toy_encoder).embed(pixels)


def test_centring_subtracts_the_mean_and_restores_unit_length(rows: np.ndarray) -> None:
    centring = fit_centring(rows, photos=40, plan=MEAN_ONLY)
    assert centring is not None

    expected = rows - rows.mean(axis=0)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(centring.apply(rows), expected, atol=1e-5)


def test_the_components_are_those_of_scikit_learn_up_to_sign(rows: np.ndarray) -> None:
    centring = fit_centring(rows, photos=40, plan=REDUCED)
    assert centring is not None
    assert centring.components is not None

    expected = PCA(4, svd_solver="full").fit(rows).components_.T  # (d, 4)
    np.testing.assert_allclose(np.abs(centring.components), np.abs(expected), atol=1e-4)


def test_two_fits_of_the_same_rows_agree_to_the_last_bit(rows: np.ndarray) -> None:
    first, second = (fit_centring(rows, photos=40, plan=REDUCED) for _ in range(2))
    assert first is not None
    assert second is not None
    np.testing.assert_array_equal(first.components, second.components)


@pytest.mark.parametrize("plan", [MEAN_ONLY, REDUCED], ids=["mean", "mean and components"])
def test_the_graph_does_what_the_stored_rows_go_through(
    plan: CentringPlan, toy_encoder: Path, pixels: np.ndarray, rows: np.ndarray, tmp_path: Path
) -> None:
    centring = fit_centring(rows, photos=40, plan=plan)
    assert centring is not None
    file = tmp_path / "centred.onnx"
    file.write_bytes(with_centring(toy_encoder.read_bytes(), centring))

    encoder = OnnxEncoder.open(file)
    assert encoder.dim == centring.dim
    np.testing.assert_allclose(encoder.embed(pixels), centring.apply(rows), atol=1e-5)
    onnx.checker.check_model(onnx.load(file), full_check=True)


@pytest.mark.parametrize("plan", [MEAN_ONLY, REDUCED], ids=["mean", "mean and components"])
def test_centring_can_be_taken_off_again(
    plan: CentringPlan, toy_encoder: Path, pixels: np.ndarray, rows: np.ndarray, tmp_path: Path
) -> None:
    centring = fit_centring(rows, photos=40, plan=plan)
    assert centring is not None
    file = tmp_path / "plain.onnx"
    file.write_bytes(without_centring(with_centring(toy_encoder.read_bytes(), centring)))

    np.testing.assert_array_equal(OnnxEncoder.open(file).embed(pixels), rows)
    assert OnnxEncoder.open(file).source == OnnxEncoder.open(toy_encoder).source


def test_an_encoder_that_was_never_centred_keeps_its_bytes(toy_encoder: Path) -> None:
    assert without_centring(toy_encoder.read_bytes()) == toy_encoder.read_bytes()


@pytest.mark.parametrize(
    ("photos", "centred", "reduced"), [(4, False, False), (5, True, False), (10, True, True)]
)
def test_centring_and_reduction_each_need_enough_photos(
    photos: int, centred: bool, reduced: bool, rows: np.ndarray
) -> None:
    centring = fit_centring(rows, photos=photos, plan=REDUCED)
    assert (centring is not None) == centred
    assert (centring is not None and centring.components is not None) == reduced


def test_the_usual_thresholds_are_50_and_1000_photos(rng: np.random.Generator) -> None:
    rows = rng.normal(size=(300, 200)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    assert fit_centring(rows, photos=49, plan=CentringPlan()) is None
    for photos, dim in ((50, 200), (999, 200), (1_000, 128)):
        centring = fit_centring(rows, photos=photos, plan=CentringPlan())
        assert centring is not None
        assert centring.dim == dim


def test_near_copies_of_one_photo_are_not_centred(rng: np.random.Generator) -> None:
    """Their differences are noise, and centring would blow it up to full length."""
    rows = np.ones((60, 16)) + rng.normal(scale=1e-3, size=(60, 16))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    assert fit_centring(rows.astype(np.float32), photos=60, plan=MEAN_ONLY) is None


def test_a_photo_that_equals_the_mean_gives_zeros_and_not_nan(rows: np.ndarray) -> None:
    centring = fit_centring(rows, photos=40, plan=MEAN_ONLY)
    assert centring is not None
    assert np.isfinite(centring.apply(centring.mean[np.newaxis])).all()
