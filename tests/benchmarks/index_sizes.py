"""How fast, how large and how exact is the index? Beside raw FAISS, hnswlib and usearch.

    python tests/benchmarks/index_sizes.py [--sizes 10000 100000 1000000] [--dims 128 512]
        [--data realistic hard] [--only NAMES] [--scratch DIR]

Every line is measured in a process of its own: single queries on one thread, half of them among a
random half of the photos, then all queries as one batch on all cores. Memory is what the process
grows by. hnswlib and usearch are measured where they are installed, with M = 16 and 100 candidates
while building; they and FAISS's cells look at as much as recall 0.98 takes. With --scratch the data
stay there for the next run.
"""

import argparse
import importlib.util
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import faiss
import numpy as np
from index_data import Data, K, likeness, make, recall, timed

from indexer import index_files, providers
from indexer.kinds import Choice
from indexer.records import Embeddings
from indexer.vectors import VectorIndex

QUERIES = 400
LEAST_RECALL = 0.98
OURS = ("exact", "half", "approximate")
PEERS = ("faiss Flat", "faiss SQfp16", "faiss IVF,SQ8", "hnswlib", "usearch")

# Positions (m, K) for queries (m, d), on so many threads.
Search = Callable[[np.ndarray, int], np.ndarray]
# The same for one query and among the positions that are True.
Filtered = Callable[[np.ndarray, np.ndarray], object]


@dataclass(frozen=True)
class Built:
    """An index, ready."""

    search: Search
    single: Callable[[np.ndarray], object]
    filtered: Filtered | None
    effort: str  # what it looks at


@dataclass(frozen=True)
class Line:
    """What was measured of one index."""

    name: str
    recall: float
    p50: float  # ms, one query
    p99: float
    filtered: float | None  # ms, p50 among half of the photos
    batch: float  # queries a second
    build: float  # seconds
    memory: float  # MB
    effort: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--dims", type=int, nargs="+", default=[128, 512])
    parser.add_argument("--data", nargs="+", default=["realistic", "hard"])
    parser.add_argument("--only", nargs="+", default=[*OURS, *PEERS])
    parser.add_argument("--scratch", type=Path)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(asdict(measured(options.one[0], read(Path(options.one[1]))))))
        return
    with tempfile.TemporaryDirectory() as scratch:
        for size in options.sizes:
            for dim in options.dims:
                for kind in options.data:
                    place = (options.scratch or Path(scratch)) / f"{kind}-{size}-{dim}"
                    table(place, kind, size, dim, options.only)


def table(place: Path, kind: str, size: int, dim: int, names: list[str]) -> None:
    """Measure all indexes on one collection."""
    if not place.exists():
        write(place, make(kind, count=size, dim=dim, queries=QUERIES))
    print(f"\n{size:,} x {dim}, {kind}: {likeness(read(place))}\n")
    print("| index | recall@10 | p50, p99 ms | filtered ms | batch/s | build s | MB | looks at |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for name in names:
        if name in ("hnswlib", "usearch") and importlib.util.find_spec(name) is None:
            continue
        done = subprocess.run(
            [sys.executable, __file__, "--one", name, str(place)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            print(f"| {name} | {done.stderr.strip().splitlines()[-1]} |", flush=True)
            continue
        line = Line(**json.loads(done.stdout.splitlines()[-1]))
        among = "" if line.filtered is None else f"{line.filtered:.2f}"
        print(
            f"| {line.name} | {line.recall:.3f} | {line.p50:.2f}, {line.p99:.2f} | {among} "
            f"| {line.batch:,.0f} | {line.build:.1f} | {line.memory:,.0f} | {line.effort} |",
            flush=True,
        )


def measured(name: str, data: Data) -> Line:
    """Build one index and time it."""
    before = memory_mb()
    started = time.perf_counter()
    built = BUILDERS[name](data) if name in BUILDERS else ours(name, data)
    seconds = time.perf_counter() - started
    cores = providers.cores()
    found = built.search(data.queries, cores)
    repeats = max(1, min(20, 40_000_000 // len(data.rows) // QUERIES))
    started = time.perf_counter()
    for _ in range(repeats):
        built.search(data.queries, cores)
    rate = repeats * len(data.queries) / (time.perf_counter() - started)
    times = timed(built.single, data.queries)
    among = None
    if built.filtered is not None:
        mask = np.random.default_rng(5).random(len(data.rows)) < 0.5
        filtered = built.filtered
        among = float(np.median(timed(lambda query: filtered(query, mask), data.queries[:100])))
    return Line(
        name,
        recall(data, found),
        float(np.median(times)),
        float(np.quantile(times, 0.99)),
        among,
        rate,
        seconds,
        memory_mb() - before,
        built.effort,
    )


def ours(kind: str, data: Data) -> Built:
    """As a gallery has it: written, checked, mapped."""
    ids = np.arange(len(data.rows), dtype=np.int64) + 1
    stored = Embeddings(1, "e", ids, data.rows)
    made = VectorIndex.build(stored, Choice(kind, "", kind))  # type: ignore[arg-type]
    folder = Path(tempfile.mkdtemp())
    index_files.save(made, folder)
    index = index_files.load(folder, generation=1, encoder="e")
    assert index is not None
    effort = f"stayed {index.choice.kind}" if index.choice.kind != kind else ""
    if index.coarse is not None and index.coarse.cells:
        effort = f"{index.coarse.cells} of {index.coarse.index.nlist} cells"
    return Built(
        lambda queries, threads: index.nearest(queries, k=K, threads=threads)[1],
        lambda query: index.search(query, k=K),
        lambda query, mask: index.search(query, k=K, among=ids[mask]),
        effort,
    )


def raw_faiss(key: str) -> Callable[[Data], Built]:
    """A bare index: no ids, no files, no scores computed again."""

    def built(data: Data) -> Built:
        faiss.omp_set_num_threads(providers.cores())
        cells = 2 ** round(np.log2(4 * np.sqrt(len(data.rows))))
        factory = key.replace("IVF", f"IVF{cells}")
        index = faiss.index_factory(data.rows.shape[1], factory, faiss.METRIC_INNER_PRODUCT)
        index.train(data.rows)
        index.add(data.rows)
        effort = ""
        if "IVF" in key:
            index.nprobe = enough(
                lambda cells: setattr(index, "nprobe", cells), index, data, most=cells
            )
            effort = f"{index.nprobe} of {cells} cells"

        def search(queries: np.ndarray, threads: int) -> np.ndarray:
            faiss.omp_set_num_threads(threads)
            return np.asarray(index.search(queries, K)[1])

        def filtered(query: np.ndarray, mask: np.ndarray) -> None:
            bits = np.packbits(mask, bitorder="little")
            only = faiss.IDSelectorBitmap(len(bits), faiss.swig_ptr(bits))
            faiss.omp_set_num_threads(1)
            parameters = faiss.SearchParameters()
            parameters.sel = only
            index.search(query[np.newaxis], K, params=parameters)

        # Cells take parameters of their own.
        among = None if "IVF" in key else filtered
        return Built(search, lambda query: search(query[np.newaxis], 1), among, effort)

    return built


def enough(use: Callable[[int], None], index: faiss.Index, data: Data, *, most: int) -> int:
    """The least effort, doubled from 1, that reaches the recall; `most` where none does."""
    effort = 1
    while effort < most:
        use(effort)
        if recall(data, np.asarray(index.search(data.queries, K)[1])) >= LEAST_RECALL:
            return effort
        effort *= 2
    return most


def hnswlib_index(data: Data) -> Built:
    import hnswlib  # noqa: PLC0415

    index = hnswlib.Index(space="ip", dim=data.rows.shape[1])
    index.init_index(max_elements=len(data.rows), M=16, ef_construction=100)
    index.set_num_threads(providers.cores())
    index.add_items(data.rows)

    def search(queries: np.ndarray, threads: int) -> np.ndarray:
        return np.asarray(index.knn_query(queries, K, num_threads=threads)[0]).astype(np.int64)

    width = 16
    index.set_ef(width)
    while recall(data, search(data.queries, 1)) < LEAST_RECALL and width < 4096:
        width *= 2
        index.set_ef(width)
    return Built(search, lambda query: search(query[np.newaxis], 1), None, f"ef {width}")


def usearch_index(data: Data) -> Built:
    from usearch.index import Index  # noqa: PLC0415

    index = Index(
        ndim=data.rows.shape[1], metric="ip", dtype="f32", connectivity=16, expansion_add=100
    )
    index.add(np.arange(len(data.rows)), data.rows, threads=providers.cores())

    def search(queries: np.ndarray, threads: int) -> np.ndarray:
        return np.asarray(index.search(queries, K, threads=threads).keys).astype(np.int64)

    width = 16
    index.expansion_search = width
    while recall(data, search(data.queries, 1)) < LEAST_RECALL and width < 4096:
        width *= 2
        index.expansion_search = width
    return Built(search, lambda query: index.search(query, K, threads=1), None, f"ef {width}")


BUILDERS: dict[str, Callable[[Data], Built]] = {
    "faiss Flat": raw_faiss("Flat"),
    "faiss SQfp16": raw_faiss("SQfp16"),
    "faiss IVF,SQ8": raw_faiss("IVF,SQ8"),
    "hnswlib": hnswlib_index,
    "usearch": usearch_index,
}


def write(place: Path, data: Data) -> None:
    place.mkdir(parents=True)
    for name, array in (("rows", data.rows), ("queries", data.queries), ("best", data.best)):
        np.save(place / f"{name}.npy", array)


def read(place: Path) -> Data:
    return Data(*(np.load(place / f"{name}.npy") for name in ("rows", "queries", "best")))


def memory_mb() -> float:
    """What this process has in memory, mapped files too (Linux)."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 1e6


if __name__ == "__main__":
    main()
