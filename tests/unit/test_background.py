"""Work in the background: only the latest request is dealt with, after a quiet moment."""

import threading
import time
from collections.abc import Callable

import pytest

from app.background import Latest
from training.errors import Interrupted


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.005)


def test_of_many_requests_the_last_one_is_dealt_with_once_it_is_quiet() -> None:
    done: list[str] = []
    background: Latest[str] = Latest(lambda asked, stop: done.append(asked), quiet_seconds=0.2)
    for request in ("a", "b", "c"):
        background.ask(request)
    assert background.busy()
    until(lambda: not background.busy())
    background.close()
    assert done == ["c"]


def test_the_same_request_again_is_no_news() -> None:
    done: list[str] = []
    background: Latest[str] = Latest(lambda asked, stop: done.append(asked), quiet_seconds=0)
    request = "a"
    background.ask(request)
    until(lambda: not background.busy())
    background.ask(request)
    assert not background.busy()
    background.close()
    assert done == ["a"]


def test_a_newer_request_stops_the_work_under_way() -> None:
    started = threading.Event()
    done: list[str] = []

    def work(asked: str, stop: Callable[[], bool]) -> None:
        started.set()
        if asked == "long":
            until(stop)
            raise Interrupted("stopped")
        done.append(asked)

    background: Latest[str] = Latest(work, quiet_seconds=0)
    background.ask("long")
    assert started.wait(20)
    background.ask("short")
    until(lambda: not background.busy())
    background.close()
    assert done == ["short"]


def test_what_fails_is_logged_and_the_next_request_is_served(
    caplog: pytest.LogCaptureFixture,
) -> None:
    done: list[str] = []

    def work(asked: str, stop: Callable[[], bool]) -> None:
        if asked == "bad":
            raise ValueError("boom")
        done.append(asked)

    background: Latest[str] = Latest(work, quiet_seconds=0)
    background.ask("bad")
    until(lambda: not background.busy())
    background.ask("good")
    until(lambda: not background.busy())
    background.close()
    assert done == ["good"]
    assert "boom" in caplog.text


def test_closing_stops_the_work_and_what_is_asked_later_is_ignored() -> None:
    started = threading.Event()

    def work(asked: str, stop: Callable[[], bool]) -> None:
        started.set()
        until(stop)

    background: Latest[str] = Latest(work, quiet_seconds=0)
    background.ask("a")
    assert started.wait(20)
    background.close()
    background.ask("b")
    assert not background.busy()
