"""Long work on a thread of its own, one at a time, whose progress every session can see."""

import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Generic, Literal, Protocol, TypeVar

from training.console import storage_error
from training.errors import Interrupted, LookalikeError
from training.progress import Progress

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

TaskState = Literal["running", "stopping", "done", "cancelled", "failed"]

# How much less of the processor work aside may have than pages do (Unix's niceness).
NICENESS = 10

_log = logging.getLogger(__name__)


class Work(Protocol[T_co]):
    """Long work."""

    def __call__(self, progress: Progress, stop: Callable[[], bool]) -> T_co:
        """Do it, telling `progress`; raise Interrupted once `stop` says so."""


@dataclass(frozen=True, slots=True)
class TaskStatus(Generic[T]):
    """How work stands at one moment."""

    number: int  # grows with every start
    state: TaskState
    label: str = ""  # the stage it is in
    done: float = 0.0
    total: float = 0.0  # 0: not known
    unit: str = ""
    rate: float = 0.0  # units a second in this stage
    result: T | None = None  # of work that is done
    message: str = ""  # what failed
    hint: str = ""

    @property
    def is_running(self) -> bool:
        """Whether it goes on."""
        return self.state in ("running", "stopping")

    @property
    def seconds_left(self) -> float | None:
        """How long this stage will take, as far as it can be told."""
        return (self.total - self.done) / self.rate if self.rate > 0 and self.total else None


class Task(Generic[T]):
    """Runs one piece of work at a time. Safe to share between sessions."""

    def __init__(
        self,
        name: str,
        *,
        label: str = "",
        when_done: Callable[[], None] = lambda: None,
        aside: bool = False,
    ) -> None:
        """Nothing runs yet.

        Args:
            name: of the work, for the log.
            label: its stage before it names one.
            when_done: called on the work's thread at every end, however it came.
            aside: whether pages go first where both want the processor.
        """
        self._name = name
        self._label = label
        self._when_done = when_done
        self._aside = aside
        self._lock = threading.Lock()
        self._status: TaskStatus[T] | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, work: Work[T]) -> bool:
        """Start; False where something is running already."""
        with self._lock:
            if self._status and self._status.is_running:
                return False
            number = self._status.number + 1 if self._status else 1
            self._status = TaskStatus(number, "running", label=self._label)
            self._stop.clear()
            # A daemon: leaving the app does not wait for it, and what is stored is stored.
            self._thread = threading.Thread(
                target=self._run, args=(work,), name=self._name, daemon=True
            )
            self._thread.start()
            return True

    def cancel(self) -> None:
        """Ask the work to stop after what is in flight."""
        with self._lock:
            if self._status and self._status.is_running:
                self._stop.set()
                self._status = replace(self._status, state="stopping")

    def status(self) -> TaskStatus[T] | None:
        """How the latest work stands; None before the first."""
        with self._lock:
            return self._status

    def wait(self, seconds: float) -> None:
        """Wait for the work that is running, if any."""
        if self._thread is not None:
            self._thread.join(seconds)

    def change(self, **fields: object) -> None:
        """Tell another status; for the thread that works."""
        with self._lock:
            assert self._status is not None
            self._status = replace(self._status, **fields)  # type: ignore[arg-type]

    def _run(self, work: Work[T]) -> None:
        if self._aside:
            yield_to_others()
        try:
            result = work(_Told(self, self._name), self._stop.is_set)
            ending: dict[str, object] = {"state": "done", "result": result}
        except Interrupted:
            ending = {"state": "cancelled"}
        except Exception as error:  # nobody else would ever hear of it
            told = failure(error, self._name)
            ending = {"state": "failed", "message": told.message, "hint": told.hint}
        try:
            self._when_done()
        finally:
            self.change(**ending)


def yield_to_others() -> None:
    """Let pages go first. On Linux a thread has a niceness of its own; elsewhere all share one."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


@dataclass(frozen=True, slots=True)
class Failure:
    """What is told of work that failed."""

    message: str
    hint: str


def failure(error: Exception, name: str) -> Failure:
    """What is told of an error; one that is a bug is logged in full as well."""
    if isinstance(error, OSError):
        error = storage_error(error) or error
    if isinstance(error, LookalikeError):
        return Failure(error.message, error.hint)
    _log.error("the %s failed", name, exc_info=error)
    return Failure(
        f"{type(error).__name__}: {error}", "the terminal of ssl-app shows where it happened"
    )


class _Told(Generic[T]):
    """Progress into a status."""

    def __init__(self, task: Task[T], name: str) -> None:
        self._task = task
        self._name = name
        self._started = 0.0
        self._done = 0.0

    def start(self, label: str, *, total: float, unit: str) -> None:
        self._started, self._done = time.monotonic(), 0.0
        self._task.change(label=label, total=total, unit=unit, done=0.0, rate=0.0)

    def advance(self, amount: float, **_facts: str) -> None:
        self._done += amount
        rate = self._done / max(time.monotonic() - self._started, 1e-9)
        self._task.change(done=self._done, rate=rate)

    def say(self, message: str) -> None:
        _log.info("%s: %s", self._name, message)

    def finish(self) -> None:
        self._task.change(label="finishing", total=0.0, done=0.0, rate=0.0)
