"""From files to embeddings: every thread reads, hashes, decodes and embeds a few files at a time.

Every file is read once. Decoding is skipped where the content is known already.
"""

import hashlib
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from os import fsdecode
from pathlib import Path
from threading import Semaphore

import numpy as np

from indexer.encoder import BATCH, OnnxEncoder
from indexer.providers import CUDA, cores
from indexer.records import Content, KnownSkip
from indexer.scan import Candidate
from indexer.wording import shown
from training.errors import CollectionError, PhotoError
from training.inflight import InFlight
from training.photos import decode, read_file

# Threads that run the network at the same time, on processors: each takes memory of its own.
MOST_AT_ONCE = 16

# Photos in one run of the network. Measured: eight fill a core, and a GPU is busy at 32.
_GROUP = 8
_GROUP_FOR_GPU = BATCH

# On a GPU one group is in work and one waits, and so many threads prepare the next ones.
_AT_ONCE_ON_GPU = 2
_THREADS_FOR_GPU = 16


@dataclass(frozen=True, slots=True)
class Split:
    """How the work is divided among threads."""

    group: int  # files that a thread takes from the disk to their embeddings
    threads: int
    at_once: int  # threads that may be at the network


def split_for(encoder: OnnxEncoder) -> Split:
    """The division that suits where an encoder runs.

    On processors each thread runs the network by itself, and one thread more than that reads.
    Measured against threads that decode beside a network on all cores: a quarter faster, for
    nobody waits for a colleague at the end of every layer.
    """
    if encoder.provider == CUDA:
        return Split(_GROUP_FOR_GPU, _THREADS_FOR_GPU, _AT_ONCE_ON_GPU)
    at_once = min(cores(), MOST_AT_ONCE)
    return Split(_GROUP, at_once + 1, at_once)


def embedding_threads() -> int:
    """The cores that one run of the network takes on processors, in an encoder to build with."""
    return max(1, cores() // MOST_AT_ONCE)


@dataclass(frozen=True, slots=True, eq=False)
class Finished:
    """A file that was read: a photo with its embedding, or the reason why not."""

    candidate: Candidate
    hash: bytes = b""
    content: Content | None = None  # None: it was known already, and not decoded
    vector: np.ndarray | None = None  # (d,) float32; None: it has one already
    skip: KnownSkip | None = None  # None: it is a photo


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    finished: Finished
    pixels: np.ndarray | None = None  # (S, S, 3) uint8; None: nothing to embed


@dataclass(frozen=True, slots=True, eq=False)
class _Work:
    """What the threads share."""

    root: Path
    encoder: OnnxEncoder
    known: set[bytes]
    in_flight: InFlight
    network: Semaphore

    def finish(self, group: Sequence[Candidate]) -> list[Finished]:
        """Read some files, and embed each content among them once."""
        reads = [self._read(candidate) for candidate in group]
        fresh = {read.finished.hash: read.pixels for read in reads if read.pixels is not None}
        if not fresh:
            return [read.finished for read in reads]
        with self.network:
            rows = self.encoder.embed(np.stack(list(fresh.values())))  # (b, d)
        vectors = dict(zip(fresh, rows, strict=True))
        return [replace(r.finished, vector=vectors.get(r.finished.hash)) for r in reads]

    def _read(self, candidate: Candidate) -> _Read:
        file = candidate.file
        preprocessing = self.encoder.spec.preprocessing
        try:
            data = read_file(self.root / fsdecode(file.path))
        except PhotoError as error:
            if not self.root.is_dir():
                raise CollectionError(
                    f"the photo folder {shown(self.root)} vanished while it was read",
                    hint="what was finished is kept; bring it back and run the same command again",
                ) from None
            # It may be readable next time, with the same size and time: look again then.
            return _Read(Finished(candidate, skip=KnownSkip(file.path, error.message)))
        digest = hashlib.sha256(data).digest()
        if digest in self.known:
            return _Read(Finished(candidate, digest))
        try:
            with self.in_flight.decoding(digest) as isolated:
                photo = decode(data, at_least=preprocessing.at_least, isolated=isolated)
        except PhotoError as error:
            skip = KnownSkip(file.path, error.message, file.size_bytes, file.mtime_ns)
            return _Read(Finished(candidate, skip=skip))
        content = Content(digest, photo.width, photo.height, photo.format, len(data), photo.shot)
        return _Read(Finished(candidate, digest, content), preprocessing.prepare(photo.image))


def embed_files(
    root: Path,
    candidates: Sequence[Candidate],
    encoder: OnnxEncoder,
    *,
    known: set[bytes],
    in_flight: InFlight,
) -> Generator[list[Finished], None, None]:
    """Read and embed files, in order, a few at a time.

    Args:
        root: the photo folder.
        candidates: the files.
        encoder: what embeds them.
        known: hashes of the contents that have an embedding; new ones are added here.
        in_flight: told of each photo that is being decoded.

    Raises:
        CollectionError: `root` vanished.
    """
    split = split_for(encoder)
    work = _Work(root, encoder, known, in_flight, Semaphore(split.at_once))
    with closing(_in_order(work, candidates, split)) as groups:
        for group in groups:
            yield [_once(finished, known) for finished in group]


def _once(finished: Finished, known: set[bytes]) -> Finished:
    """Copies that were embedded side by side count once: the first keeps its embedding."""
    if finished.vector is None:
        return finished
    if finished.hash in known:
        return replace(finished, vector=None)
    known.add(finished.hash)
    return finished


def _in_order(
    work: _Work, candidates: Sequence[Candidate], split: Split
) -> Generator[list[Finished], None, None]:
    """Groups in order, only so far ahead: memory stays bounded."""
    ahead: deque[Future[list[Finished]]] = deque()
    pool = ThreadPoolExecutor(split.threads, thread_name_prefix="embed")
    try:
        for start in range(0, len(candidates), split.group):
            ahead.append(pool.submit(work.finish, candidates[start : start + split.group]))
            if len(ahead) >= 2 * split.threads:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
