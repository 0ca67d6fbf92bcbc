"""Calls that are given up when they take too long.

A thread cannot be killed. So each call runs on a thread that nobody waits for longer than the
limit, not even the end of the program; one that is given up goes on, at the cost of a core.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

Result = TypeVar("Result")

# A thread is known by the queue that it takes its calls from.
_Calls = SimpleQueue[tuple[Callable[[], Any], Future[Any]]]


class Overdue(Exception):
    """A call took longer than it may, and was given up."""


class Attended:
    """Threads that are lent to calls and kept for the next ones. For all threads."""

    def __init__(self, *, seconds: float, most_given_up: int) -> None:
        """Start nothing yet.

        Args:
            seconds: how long a call may take.
            most_given_up: while so many calls that were given up go on, no other is begun.
        """
        self._seconds = seconds
        self._most_given_up = most_given_up
        self._given_up = 0
        self._lock = threading.Lock()
        self._idle: SimpleQueue[_Calls] = SimpleQueue()

    def run(self, call: Callable[[], Result]) -> Result:
        """What a call gives or raises.

        Raises:
            Overdue: it took too long, or too many others did and go on.
        """
        if self._given_up >= self._most_given_up:
            raise Overdue
        future: Future[Result] = Future()
        self._thread().put((call, future))
        with suppress(TimeoutError):
            future.exception(timeout=self._seconds)
        if future.done():
            return future.result()
        self._count(1)
        future.add_done_callback(lambda _: self._count(-1))
        raise Overdue

    def _thread(self) -> _Calls:
        """A thread that has nothing to do."""
        try:
            return self._idle.get_nowait()
        except Empty:
            calls: _Calls = SimpleQueue()
            # The end of the program does not wait for daemons.
            threading.Thread(
                target=self._serve, args=(calls,), name="attended", daemon=True
            ).start()
            return calls

    def _serve(self, calls: _Calls) -> None:
        while True:
            call, future = calls.get()
            try:
                future.set_result(call())
            except BaseException as error:  # it is raised where the call came from
                future.set_exception(error)
            del call, future  # an idle thread keeps no photo
            self._idle.put(calls)

    def _count(self, change: int) -> None:
        with self._lock:
            self._given_up += change
