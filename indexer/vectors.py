"""The vector index: exact search by FAISS. A cache of the catalogue that can always be rebuilt.

Each generation is a file of its own. It is written, flushed to disk, and then published by the one
rename that puts `vectors.json` in place, which names it and holds its SHA-256. The file is not
parsed before that checksum matched. The generation before stays for those who are about to read
it; a reader that has the file open keeps it in any case.
"""

import hashlib
import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import faiss
import numpy as np

from indexer import providers
from indexer.records import Embeddings
from training.files import atomic_write

INDEX_FILES = "vectors*.faiss"
MANIFEST_FILE = "vectors.json"

# Exact, nothing to train or tune: 8 ms a query at 100,000 photos of 512 numbers.
INDEX_KEY = "IDMap2,Flat"

# Scores this close may be one score, summed in another order.
TIE = 1e-5

# A GPU selects at most this many neighbours.
GPU_MOST = 2048

# By default small batches take FAISS's slow path: 5.7 times slower at 100 queries.
faiss.cvar.distance_compute_blas_threshold = 4

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A stored embedding near a query."""

    id: int
    score: float  # cosine


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an index file holds."""

    generation: int
    sha256: str
    count: int
    dim: int
    encoder: str  # fingerprint
    index: str  # FAISS's name for its type
    file: str = "vectors.faiss"  # as it was called before each generation had its own


class VectorIndex:
    """Embeddings by id, searched exactly. Safe to share between threads.

    With a GPU the search runs there, on a copy. The CPU index stays: it is the one that is saved,
    and filling an exact index is but a copy on either.
    """

    def __init__(self, index: faiss.IndexIDMap2, *, generation: int, encoder: str) -> None:
        self.generation = generation  # of the catalogue it was built from
        self.encoder = encoder  # fingerprint
        self._index = index
        self._on_gpu = _gpu_copy(index.index)  # without ids: it finds positions
        self._ids = faiss.vector_to_array(index.id_map)  # (n,) int64 by position
        self._gpu_lock = threading.Lock()  # FAISS's GPU resources serve one thread at a time

    @classmethod
    def build(cls, embeddings: Embeddings) -> "VectorIndex":
        """An index of all of them."""
        dim = embeddings.rows.shape[1]
        empty = faiss.index_factory(dim, INDEX_KEY, faiss.METRIC_INNER_PRODUCT)
        assert isinstance(empty, faiss.IndexIDMap2)
        faiss.omp_set_num_threads(providers.cores())
        empty.add_with_ids(embeddings.rows, embeddings.ids)
        return cls(empty, generation=embeddings.generation, encoder=embeddings.encoder)

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def dim(self) -> int:
        """The length of an embedding."""
        return int(self._index.d)

    @property
    def device(self) -> str:
        """Where it searches: `GPU` or `CPU`."""
        return "CPU" if self._on_gpu is None else "GPU"

    @property
    def ids(self) -> np.ndarray:
        """The ids `(n,)` int64, in the order of `rows`; read-only."""
        view = self._ids.view()
        view.flags.writeable = False
        return view

    @property
    def rows(self) -> np.ndarray:
        """All embeddings `(n, d)` float32, unit rows: the index's own memory, read-only."""
        return np.asarray(_Rows(self._index))

    def embedding(self, photo_id: int) -> np.ndarray | None:
        """The stored `(d,)` float32 unit row; None when the id is not in the index."""
        try:
            return np.asarray(self._index.reconstruct(photo_id))
        except RuntimeError:
            return None

    def search(
        self, query: np.ndarray, *, k: int, among: np.ndarray | None = None
    ) -> list[Neighbour]:
        """The `k` best, fewer if there are no more: best score first, ties by id.

        Args:
            query: `(d,)` float32, of unit length.
            k: how many are wanted.
            among: ids `(m,)` int64 to choose from, in any order, unknown ones no matter; None
                is all. It narrows the search itself, so `k` are found when there are `k`.
        """
        allowed = None if among is None else np.isin(self._ids, among)  # (n,) bool
        most = len(self) if allowed is None else int(np.count_nonzero(allowed))
        k = min(k, most)
        wanted = min(2 * k, most)
        while k > 0:
            found = self._rescored(query, self._nearest(query, wanted, allowed))
            # Unless the last one found is clearly worse than the k-th, its equals may follow.
            if wanted == most or found[-1].score < found[k - 1].score - TIE:
                return found[:k]
            wanted = min(2 * wanted, most)
        return []

    def neighbourhoods(self, ids: np.ndarray, *, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The `k` photos nearest to each of some, themselves among them.

        Args:
            ids: `(m,)` int64, all of them in the index.
            k: how many for each, at most as many as there are.

        Returns:
            Their rows `(m, k, d)` float32 and scores `(m, k)` float32.
        """
        # One thread: a few milliseconds of work, and a barrier would wait for a busy core.
        faiss.omp_set_num_threads(1)
        rows = self._index.reconstruct_batch(ids)  # (m, d)
        scores, positions = self._index.index.search(rows, k)  # (m, k)
        return self.rows[positions], scores

    def to_bytes(self) -> bytes:
        """The index as a file's content."""
        return bytes(faiss.serialize_index(self._index).tobytes())

    def _nearest(self, query: np.ndarray, k: int, allowed: np.ndarray | None) -> np.ndarray:
        """Ids of the `k` nearest allowed ones, `(k,)` int64, as FAISS scores them."""
        rows = query[np.newaxis].astype(np.float32)  # (1, d)
        if self._on_gpu is not None and k <= GPU_MOST and allowed is None:
            with self._gpu_lock:
                return np.asarray(self._ids[self._on_gpu.search(rows, k)[1][0]])
        # More threads gain nothing on one query, and lose 8 ms when another process is busy.
        faiss.omp_set_num_threads(1)
        with _restriction(allowed) as only:
            positions = self._index.index.search(rows, k, params=only)[1][0]
        return np.asarray(self._ids[positions])

    def _rescored(self, query: np.ndarray, ids: np.ndarray) -> list[Neighbour]:
        """Score each in the same order of operations, so that equal embeddings score equal."""
        scores = cosines(self._index.reconstruct_batch(ids), query)  # (k,)
        order = np.lexsort((ids, -scores))
        return [Neighbour(int(ids[i]), float(scores[i])) for i in order]


class _Rows:
    """The memory of an exact index, which stays alive as long as an array looks into it."""

    def __init__(self, index: faiss.IndexIDMap2) -> None:
        self._index = index
        flat = faiss.downcast_index(index.index)
        assert isinstance(flat, faiss.IndexFlat)
        self.__array_interface__ = {
            "version": 3,
            "data": (int(flat.get_xb()), True),  # True: read-only
            "shape": (int(index.ntotal), int(index.d)),
            "typestr": np.dtype(np.float32).str,
        }


def cosines(rows: np.ndarray, query: np.ndarray) -> np.ndarray:
    """Scores `(n,)` float32 of `(n, d)` unit rows; a row's score does not depend on the others."""
    return np.asarray((rows * query).sum(axis=1), dtype=np.float32)


def save(index: VectorIndex, folder: Path) -> None:
    """Write the index and its manifest into a gallery.

    Raises:
        OSError: the disk is full or the folder cannot be written; what was there stays valid.
    """
    data = index.to_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    manifest = Manifest(
        generation=index.generation,
        sha256=sha256,
        count=len(index),
        dim=index.dim,
        encoder=index.encoder,
        index=INDEX_KEY,
        file=f"vectors-{index.generation}-{sha256[:8]}.faiss",
    )
    before = read_manifest(folder)
    atomic_write(folder / manifest.file, data)
    atomic_write(folder / MANIFEST_FILE, json.dumps(asdict(manifest), indent=1).encode())
    kept = {manifest.file, before.file if before else ""}
    for file in folder.glob(INDEX_FILES):
        if file.name not in kept:
            with suppress(PermissionError):  # Windows keeps a file that somebody reads
                file.unlink(missing_ok=True)


def read_manifest(folder: Path) -> Manifest | None:
    """What the gallery's index file should hold; None when that cannot be told."""
    try:
        manifest = Manifest(**json.loads((folder / MANIFEST_FILE).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None
    # It names a file of this folder, whoever wrote it.
    name = str(manifest.file)
    return manifest if fnmatchcase(name, INDEX_FILES) and Path(name).name == name else None


def load(folder: Path, *, generation: int, encoder: str) -> VectorIndex | None:
    """The saved index; None when it is missing, stale or damaged and must be rebuilt."""
    manifest = read_manifest(folder)
    if manifest is None or (manifest.generation, manifest.encoder) != (generation, encoder):
        return None
    try:
        data = (folder / manifest.file).read_bytes()
    except OSError:
        return None
    if hashlib.sha256(data).hexdigest() != manifest.sha256:
        _log.info("%s is damaged and will be rebuilt", folder / manifest.file)
        return None
    index = _parsed(data)
    if index is None or (index.ntotal, index.d) != (manifest.count, manifest.dim):
        return None
    return VectorIndex(index, generation=generation, encoder=encoder)


def _parsed(data: bytes) -> faiss.IndexIDMap2 | None:
    """An index from bytes whose checksum matched; None when this FAISS cannot read them."""
    # A header that claims more than the file could hold is refused before memory is taken.
    faiss.set_deserialization_vector_byte_limit(4 * len(data))
    try:
        index = faiss.deserialize_index(np.frombuffer(data, dtype=np.uint8))
    except RuntimeError:
        return None
    if isinstance(index, faiss.IndexIDMap2) and index.metric_type == faiss.METRIC_INNER_PRODUCT:
        return index
    return None


@contextmanager
def _restriction(allowed: np.ndarray | None) -> Iterator[faiss.SearchParameters | None]:
    """What makes FAISS look only at the positions that are True in `(n,)` bool; None for all."""
    if allowed is None:
        yield None
        return
    bits = np.packbits(allowed, bitorder="little")
    parameters = faiss.SearchParameters()
    # FAISS keeps pointers only: bits and selector live as long as this block.
    selector = faiss.IDSelectorBitmap(len(bits), faiss.swig_ptr(bits))
    parameters.sel = selector
    yield parameters


def _gpu_copy(index: faiss.Index) -> faiss.Index | None:
    """An index on all GPUs; None without one.

    Asked first because without a GPU FAISS's own copy is an empty index that finds nothing.
    """
    if faiss.get_num_gpus() == 0:
        return None
    copy = faiss.index_cpu_to_all_gpus(index)
    assert copy.ntotal == index.ntotal, (copy.ntotal, index.ntotal)
    return copy
