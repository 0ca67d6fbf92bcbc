"""Work on a thread of its own: progress, cancelling, failing; and results kept for a key."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from app.prepared import Prepared
from app.task import Task
from training.errors import Interrupted, LabelError
from training.progress import Progress

SECONDS = 60.0


def held(gate: threading.Event, result: Any = None) -> Callable[..., Any]:
    """Work that goes on until its gate is open, or until it is to stop."""

    def work(progress: Progress, stop: Callable[[], bool]) -> Any:
        progress.start("holding", total=10, unit="photos")
        while not gate.wait(0.01):
            if stop():
                raise Interrupted("stopped", hint="begin anew")
        return result

    return work


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(28, "No space left on device"), "the disk is full"),
        (ZeroDivisionError("odd"), "ZeroDivisionError: odd"),
    ],
)
def test_whatever_goes_wrong_is_told(
    error: Exception, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(_progress: Progress, _stop: Callable[[], bool]) -> None:
        raise error

    task: Task[None] = Task("work")
    task.start(failing)
    task.wait(SECONDS)
    status = task.status()
    assert status is not None
    assert status.state == "failed"
    assert said in status.message
    assert ("Traceback" in caplog.text) == isinstance(error, ZeroDivisionError)


def test_progress_is_seen_while_it_goes() -> None:
    seen = []

    def work(progress: Progress, stop: Callable[[], bool]) -> None:
        progress.start("embedding", total=10, unit="photos")
        progress.advance(4, shown="yes")
        seen.append(task.status())
        assert not stop()
        progress.finish()

    task: Task[None] = Task("work")
    task.start(work)
    task.wait(SECONDS)
    [status] = seen
    assert status is not None
    assert (status.label, status.done, status.total, status.unit) == ("embedding", 4, 10, "photos")
    assert status.is_running
    assert status.seconds_left is not None
    assert status.seconds_left == pytest.approx(6 / status.rate)


def test_the_last_word_comes_after_what_follows_the_work() -> None:
    states = []
    task: Task[str] = Task("work", when_done=lambda: states.append(task.status().state))  # type: ignore[union-attr]
    task.start(lambda _progress, _stop: "made")
    task.wait(SECONDS)
    assert states == ["running"]
    assert task.status().result == "made"  # type: ignore[union-attr]


def test_a_result_is_made_once_for_its_key_in_the_background() -> None:
    gate, made = threading.Event(), []
    prepared: Prepared[str, int] = Prepared("counting")

    def work(progress: Progress, stop: Callable[[], bool]) -> int:
        made.append(1)
        return int(held(gate, 7)(progress, stop))

    assert prepared.ask("a", work) is None
    assert prepared.ask("a", work) is None
    assert prepared.status().is_running  # type: ignore[union-attr]
    gate.set()
    prepared.wait(SECONDS)
    assert prepared.ask("a", work) == 7
    assert made == [1]


def test_another_key_waits_for_the_work_under_way_and_the_oldest_result_goes() -> None:
    gate = threading.Event()
    prepared: Prepared[str, str] = Prepared("naming", kept=2)
    prepared.ask("a", held(gate, "A"))
    assert prepared.ask("b", held(gate, "B")) is None
    gate.set()
    for key in "bc":
        prepared.wait(SECONDS)
        prepared.ask(key, held(gate, key.upper()))
    prepared.wait(SECONDS)
    assert [prepared.ask(key, held(threading.Event())) for key in "cb"] == ["C", "B"]
    assert prepared.ask("a", held(gate, "A again")) is None
    prepared.wait(SECONDS)
    assert prepared.ask("a", held(gate)) == "A again"


def test_what_was_cancelled_begins_only_when_it_is_wished_again() -> None:
    gate = threading.Event()
    prepared: Prepared[str, int] = Prepared("counting")
    prepared.ask("a", held(gate, 1))
    prepared.cancel()
    prepared.wait(SECONDS)
    gate.set()
    assert prepared.ask("a", held(gate, 1)) is None
    assert prepared.status().state == "cancelled"  # type: ignore[union-attr]
    prepared.again()
    prepared.ask("a", held(gate, 1))
    prepared.wait(SECONDS)
    assert prepared.ask("a", held(gate)) == 1


def test_a_failure_stays_told_until_it_is_tried_again_or_something_else_is_asked() -> None:
    def failing(_progress: Progress, _stop: Callable[[], bool]) -> int:
        raise LabelError("there is none", hint="make one")

    prepared: Prepared[str, int] = Prepared("counting")
    prepared.ask("a", failing)
    prepared.wait(SECONDS)
    assert prepared.ask("a", failing) is None
    status = prepared.status()
    assert status is not None
    assert (status.number, status.message, status.hint) == (1, "there is none", "make one")
    prepared.ask("b", lambda _progress, _stop: 2)
    prepared.wait(SECONDS)
    assert prepared.ask("b", failing) == 2


def test_what_takes_no_time_is_there_at_once() -> None:
    prepared: Prepared[str, int] = Prepared("counting")
    assert prepared.ask("a", lambda _progress, _stop: 3, at_once=True) == 3
    assert prepared.status() is None
