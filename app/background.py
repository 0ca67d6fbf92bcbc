"""Work in the background, of which only the latest request matters."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from app.task import yield_to_others
from training.errors import Interrupted

T = TypeVar("T")

_log = logging.getLogger(__name__)


class Latest(Generic[T]):
    """Does the latest thing that was asked for, once nobody has asked for some seconds.

    A newer request stops the work that is under way. The thread starts with the first request and
    is a daemon: it never keeps a process alive.
    """

    def __init__(
        self,
        work: Callable[[T, Callable[[], bool]], None],
        *,
        quiet_seconds: float,
        aside: bool = False,
    ) -> None:
        """Set up.

        Args:
            work: is given the request and a question to ask now and then: whether to stop, which
                it does by raising `Interrupted` or by returning.
            quiet_seconds: how long to wait after a request for a newer one.
            aside: whether pages go first where both want the processor.
        """
        self._work = work
        self._quiet_seconds = quiet_seconds
        self._aside = aside
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._asked: T | None = None
        self._due = 0.0
        self._number = 0  # of the latest request
        self._done = 0  # the number of the last request that was dealt with
        self._closed = False

    def ask(self, request: T) -> None:
        """Ask for this in place of whatever was asked before; the same value again is no news."""
        with self._changed:
            if self._closed or request is self._asked:
                return
            self._asked = request
            self._number += 1
            self._due = time.monotonic() + self._quiet_seconds
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def busy(self) -> bool:
        """Whether something is under way or waiting."""
        with self._changed:
            return not self._closed and self._done != self._number

    def close(self) -> None:
        """Stop, and wait for the thread to end."""
        with self._changed:
            self._closed = True
            thread = self._thread
            self._changed.notify_all()
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        if self._aside:
            yield_to_others()
        while (found := self._next()) is not None:
            number, request = found
            try:
                self._work(request, lambda number=number: self._outdated(number))  # type: ignore[misc]
            except Interrupted:
                continue
            except Exception:
                # What goes wrong with one request must not end all later ones.
                _log.exception("work in the background failed")
            with self._changed:
                self._done = max(self._done, number)

    def _next(self) -> tuple[int, T] | None:
        """The latest request, once it is quiet; None at the end."""
        with self._changed:
            while not self._closed:
                left = self._due - time.monotonic()
                if self._asked is None or self._done == self._number:
                    self._changed.wait()
                elif left > 0:
                    self._changed.wait(left)
                else:
                    return self._number, self._asked
        return None

    def _outdated(self, number: int) -> bool:
        return self._closed or number != self._number
