"""From files to embeddings: read, hash and decode on threads while the encoder works.

Every file is read once. Decoding is skipped where the content is known already.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from os import fsdecode
from pathlib import Path

import numpy as np

from indexer.encoder import BATCH, OnnxEncoder
from indexer.providers import CUDA, cores
from indexer.records import Content, KnownSkip
from indexer.scan import Candidate
from indexer.wording import shown
from training.errors import CollectionError, PhotoError
from training.inflight import InFlight
from training.photos import decode, read_file
from training.spec import Preprocessing

# Decoding lets go of the interpreter, so threads do. More of them only wait: on a CPU the encoder
# wants the same cores, and a GPU is busy with this many.
MOST_THREADS = 4
MOST_THREADS_FOR_GPU = 16

# Photos decoded ahead of the encoder: enough to keep it busy, at 224 pixels 10 MB.
LOOK_AHEAD = 2 * BATCH

# Files that need no embedding are handed on in groups of this many.
MOST_WAITING = 256


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


def embed_files(
    root: Path,
    candidates: Sequence[Candidate],
    encoder: OnnxEncoder,
    *,
    known: set[bytes],
    in_flight: InFlight,
) -> Generator[list[Finished], None, None]:
    """Read and embed files, in order, in groups of about one batch.

    Args:
        root: the photo folder.
        candidates: the files.
        encoder: what embeds them.
        known: hashes of the contents that have an embedding; new ones are added here.
        in_flight: told of each photo that is being decoded.

    Raises:
        CollectionError: `root` vanished.
    """
    reads: list[_Read] = []
    fresh: dict[bytes, np.ndarray] = {}
    preprocessing = encoder.spec.preprocessing
    threads = min(MOST_THREADS_FOR_GPU if encoder.provider == CUDA else MOST_THREADS, cores())
    read_one = partial(_read, root, preprocessing=preprocessing, known=known, in_flight=in_flight)
    with closing(_in_order(read_one, candidates, threads=threads)) as found:
        for read in found:
            reads.append(read)
            if read.pixels is not None and read.finished.hash not in known:
                fresh[read.finished.hash] = read.pixels
            if len(fresh) == BATCH or len(reads) == MOST_WAITING:
                yield _embedded(reads, fresh, encoder, known)
                reads, fresh = [], {}
    if reads:
        yield _embedded(reads, fresh, encoder, known)


def _embedded(
    reads: list[_Read], fresh: dict[bytes, np.ndarray], encoder: OnnxEncoder, known: set[bytes]
) -> list[Finished]:
    """Give each content its embedding once, however many of the files hold it."""
    vectors: dict[bytes, np.ndarray] = {}
    if fresh:
        rows = encoder.embed(np.stack(list(fresh.values())))  # (b, d)
        vectors.update(zip(fresh, rows, strict=True))
    known.update(vectors)
    return [_with_vector(read.finished, vectors.pop(read.finished.hash, None)) for read in reads]


def _with_vector(finished: Finished, vector: np.ndarray | None) -> Finished:
    if vector is None:
        return finished
    return Finished(finished.candidate, finished.hash, finished.content, vector)


def _in_order(
    read_one: Callable[[Candidate], _Read], candidates: Sequence[Candidate], *, threads: int
) -> Generator[_Read, None, None]:
    """Read on threads, in order, only so far ahead: memory stays bounded."""
    ahead: deque[Future[_Read]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")
    try:
        for candidate in candidates:
            ahead.append(pool.submit(read_one, candidate))
            if len(ahead) >= LOOK_AHEAD:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _read(
    root: Path,
    candidate: Candidate,
    *,
    preprocessing: Preprocessing,
    known: set[bytes],
    in_flight: InFlight,
) -> _Read:
    file = candidate.file
    try:
        data = read_file(root / fsdecode(file.path))
    except PhotoError as error:
        if not root.is_dir():
            raise CollectionError(
                f"the photo folder {shown(root)} vanished while it was read",
                hint="what was finished is kept; bring it back and run the same command again",
            ) from None
        # It may be readable next time, with the same size and time: look again then.
        return _Read(Finished(candidate, skip=KnownSkip(file.path, error.message)))
    digest = hashlib.sha256(data).digest()
    if digest in known:
        return _Read(Finished(candidate, digest))
    try:
        with in_flight.decoding(digest) as isolated:
            photo = decode(data, at_least=preprocessing.at_least, isolated=isolated)
    except PhotoError as error:
        skip = KnownSkip(file.path, error.message, file.size_bytes, file.mtime_ns)
        return _Read(Finished(candidate, skip=skip))
    content = Content(digest, photo.width, photo.height, photo.format, len(data), photo.shot)
    return _Read(Finished(candidate, digest, content), preprocessing.prepare(photo.image))
