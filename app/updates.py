"""Bringing the gallery up to date while the app serves it: one update at a time, seen by all."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from indexer.build import BuildRequest, build
from indexer.report import IndexReport
from training.console import storage_error
from training.errors import Interrupted, LookalikeError
from training.progress import Progress

UpdateState = Literal["running", "stopping", "done", "cancelled", "failed"]


class Work(Protocol):
    """Brings a gallery up to date, as `build` does."""

    def __call__(
        self, request: BuildRequest, *, progress: Progress, stop: Callable[[], bool]
    ) -> IndexReport:
        """Do it, telling `progress`; raise Interrupted once `stop` says so."""


_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class UpdateStatus:
    """How an update stands at one moment."""

    number: int  # grows with every update of this process
    state: UpdateState
    label: str = "looking for changes"  # the stage it is in
    done: float = 0.0
    total: float = 0.0  # 0: not known
    unit: str = ""
    rate: float = 0.0  # units a second in this stage
    report: IndexReport | None = None  # of an update that is done
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


class Updates:
    """Runs updates on a thread of their own. Safe to share between sessions."""

    def __init__(self, *, when_done: Callable[[], None], work: Work = build) -> None:
        """Nothing runs yet.

        Args:
            when_done: called on the update's thread after every update, however it ended.
            work: what brings a gallery up to date.
        """
        self._when_done = when_done
        self._work = work
        self._lock = threading.Lock()
        self._status: UpdateStatus | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._stage_started = 0.0

    def start(self, request: BuildRequest) -> bool:
        """Start an update; False where one is running already."""
        with self._lock:
            if self._status and self._status.is_running:
                return False
            number = self._status.number + 1 if self._status else 1
            self._status = UpdateStatus(number, "running")
            self._stop.clear()
            # A daemon: a killed server leaves what is committed, and the next update goes on.
            self._thread = threading.Thread(
                target=self._run, args=(request,), name="update", daemon=True
            )
            self._thread.start()
            return True

    def cancel(self) -> None:
        """Ask the update to stop after what is in flight; what is finished stays."""
        with self._lock:
            if self._status and self._status.is_running:
                self._stop.set()
                self._status = replace(self._status, state="stopping")

    def status(self) -> UpdateStatus | None:
        """How the latest update stands; None before the first."""
        with self._lock:
            return self._status

    def wait(self, seconds: float) -> None:
        """Wait for the update that is running, if any."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _run(self, request: BuildRequest) -> None:
        try:
            report = self._work(request, progress=_Told(self), stop=self._stop.is_set)
            ending = {"state": "done", "report": report}
        except Interrupted:
            ending = {"state": "cancelled"}
        except Exception as error:  # nobody else would ever hear of it
            ending = _failure(error)
        try:
            self._when_done()
        finally:
            self.change(**ending)

    def change(self, **fields: object) -> None:
        """Tell another status; for the thread that updates."""
        with self._lock:
            assert self._status is not None
            self._status = replace(self._status, **fields)  # type: ignore[arg-type]


class _Told:
    """Progress into a status."""

    def __init__(self, updates: Updates) -> None:
        self._updates = updates
        self._started = 0.0
        self._done = 0.0

    def start(self, label: str, *, total: float, unit: str) -> None:
        self._started, self._done = time.monotonic(), 0.0
        self._updates.change(label=label, total=total, unit=unit, done=0.0, rate=0.0)

    def advance(self, amount: float, **_facts: str) -> None:
        self._done += amount
        rate = self._done / max(time.monotonic() - self._started, 1e-9)
        self._updates.change(done=self._done, rate=rate)

    def say(self, message: str) -> None:
        _log.info("update: %s", message)

    def finish(self) -> None:
        self._updates.change(label="finishing", total=0.0, done=0.0, rate=0.0)


def _failure(error: Exception) -> dict[str, object]:
    """What is told of an error; one that is a bug is logged in full as well."""
    if isinstance(error, OSError):
        error = storage_error(error) or error
    if isinstance(error, LookalikeError):
        return {"state": "failed", "message": error.message, "hint": error.hint}
    _log.error("the update failed", exc_info=error)
    return {
        "state": "failed",
        "message": f"{type(error).__name__}: {error}",
        "hint": "the terminal of ssl-app shows where it happened",
    }
