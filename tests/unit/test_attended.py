"""Calls that hang: given up after their time, and nothing else waits for them."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from training.attended import Attended, Overdue

# More than any call here needs, on the slowest machine.
LONG = 600
SHORT = 0.02


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """What a hanging call waits for; set at the end, so that no thread is left."""
    event = threading.Event()
    yield event
    event.set()


def test_a_call_gives_what_it_gives_and_raises_what_it_raises() -> None:
    attended = Attended(seconds=LONG, most_given_up=1)
    assert attended.run(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        attended.run(lambda: 1 // 0)
    assert attended.run(lambda: 8) == 8


def test_a_time_out_of_the_calls_own_is_passed_on() -> None:
    def late() -> None:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        Attended(seconds=LONG, most_given_up=1).run(late)


def test_threads_are_used_again() -> None:
    attended = Attended(seconds=LONG, most_given_up=1)
    used = {attended.run(threading.get_ident) for _ in range(50)}
    # A thread may not be idle yet when the next call comes.
    assert len(used) <= 3
    assert threading.get_ident() not in used


def test_a_call_that_hangs_is_given_up_and_others_go_on(release: threading.Event) -> None:
    attended = Attended(seconds=SHORT, most_given_up=2)
    with pytest.raises(Overdue):
        attended.run(release.wait)

    patient = Attended(seconds=LONG, most_given_up=2)
    assert patient.run(lambda: 7) == 7


def test_after_too_many_nothing_is_begun_until_one_comes_to_its_end(
    release: threading.Event,
) -> None:
    attended = Attended(seconds=SHORT, most_given_up=1)
    ended = threading.Event()

    def hang() -> None:
        release.wait()
        ended.set()

    with pytest.raises(Overdue):
        attended.run(hang)
    begun: list[int] = []
    with pytest.raises(Overdue):
        attended.run(lambda: begun.append(1))
    assert begun == []

    release.set()
    ended.wait()
    while True:  # until the thread has told of its end
        try:
            assert attended.run(lambda: 7) == 7
            break
        except Overdue:
            continue


def test_the_program_ends_although_a_call_hangs() -> None:
    script = (
        "import threading\n"
        "from training.attended import Attended, Overdue\n"
        "try:\n"
        f"    Attended(seconds={SHORT}, most_given_up=1).run(threading.Event().wait)\n"
        "except Overdue:\n"
        "    print('given up')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=Path(__file__).parents[2], capture_output=True,
        text=True, check=False, timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "given up\n"), done.stderr
