"""The index's files: a cache that is never believed without proof."""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import get_args

import faiss
import numpy as np
import pytest

from indexer import index_files
from indexer.index_files import MANIFEST_FILE
from indexer.kinds import Choice, Kind
from indexer.records import Embeddings
from indexer.vectors import VectorIndex
from indexer.verified import VERIFIED_FILE

ENCODER = "e" * 64
KINDS: tuple[Kind, ...] = get_args(Kind)


@pytest.fixture(scope="module")
def stored() -> Embeddings:
    """A thousand photos in a few groups, which an approximate index finds easily."""
    rng = np.random.default_rng(7)
    rows = rng.normal(size=(8, 8))[rng.integers(0, 8, 1_000)] + rng.normal(0, 0.1, (1_000, 8))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    ids = np.arange(1_000, dtype=np.int64) * 7 + 1
    return Embeddings(3, ENCODER, ids, rows.astype(np.float32))


@pytest.fixture(scope="module")
def indexes(stored: Embeddings) -> dict[str, VectorIndex]:
    return {kind: VectorIndex.build(stored, Choice(kind, "asked", kind)) for kind in KINDS}


@pytest.fixture
def save(indexes: dict[str, VectorIndex], tmp_path: Path) -> Callable[[str], Path]:
    """Saves an index of a kind and gives the folder."""

    def saved(kind: str) -> Path:
        index_files.save(indexes[kind], tmp_path)
        return tmp_path

    return saved


@pytest.fixture
def saved(save: Callable[[str], Path]) -> Path:
    return save("exact")


def load(folder: Path, **changes: object) -> VectorIndex | None:
    return index_files.load(folder, **{"generation": 3, "encoder": ENCODER, **changes})  # type: ignore[arg-type]


def rows_file(folder: Path) -> Path:
    """The rows that a gallery's manifest names."""
    manifest = index_files.read_manifest(folder)
    assert manifest is not None
    return folder / manifest.rows


def coarse_file(folder: Path) -> Path:
    """The coarse index that a gallery's manifest names."""
    manifest = index_files.read_manifest(folder)
    assert manifest is not None
    assert manifest.index
    return folder / manifest.index


def edit(folder: Path, **changes: object) -> None:
    """Change what the manifest says."""
    manifest = json.loads((folder / MANIFEST_FILE).read_text())
    (folder / MANIFEST_FILE).write_text(json.dumps({**manifest, **changes}))


def forge(file: Path, data: bytes, name: str) -> None:
    """Put other bytes in a file, and their checksum in the manifest."""
    file.write_bytes(data)
    edit(file.parent, **{name: hashlib.sha256(data).hexdigest()})


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_index_comes_back(
    kind: str, indexes: dict[str, VectorIndex], stored: Embeddings, save: Callable[[str], Path]
) -> None:
    before, index = indexes[kind], load(save(kind))
    assert index is not None
    assert (len(index), index.dim, index.generation) == (1_000, 8, 3)
    assert index.choice == before.choice == Choice(kind, before.choice.why, kind)  # type: ignore[arg-type]
    assert (index.coarse is None) == (before.coarse is None)
    np.testing.assert_array_equal(index.rows, stored.rows)
    np.testing.assert_array_equal(index.ids, stored.ids)
    for query in stored.rows[:5]:
        assert index.search(query, k=9) == before.search(query, k=9)


def test_an_empty_index_comes_back(tmp_path: Path) -> None:
    empty = Embeddings(3, ENCODER, np.empty(0, np.int64), np.empty((0, 8), np.float32))
    index_files.save(VectorIndex.build(empty), tmp_path)
    index = load(tmp_path)
    assert index is not None
    assert index.search(np.ones(8, np.float32), k=3) == []
    assert index.search(np.ones(8, np.float32), k=3, among=np.array([1])) == []


def test_the_manifest_says_what_the_files_hold(save: Callable[[str], Path]) -> None:
    manifest = index_files.read_manifest(save("approximate"))
    assert manifest is not None
    assert (manifest.count, manifest.dim, manifest.kind) == (1_000, 8, "approximate")
    assert manifest.recall is not None
    assert manifest.recall >= 0.98
    assert manifest.cells >= 1


@pytest.mark.parametrize("changes", [{"generation": 4}, {"encoder": "f" * 64}])
def test_a_stale_index_is_not_used(saved: Path, changes: dict[str, object]) -> None:
    assert load(saved, **changes) is None


@pytest.mark.parametrize("name", ["vectors-*.rows", "vectors-*.faiss", MANIFEST_FILE])
def test_a_missing_file_is_no_error(save: Callable[[str], Path], name: str) -> None:
    folder = save("half")
    (file,) = folder.glob(name)
    file.unlink()
    assert load(folder) is None


def test_the_generation_before_stays_for_its_readers_and_older_ones_go(
    stored: Embeddings, save: Callable[[str], Path]
) -> None:
    folder = save("half")
    names = [rows_file(folder).name, coarse_file(folder).name]
    for generation in (4, 5):
        newer = replace(stored, generation=generation)
        index_files.save(VectorIndex.build(newer, Choice("half", "")), folder)
        names += [rows_file(folder).name, coarse_file(folder).name]
    assert {file.name for file in folder.glob("vectors-*")} == set(names[-4:])
    assert load(folder, generation=5) is not None


def test_until_the_manifest_is_in_place_the_generation_before_is_read(
    stored: Embeddings, saved: Path
) -> None:
    manifest = (saved / MANIFEST_FILE).read_bytes()
    index_files.save(VectorIndex.build(replace(stored, generation=4)), saved)
    (saved / MANIFEST_FILE).write_bytes(manifest)  # as it is just before the rename
    assert load(saved) is not None
    assert load(saved, generation=4) is None


def test_an_index_in_use_outlives_its_files(saved: Path, stored: Embeddings) -> None:
    index = load(saved)
    assert index is not None
    for file in saved.iterdir():
        file.unlink()
    np.testing.assert_array_equal(index.rows, stored.rows)


@pytest.mark.parametrize("field", ["rows", "index"])
@pytest.mark.parametrize("name", ["../vectors-1.rows", "vectors/../../x.faiss", "/etc/passwd", 7])
def test_a_manifest_that_names_a_file_elsewhere_is_not_followed(
    saved: Path, field: str, name: object
) -> None:
    edit(saved, **{field: name})
    assert index_files.read_manifest(saved) is None


def test_the_files_of_an_older_version_are_made_anew(saved: Path, stored: Embeddings) -> None:
    (saved / "vectors-2-0a1b2c3d.faiss").write_bytes(b"IxM2")
    older = {"generation": 3, "sha256": "0", "count": 1, "dim": 8, "encoder": ENCODER}
    (saved / MANIFEST_FILE).write_text(json.dumps({**older, "file": "vectors-2-0a1b2c3d.faiss"}))
    assert load(saved) is None
    index_files.save(VectorIndex.build(stored), saved)
    assert not list(saved.glob("*.faiss"))


@pytest.mark.parametrize("position", [0, 4, 40, -1])
@pytest.mark.parametrize("find", [rows_file, coarse_file])
def test_one_wrong_byte_is_found(
    save: Callable[[str], Path], find: Callable[[Path], Path], position: int
) -> None:
    folder = save("half")
    data = bytearray(find(folder).read_bytes())
    data[position] ^= 1
    find(folder).write_bytes(data)
    assert load(folder) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"generation": 3}', "\udcff"])
def test_a_damaged_manifest_is_no_error(saved: Path, text: str) -> None:
    (saved / MANIFEST_FILE).write_bytes(text.encode(errors="surrogateescape"))
    assert load(saved) is None


@pytest.mark.parametrize("data", [b"", b"IxSQ", b"no index" * 100])
def test_nonsense_with_a_fitting_checksum_is_no_error(
    save: Callable[[str], Path], data: bytes
) -> None:
    forge(coarse_file(save("half")), data, "index_sha256")
    assert load(coarse_file(save("half")).parent) is not None, "saved again"
    folder = save("half")
    forge(coarse_file(folder), data, "index_sha256")
    assert load(folder) is None
    forge(rows_file(folder), data, "rows_sha256")
    assert load(folder) is None


def test_an_index_of_another_type_is_not_used(save: Callable[[str], Path]) -> None:
    folder = save("half")
    other = faiss.index_factory(8, "Flat", faiss.METRIC_INNER_PRODUCT)
    other.add(np.ones((1_000, 8), np.float32))
    forge(coarse_file(folder), faiss.serialize_index(other).tobytes(), "index_sha256")
    assert load(folder) is None
    edit(folder, kind="odd")
    assert load(folder) is None


def test_ids_that_are_not_in_order_are_not_used(saved: Path, stored: Embeddings) -> None:
    ids = stored.ids[::-1].tobytes()
    forge(rows_file(saved), stored.rows.tobytes() + ids, "rows_sha256")
    assert load(saved) is None


def test_a_file_is_hashed_once_and_again_when_it_changes_or_is_asked_for(saved: Path) -> None:
    assert load(saved) is not None
    remembered = json.loads((saved / VERIFIED_FILE).read_text())
    assert list(remembered) == [rows_file(saved).name]
    # What it remembers is believed: the manifest now names a checksum that the file has not.
    facts = remembered[rows_file(saved).name]
    edit(saved, rows_sha256="0" * 64)
    (saved / VERIFIED_FILE).write_text(json.dumps({rows_file(saved).name: [*facts[:-1], "0" * 64]}))
    assert load(saved) is not None
    assert load(saved, rehash=True) is None
    assert load(saved) is None, "damage that was found is not forgotten"


def test_a_copy_is_another_file_whatever_list_comes_with_it(saved: Path) -> None:
    assert load(saved) is not None
    data = bytearray(rows_file(saved).read_bytes())
    data[7] ^= 1
    times = rows_file(saved).stat()
    rows_file(saved).write_bytes(data)
    while rows_file(saved).stat().st_ctime_ns == times.st_ctime_ns:  # the clock ticks coarsely
        os.utime(rows_file(saved), ns=(times.st_atime_ns, times.st_mtime_ns))
    assert load(saved) is None, "size, inode and time of content are what they were"


@pytest.mark.parametrize("text", ["", "[1]", '{"vectors": 7}', "\udcff"])
def test_a_damaged_list_of_checked_files_costs_only_time(saved: Path, text: str) -> None:
    (saved / VERIFIED_FILE).write_bytes(text.encode(errors="surrogateescape"))
    assert load(saved) is not None
