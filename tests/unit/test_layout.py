"""The map's places: what lies together, what is kept, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from indexer import layout
from indexer.records import Embeddings
from training.errors import GalleryError


def groups_of(count: int, groups: int = 3, *, dim: int = 8, seed: int = 0) -> Embeddings:
    """Unit rows in tight groups, one after another in turn."""
    draw = np.random.default_rng(seed)
    centres = draw.standard_normal((groups, dim))
    rows = centres[np.arange(count) % groups] + 0.05 * draw.standard_normal((count, dim))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return Embeddings(7, "ab" * 32, np.arange(count, dtype=np.int64) * 3, rows)


def stay_together(places: np.ndarray, groups: int) -> float:
    """The share of photos whose nearest place belongs to their own group."""
    distances = ((places[:, None] - places[None]) ** 2).sum(axis=2)
    np.fill_diagonal(distances, np.inf)
    nearest = distances.argmin(axis=1)
    return float((nearest % groups == np.arange(len(places)) % groups).mean())


@pytest.mark.parametrize("draw", [layout.by_components, layout.by_neighbours])
def test_a_map_keeps_groups_together_and_fills_its_square(draw: object) -> None:
    drawn = draw(groups_of(60))  # type: ignore[operator]
    assert drawn.places.shape == (60, 2)
    assert drawn.places.dtype == np.float32
    assert stay_together(drawn.places, 3) > 0.95
    assert np.abs(drawn.places).max() == pytest.approx(1, abs=1e-5)
    assert (drawn.ids == groups_of(60).ids).all()


@pytest.mark.parametrize("part", [1 << 16, 7])
def test_photos_beyond_the_sample_join_their_own_group(
    part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout, "_PART", part)
    drawn = layout.by_neighbours(groups_of(120), most_together=40)
    assert drawn.method == "neighbours"
    assert stay_together(drawn.places, 3) > 0.95


def test_the_same_photos_make_the_same_map() -> None:
    first, second = (layout.by_neighbours(groups_of(30)) for _ in range(2))
    assert (first.places == second.places).all()


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_few_photos_have_a_map_by_components(count: int) -> None:
    drawn = layout.by_neighbours(groups_of(count))
    assert drawn.method == "components"
    assert drawn.places.shape == (count, 2)
    assert np.isfinite(drawn.places).all()


def test_copies_of_one_photo_have_a_map() -> None:
    rows = np.tile(np.eye(1, 8, dtype=np.float32), (20, 1))
    drawn = layout.by_neighbours(Embeddings(1, "ab", np.arange(20), rows))
    assert np.isfinite(drawn.places).all()


def test_embeddings_of_one_number_have_a_map() -> None:
    rows = np.where(np.arange(6) % 2, 1, -1).astype(np.float32)[:, None]
    drawn = layout.by_components(Embeddings(1, "ab", np.arange(6), rows))
    assert set(drawn.places[:, 0]) == {-1.0, 1.0}
    assert not drawn.places[:, 1].any()


def test_components_are_those_of_a_full_decomposition() -> None:
    embeddings = groups_of(50)
    drawn = layout.by_components(embeddings)
    centred = embeddings.rows - embeddings.rows.mean(axis=0)
    left, strengths, _ = np.linalg.svd(centred, full_matrices=False)
    expected = left[:, :2] * strengths[:2]
    for axis in range(2):
        known = np.corrcoef(drawn.places[:, axis], expected[:, axis])[0, 1]
        assert abs(known) == pytest.approx(1, abs=1e-4)


def test_a_kept_map_comes_back(tmp_path: Path) -> None:
    drawn = layout.by_neighbours(groups_of(20))
    layout.save(drawn, tmp_path / "gallery")
    again = layout.load(tmp_path / "gallery", generation=7, encoder="ab" * 32)
    assert again is not None
    assert (again.generation, again.encoder, again.method) == (7, "ab" * 32, "neighbours")
    assert (again.ids == drawn.ids).all()
    assert (again.places == drawn.places).all()


@pytest.mark.parametrize(("generation", "encoder"), [(8, "ab" * 32), (7, "cd" * 32)])
def test_a_map_of_another_generation_or_encoder_is_stale(
    tmp_path: Path, generation: int, encoder: str
) -> None:
    layout.save(layout.by_components(groups_of(20)), tmp_path / "gallery")
    assert layout.load(tmp_path / "gallery", generation=generation, encoder=encoder) is None


@pytest.mark.parametrize("keep", [0, 10, 400])
def test_a_damaged_map_is_no_map(tmp_path: Path, keep: int) -> None:
    layout.save(layout.by_components(groups_of(20)), tmp_path)
    file = tmp_path / layout.MAP_FILE
    file.write_bytes(file.read_bytes()[:keep])
    assert layout.load(tmp_path, generation=7, encoder="ab" * 32) is None


def test_a_missing_map_is_no_map(tmp_path: Path) -> None:
    assert layout.load(tmp_path, generation=7, encoder="ab" * 32) is None


def test_a_map_is_not_written_beside_another_writer(tmp_path: Path) -> None:
    with FileLock(tmp_path / ".lock"), pytest.raises(GalleryError, match="another command"):
        layout.save(layout.by_components(groups_of(20)), tmp_path)
    assert not (tmp_path / layout.MAP_FILE).exists()
