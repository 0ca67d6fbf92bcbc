"""The vector index and its files: a cache that is never believed without proof."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import faiss
import numpy as np
import pytest

from indexer import vectors
from indexer.records import Embeddings
from indexer.vectors import MANIFEST_FILE, VectorIndex

ENCODER = "e" * 64


def embeddings(rows: np.ndarray, ids: np.ndarray | None = None, generation: int = 3) -> Embeddings:
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    given = np.arange(len(rows), dtype=np.int64) if ids is None else ids
    return Embeddings(generation, ENCODER, given, unit.astype(np.float32))


@pytest.fixture
def stored(rng: np.random.Generator) -> Embeddings:
    return embeddings(rng.normal(size=(50, 8)), ids=np.arange(50, dtype=np.int64) * 7 + 1)


@pytest.fixture
def saved(stored: Embeddings, tmp_path: Path) -> Path:
    vectors.save(VectorIndex.build(stored), tmp_path)
    return tmp_path


def load(folder: Path, **changes: object) -> VectorIndex | None:
    return vectors.load(folder, **{"generation": 3, "encoder": ENCODER, **changes})  # type: ignore[arg-type]


def index_file(folder: Path) -> Path:
    """The index that a gallery's manifest names."""
    manifest = vectors.read_manifest(folder)
    assert manifest is not None
    return folder / manifest.file


def test_the_nearest_come_first_under_their_own_ids(stored: Embeddings) -> None:
    found = VectorIndex.build(stored).search(stored.rows[20], k=3)
    assert found[0].id == stored.ids[20]
    assert found[0].score == pytest.approx(1)
    assert [n.score for n in found] == sorted((n.score for n in found), reverse=True)


def test_equal_embeddings_come_in_the_order_of_their_ids() -> None:
    ids = np.array([9, 4, 30, 2, 11], dtype=np.int64)
    index = VectorIndex.build(embeddings(np.ones((5, 8)), ids))
    assert [n.id for n in index.search(np.full(8, 8**-0.5, np.float32), k=3)] == [2, 4, 9]


def test_an_empty_index_finds_nothing() -> None:
    index = VectorIndex.build(embeddings(np.ones((1, 8))))
    empty = VectorIndex.build(Embeddings(1, ENCODER, np.empty(0, np.int64), np.empty((0, 8), "f4")))
    assert len(index.search(np.ones(8, np.float32), k=5)) == 1
    assert empty.search(np.ones(8, np.float32), k=5) == []


def test_an_embedding_comes_back_by_id_and_an_unknown_id_is_none(stored: Embeddings) -> None:
    index = VectorIndex.build(stored)
    np.testing.assert_array_equal(index.embedding(int(stored.ids[5])), stored.rows[5])
    assert index.embedding(5_000) is None


def test_the_search_device_never_loses_the_vectors(stored: Embeddings) -> None:
    """FAISS's copy to no GPU at all is an empty index that finds nothing, without an error."""
    index = VectorIndex.build(stored)
    assert index.device == ("GPU" if faiss.get_num_gpus() else "CPU")
    assert len(index.search(stored.rows[0], k=50)) == 50
    if not faiss.get_num_gpus():
        trap = faiss.index_cpu_to_all_gpus(faiss.index_factory(8, "Flat"))
        assert trap.ntotal == 0, "the trap is gone: the guard in _gpu_copy may go too"


def test_a_saved_index_comes_back(stored: Embeddings, saved: Path) -> None:
    index = load(saved)
    assert index is not None
    assert (len(index), index.dim, index.generation) == (50, 8, 3)
    query = stored.rows[7]
    assert index.search(query, k=9) == VectorIndex.build(stored).search(query, k=9)


def test_the_manifest_says_what_the_file_holds(saved: Path) -> None:
    manifest = vectors.read_manifest(saved)
    assert manifest is not None
    assert (manifest.count, manifest.dim, manifest.index) == (50, 8, "IDMap2,Flat")


@pytest.mark.parametrize("changes", [{"generation": 4}, {"encoder": "f" * 64}])
def test_a_stale_index_is_not_used(saved: Path, changes: dict[str, object]) -> None:
    assert load(saved, **changes) is None


@pytest.mark.parametrize("name", ["vectors-*.faiss", MANIFEST_FILE])
def test_a_missing_file_is_no_error(saved: Path, name: str) -> None:
    for file in list(saved.glob(name)):
        file.unlink()
    assert load(saved) is None


def test_the_generation_before_stays_for_its_readers_and_older_ones_go(
    stored: Embeddings, saved: Path
) -> None:
    names = [index_file(saved).name]
    for generation in (4, 5):
        newer = replace(stored, generation=generation)
        vectors.save(VectorIndex.build(newer), saved)
        names.append(index_file(saved).name)
    assert {file.name for file in saved.glob("*.faiss")} == set(names[-2:])
    assert load(saved, generation=5) is not None


def test_until_the_manifest_is_in_place_the_generation_before_is_read(
    stored: Embeddings, saved: Path
) -> None:
    manifest = (saved / MANIFEST_FILE).read_bytes()
    vectors.save(VectorIndex.build(replace(stored, generation=4)), saved)
    (saved / MANIFEST_FILE).write_bytes(manifest)  # as it is just before the rename
    assert load(saved) is not None
    assert load(saved, generation=4) is None


@pytest.mark.parametrize("name", ["../vectors.faiss", "vectors/../../x.faiss", "/etc/passwd", 7])
def test_a_manifest_that_names_a_file_elsewhere_is_not_followed(saved: Path, name: object) -> None:
    manifest = json.loads((saved / MANIFEST_FILE).read_text())
    (saved / MANIFEST_FILE).write_text(json.dumps({**manifest, "file": name}))
    assert vectors.read_manifest(saved) is None


def test_an_index_from_before_generations_had_their_own_file_is_read(saved: Path) -> None:
    index_file(saved).rename(saved / "vectors.faiss")
    manifest = json.loads((saved / MANIFEST_FILE).read_text())
    del manifest["file"]
    (saved / MANIFEST_FILE).write_text(json.dumps(manifest))
    assert load(saved) is not None


@pytest.mark.skipif(faiss.get_num_gpus() > 0, reason="there is a GPU here")
def test_without_a_gpu_nothing_is_copied_to_an_index_that_would_be_empty(
    stored: Embeddings,
) -> None:
    flat = faiss.IndexFlatIP(8)
    flat.add(stored.rows)
    assert faiss.index_cpu_to_all_gpus(flat).ntotal == 0, "the trap is still there"
    index = VectorIndex.build(stored)
    assert index.device == "CPU"
    assert len(index.search(stored.rows[0], k=5)) == 5


@pytest.mark.parametrize("position", [0, 4, 40, -1])
def test_one_wrong_byte_is_found(saved: Path, position: int) -> None:
    data = bytearray(index_file(saved).read_bytes())
    data[position] ^= 1
    index_file(saved).write_bytes(data)
    assert load(saved) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"generation": 3}', "\udcff"])
def test_a_damaged_manifest_is_no_error(saved: Path, text: str) -> None:
    (saved / MANIFEST_FILE).write_bytes(text.encode(errors="surrogateescape"))
    assert load(saved) is None


@pytest.mark.parametrize("data", [b"", b"IxM2", b"no index" * 100])
def test_nonsense_with_a_fitting_checksum_is_no_error(saved: Path, data: bytes) -> None:
    forge(saved, data)
    assert load(saved) is None


def test_an_index_of_another_type_is_not_used(saved: Path) -> None:
    other = faiss.index_factory(8, "Flat")
    other.add(np.ones((50, 8), np.float32))
    forge(saved, faiss.serialize_index(other).tobytes())
    assert load(saved) is None


def forge(folder: Path, data: bytes) -> None:
    """Put other bytes in the index file, and their checksum in the manifest."""
    index_file(folder).write_bytes(data)
    manifest = json.loads((folder / MANIFEST_FILE).read_text())

    manifest["sha256"] = hashlib.sha256(data).hexdigest()
    (folder / MANIFEST_FILE).write_text(json.dumps(manifest))
