"""Decoding in processes that may crash, hang or run out of memory without harm to this one.

A worker is Python running `training.decode_worker`. It is asked over a pipe, a photo at a time, and
killed when an answer takes too long; the next photo gets a new one. Nothing is pickled.
"""

import atexit
import json
import os
import struct
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO

from PIL import Image

from training.decoding import Photo, sniff
from training.errors import ConfigError, PhotoError
from training.exif import Shot

# Far more than any photo within the limits takes, on a busy machine too.
SECONDS = 60

# 160 megapixels with transparency take 2.6 GB at the widest point of their conversion.
MEMORY_BYTES = 4 << 30

# A request: at_least (0: in full), the time allowed, the size of the file that follows.
REQUEST = struct.Struct(">IIQ")
# An answer: the size of the JSON that follows, and of the pixels after it.
ANSWER = struct.Struct(">IQ")
READY = b"ready\n"

_ROOT = Path(__file__).parents[1]
# By name the worker might come from another installation, by path it would shadow other modules.
_COMMAND = (
    sys.executable,
    "-P",
    "-c",
    f"import sys; sys.path.insert(0, {str(_ROOT)!r})\n"
    "from training.decode_worker import serve; serve()",
)
_ENVIRONMENT = {
    # A decoder multiplies no matrices; its threads' buffers would count against the limit.
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What one photo may cost."""

    seconds: int = SECONDS
    memory_bytes: int = MEMORY_BYTES  # of the worker altogether, where the system can hold it so


class Workers:
    """As many processes as are needed at once, kept for the next photo. For all threads."""

    def __init__(
        self,
        *,
        limits: Limits | None = None,
        most: int | None = None,
        command: Sequence[str] = _COMMAND,
    ) -> None:
        """Start nothing yet.

        Args:
            limits: what one photo may cost.
            most: how many work at once; None is one for each core.
            command: starts a worker; the memory limit is added as its last argument.
        """
        self.limits = limits or Limits()
        self._command = command
        self._idle: list[_Worker] = []
        self._lock = threading.Lock()
        self._free = threading.BoundedSemaphore(most or os.cpu_count() or 1)

    def decode(self, data: bytes, *, at_least: int | None = None) -> Photo:
        """Decode one photo; see `photos.decode`.

        Raises:
            PhotoError: as `decode_here`, or the decoder crashed or took too long.
            ConfigError: no worker can be started.
        """
        if not sniff(data):
            raise PhotoError("not an image of a format that is read")
        with self._free:
            worker = self._take()
            try:
                photo = worker.decode(data, at_least=at_least, seconds=self.limits.seconds)
            except BaseException:
                self._give_back(worker)
                raise
            self._give_back(worker)
            return photo

    def pids(self) -> list[int]:
        """The processes that wait for a photo."""
        with self._lock:
            return [worker.pid for worker in self._idle]

    def close(self) -> None:
        """End the processes that wait; others end after their photo."""
        with self._lock:
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.close()

    def _take(self) -> "_Worker":
        while True:
            with self._lock:
                worker = self._idle.pop() if self._idle else None
            if worker is None:
                return _Worker([*self._command, str(self.limits.memory_bytes)])
            if worker.is_alive():
                return worker
            worker.close()

    def _give_back(self, worker: "_Worker") -> None:
        if worker.is_alive():
            with self._lock:
                self._idle.append(worker)
        else:
            worker.close()


@cache
def shared() -> Workers:
    """The workers of this process; they end with it."""
    workers = Workers()
    atexit.register(workers.close)
    return workers


class _Worker:
    """One process, used by one thread at a time."""

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Decoders write about damaged files there, past Python's warnings.
            stderr=subprocess.DEVNULL,
            env={**os.environ, **_ENVIRONMENT},
            start_new_session=True,  # Ctrl-C is for this process to handle
        )
        if self._output.read(len(READY)) != READY:
            self._fail()
            raise ConfigError(
                f"the process that decodes photos cannot be started with {sys.executable}",
                hint="is there memory left? If so, install Lookalike again",
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def _input(self) -> IO[bytes]:
        assert self._process.stdin is not None
        return self._process.stdin

    @property
    def _output(self) -> IO[bytes]:
        assert self._process.stdout is not None
        return self._process.stdout

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def decode(self, data: bytes, *, at_least: int | None, seconds: int) -> Photo:
        overdue = threading.Event()

        def kill() -> None:
            overdue.set()
            self._process.kill()

        watch = threading.Timer(seconds, kill)
        watch.daemon = True
        watch.start()
        try:
            self._input.write(REQUEST.pack(at_least or 0, seconds, len(data)))
            self._input.write(data)
            self._input.flush()
            return self._answer()
        except (OSError, EOFError):
            code = self._fail()
            if overdue.is_set():
                raise PhotoError(f"decoding it took longer than {seconds} seconds") from None
            raise PhotoError(f"its decoder crashed ({_told(code)})") from None
        except PhotoError:
            raise
        except BaseException:  # half an answer may still be in the pipe
            self._fail()
            raise
        finally:
            watch.cancel()
            watch.join()
            if overdue.is_set():
                self._fail()

    def close(self) -> None:
        for pipe in (self._input, self._output):
            with suppress(OSError):  # it is gone, and what was not flushed with it
                pipe.close()
        self._process.wait()

    def _answer(self) -> Photo:
        json_bytes, pixel_bytes = ANSWER.unpack(self._exactly(ANSWER.size))
        facts = json.loads(self._exactly(json_bytes))
        pixels = self._exactly(pixel_bytes)
        if "error" in facts:
            raise PhotoError(facts["error"])
        image = Image.frombytes("RGB", tuple(facts.pop("size")), pixels)
        return Photo(image=image, shot=Shot(**facts.pop("shot")), **facts)

    def _exactly(self, count: int) -> bytes:
        data = self._output.read(count)
        if len(data) < count:
            raise EOFError
        return data

    def _fail(self) -> int:
        """End a process that is not to be used again; gives its exit code."""
        self._process.kill()
        self.close()
        return self._process.returncode


def _told(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
