"""Which photos are being decoded at this moment, written down where a crash cannot erase it.

JPEG and PNG are decoded in the program's own process. Should one of them bring it down, the next
run finds it in this file and sends it to a process of its own, where it costs itself only.
"""

import hashlib
import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Self

# Above the number of threads that ever decode at once.
PLACES = 64

_SIZE = hashlib.sha256().digest_size
_NOBODY = bytes(_SIZE)


class InFlight:
    """The photos in flight, and those that were when earlier runs died. For all threads.

    The file is mapped into memory: the system keeps what was written however the process ends.
    """

    def __init__(self, path: Path, suspects: frozenset[bytes], memory: mmap.mmap) -> None:
        self._path = path
        self._suspects = suspects
        self._memory = memory
        self._free: SimpleQueue[int] = SimpleQueue()
        for place in range(len(suspects), len(memory) // _SIZE):
            self._free.put(place * _SIZE)

    @classmethod
    @contextmanager
    def opened(cls, path: Path) -> Iterator[Self]:
        """Open the file, or make it; it is removed once a whole run has come to its end.

        Raises:
            OSError: it cannot be written.
        """
        suspects = _read(path)
        with path.open("wb+") as file:
            # They stay in the file until a run is through: this one may die of something else.
            file.write(b"".join(sorted(suspects)) + PLACES * _NOBODY)
            file.flush()
            with mmap.mmap(file.fileno(), 0) as memory:
                yield cls(path, suspects, memory)
        path.unlink(missing_ok=True)

    @contextmanager
    def decoding(self, photo: bytes) -> Iterator[bool]:
        """Be in flight with a photo; tells whether to isolate it.

        Args:
            photo: what identifies it from run to run.
        """
        mark = hashlib.sha256(photo).digest()
        start = self._free.get()
        self._memory[start : start + _SIZE] = mark
        try:
            yield mark in self._suspects
        finally:
            self._memory[start : start + _SIZE] = _NOBODY
            self._free.put(start)


def _read(path: Path) -> frozenset[bytes]:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return frozenset()
    marks = (data[start : start + _SIZE] for start in range(0, len(data), _SIZE))
    return frozenset(mark for mark in marks if len(mark) == _SIZE and mark != _NOBODY)
