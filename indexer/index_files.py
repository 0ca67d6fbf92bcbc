"""The index's files: a cache of the catalogue that can always be rebuilt.

`vectors-N-*.rows` holds the embeddings of generation N as they are, one float32 after the other,
and behind them their ids as int64: it is mapped, not read. `vectors-N-*.faiss` lies beside it where
there is a coarse index. Both are written, flushed to disk, and then published by the one rename
that puts `vectors.json` in place, which names them and holds their SHA-256. No file is used before
its checksum matched. The generation before stays for those who are about to read it; a reader that
has the files open keeps them in any case.
"""

import hashlib
import json
import logging
import mmap
import os
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import faiss
import numpy as np

from indexer import verified
from indexer.coarse import HALF_SLACK, Coarse
from indexer.kinds import Choice, Kind, Wanted
from indexer.reading import reading
from indexer.records import Embeddings
from indexer.vectors import VectorIndex
from training.files import atomic_write, replacing

MANIFEST_FILE = "vectors.json"
ROWS_FILES = "vectors-*.rows"
INDEX_FILES = "vectors*.faiss"

_ROW = np.dtype("<f4")
_ID = np.dtype("<i8")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the index's files hold."""

    generation: int
    encoder: str  # fingerprint
    count: int
    dim: int
    rows: str  # the file of the rows
    rows_sha256: str
    kind: Kind
    why: str
    wanted: Wanted
    index: str = ""  # the file of the coarse index; empty where there is none
    index_sha256: str = ""
    cells: int = 0  # that a search looks at
    recall: float | None = None  # measured, of an approximate index


def save(index: VectorIndex, folder: Path) -> None:
    """Write the index and its manifest into a gallery.

    Raises:
        OSError: the disk is full or the folder cannot be written; what was there stays valid.
    """
    before = read_manifest(folder)
    rows, rows_sha256 = _save_rows(index, folder)
    coarse, coarse_sha256 = "", ""
    if index.coarse is not None:
        coarse, coarse_sha256 = _save_coarse(index, index.coarse, folder)
    manifest = Manifest(
        generation=index.generation,
        encoder=index.encoder,
        count=len(index),
        dim=index.dim,
        rows=rows,
        rows_sha256=rows_sha256,
        kind=index.choice.kind,
        why=index.choice.why,
        wanted=index.choice.wanted,
        index=coarse,
        index_sha256=coarse_sha256,
        cells=index.coarse.cells if index.coarse else 0,
        recall=index.coarse.recall if index.coarse else None,
    )
    atomic_write(folder / MANIFEST_FILE, json.dumps(asdict(manifest), indent=1).encode())
    kept = {manifest.rows, manifest.index, *((before.rows, before.index) if before else ())}
    for file in (*folder.glob(ROWS_FILES), *folder.glob(INDEX_FILES)):
        if file.name not in kept:
            with suppress(PermissionError):  # Windows keeps a file that somebody reads
                file.unlink(missing_ok=True)


def read_manifest(folder: Path) -> Manifest | None:
    """What the gallery's index files should hold; None when that cannot be told."""
    try:
        manifest = Manifest(**json.loads((folder / MANIFEST_FILE).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None
    # It names files of this folder, whoever wrote it.
    named = _is_ours(manifest.rows, ROWS_FILES)
    beside = not manifest.index or _is_ours(manifest.index, INDEX_FILES)
    return manifest if named and beside else None


def load(
    folder: Path,
    *,
    generation: int,
    encoder: str,
    rehash: bool = False,
    remember: bool = True,
) -> VectorIndex | None:
    """The saved index; None when it is missing, stale or damaged and must be rebuilt.

    Args:
        folder: the gallery's.
        generation: of the catalogue.
        encoder: its fingerprint.
        rehash: hash the files also where it is remembered that they matched.
        remember: note in the folder which files matched.
    """
    manifest = read_manifest(folder)
    if manifest is None or (manifest.generation, manifest.encoder) != (generation, encoder):
        return None
    files = {manifest.rows: manifest.rows_sha256, manifest.index: manifest.index_sha256}
    files.pop("", None)
    for name, sha256 in files.items():
        if not verified.matches(folder / name, sha256, again=rehash, remember=remember):
            _log.info("%s is missing or damaged and will be rebuilt", folder / name)
            return None
    stored = _mapped(folder, manifest)
    if stored is None:
        return None
    choice = Choice(manifest.kind, manifest.why, manifest.wanted)
    if manifest.kind == "exact":
        return VectorIndex(stored, choice=choice)
    coarse = _parsed(folder / manifest.index, manifest)
    return None if coarse is None else VectorIndex(stored, choice=choice, coarse=coarse)


def load_any(folder: Path, *, encoder: str) -> VectorIndex | None:
    """The saved index of whatever generation, for its training; None as `load`."""
    manifest = read_manifest(folder)
    if manifest is None:
        return None
    return load(folder, generation=manifest.generation, encoder=encoder)


def _is_ours(name: object, pattern: str) -> bool:
    return isinstance(name, str) and fnmatchcase(name, pattern) and Path(name).name == name


def _save_rows(index: VectorIndex, folder: Path) -> tuple[str, str]:
    """Write rows and ids; the file's name and its SHA-256."""
    parts = (index.rows.astype(_ROW, copy=False), index.ids.astype(_ID, copy=False))
    digest = hashlib.sha256()
    for part in parts:
        digest.update(np.ascontiguousarray(part).data)
    sha256 = digest.hexdigest()
    name = f"vectors-{index.generation}-{sha256[:8]}.rows"
    with replacing(folder / name) as temporary, temporary.open("wb") as file:
        for part in parts:
            file.write(np.ascontiguousarray(part).data)
    return name, sha256


def _save_coarse(index: VectorIndex, coarse: Coarse, folder: Path) -> tuple[str, str]:
    """Write FAISS's own file; its name and its SHA-256."""
    data = faiss.serialize_index(coarse.index).tobytes()
    sha256 = hashlib.sha256(data).hexdigest()
    name = f"vectors-{index.generation}-{sha256[:8]}.faiss"
    atomic_write(folder / name, data)
    return name, sha256


def _mapped(folder: Path, manifest: Manifest) -> Embeddings | None:
    """Rows and ids of a file whose checksum matched; None where they are not as described."""
    count, dim = manifest.count, manifest.dim
    with (folder / manifest.rows).open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size != count * (dim * _ROW.itemsize + _ID.itemsize):
            return None
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
    rows = np.frombuffer(data, _ROW, count * dim).reshape(count, dim)
    # Copied: few, and then aligned, whatever comes before them.
    ids = np.frombuffer(data, _ID, count, offset=rows.nbytes).copy()
    if (np.diff(ids) <= 0).any():
        return None
    return Embeddings(manifest.generation, manifest.encoder, ids, rows)


def _parsed(path: Path, manifest: Manifest) -> Coarse | None:
    """A coarse index from a file whose checksum matched; None when this FAISS cannot read it."""
    try:
        with reading(path.stat().st_size):
            index = _read(path)
    except RuntimeError:
        return None
    expected = {"half": faiss.IndexScalarQuantizer, "approximate": faiss.IndexIVFScalarQuantizer}
    if not isinstance(index, expected.get(manifest.kind, ())):
        return None
    said = (index.ntotal, index.d, index.metric_type)
    if said != (manifest.count, manifest.dim, faiss.METRIC_INNER_PRODUCT):
        return None
    slack = HALF_SLACK if manifest.kind == "half" else 0.0
    return Coarse(index, slack, manifest.cells, manifest.recall)


def _read(path: Path) -> faiss.Index:
    """Mapped; read into memory on Windows, or where the name is no text that FAISS takes."""
    try:
        name = os.fspath(path).encode().decode()
    except UnicodeEncodeError:
        name = ""
    if sys.platform == "win32" or not name:
        return faiss.deserialize_index(np.fromfile(path, dtype=np.uint8))
    return faiss.read_index(name, faiss.IO_FLAG_MMAP_IFC)
