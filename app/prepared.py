"""Results that take long, each worked out once for what it depends on, in the background."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from app.task import Task, TaskStatus, Work
from training.progress import Progress, Silent

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)


class Prepared(Generic[K, T]):
    """The latest results of one kind of work; safe for many threads."""

    def __init__(self, name: str, *, kept: int = 1) -> None:
        """Nothing is known yet.

        Args:
            name: of the work, for the log.
            kept: how many results stay; the oldest goes first.
        """
        self._task: Task[T] = Task(name, aside=True)
        self._most = kept
        self._lock = threading.Lock()
        self._kept: OrderedDict[K, T] = OrderedDict()
        self._asked: K | None = None  # what the latest work is or was for

    def ask(self, key: K, work: Work[T], *, at_once: bool = False) -> T | None:
        """The result for a key; None where it is not there yet.

        The work then begins, unless other work is under way, or it was cancelled or failed:
        `status` tells, and `again` forgets that.

        Args:
            key: what the result depends on.
            work: makes it.
            at_once: do it here and now; whoever else asks meanwhile waits.
        """
        with self._lock:
            if key in self._kept:
                return self._kept[key]
            if at_once:
                self._keep(key, work(Silent(), lambda: False))
                return self._kept[key]
            status = self._task.status()
            ended = status is None or not status.is_running
            if ended and (self._asked != key or status is None or status.state == "done"):
                self._asked = key
                self._task.start(lambda progress, stop: self._made(key, work, progress, stop))
        return None

    def status(self) -> TaskStatus[T] | None:
        """How the latest work stands; None before the first."""
        return self._task.status()

    def cancel(self) -> None:
        """Ask the work to stop."""
        self._task.cancel()

    def again(self) -> None:
        """Let the next asking begin what was cancelled or failed."""
        with self._lock:
            self._asked = None

    def wait(self, seconds: float) -> None:
        """Wait for the work that is running, if any."""
        self._task.wait(seconds)

    def _made(self, key: K, work: Work[T], progress: Progress, stop: Callable[[], bool]) -> T:
        result = work(progress, stop)
        with self._lock:
            self._keep(key, result)
        return result

    def _keep(self, key: K, result: T) -> None:
        self._kept[key] = result
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
