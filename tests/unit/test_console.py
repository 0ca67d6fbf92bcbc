"""What every command line does alike: exit codes, hints, closed pipes, colours, progress."""

import errno
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

import click
import pytest

from training.console import ConsoleProgress, run_command
from training.errors import CollectionError, Interrupted, LookalikeError


@click.command()
@click.argument("ending")
@click.option("--number", type=int)
def command(ending: str, number: int | None) -> None:
    """Ends in every way that a command can end."""
    if isinstance(ENDINGS.get(ending), BaseException):
        raise ENDINGS[ending]
    if ending == "chatty":
        for line in range(1_000_000):
            click.echo(f"line {line}")
    if ending == "progress":
        with ConsoleProgress(seconds_between_lines=0) as progress:
            progress.start("reading [photos]", total=2, unit="photos")
            progress.advance(1, loss="0.5", photos_left="1")
            progress.say("kept :dog: [bold]as it is[/bold]")
            progress.advance(1)
    click.echo("data")


ENDINGS: dict[str, BaseException] = {
    "error": CollectionError("there is no folder x", hint="give the folder of your photos"),
    "two-lines": LookalikeError("first line\nsecond line"),
    "odd-path": LookalikeError("cannot use " + os.fsdecode(b"caf\xe9.jpg")),
    "interrupted": Interrupted("stopped at step 7", hint="go on with `ssl-train --resume`"),
    "ctrl-c": KeyboardInterrupt(),
    "disk-full": OSError(errno.ENOSPC, "No space left on device", "run/encoder.safetensors"),
    "read-only": PermissionError(errno.EACCES, "Permission denied", "out"),
    "lost-connection": OSError(errno.ENOTCONN, "nothing that a user can act on"),
    "bug": ZeroDivisionError("a bug"),
    "wrong-value": click.BadParameter("too small", param_hint="--number"),
}


@dataclass(frozen=True)
class Outcome:
    code: object
    stdout: str
    stderr: str


Run = Callable[..., Outcome]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command in this process, as its script would."""

    def run_here(*arguments: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["ssl-test", *arguments])
        with pytest.raises(SystemExit) as left:
            run_command(command, name="ssl-test")
        written = capsys.readouterr()
        return Outcome(left.value.code, written.out, written.err)

    return run_here


# ---- exit codes and messages


def test_a_command_that_is_done_exits_with_0_and_data_on_stdout_only(run: Run) -> None:
    outcome = run("done")

    assert (outcome.code, outcome.stdout, outcome.stderr) == (0, "data\n", "")


def test_an_error_exits_with_1_and_tells_one_line_and_a_hint_on_stderr(run: Run) -> None:
    outcome = run("error")

    assert (outcome.code, outcome.stdout) == (1, "")
    assert outcome.stderr == ("error: there is no folder x\nhint: give the folder of your photos\n")


def test_an_error_stays_on_one_line_whatever_it_names(run: Run) -> None:
    assert run("two-lines").stderr == "error: first line\\x0asecond line\n"
    assert run("odd-path").stderr == "error: cannot use caf\\xe9.jpg\n"


@pytest.mark.parametrize("arguments", [[], ["done", "--nonsense"], ["done", "--number", "x"]])
def test_wrong_usage_exits_with_2(run: Run, arguments: list[str]) -> None:
    outcome = run(*arguments)

    assert (outcome.code, outcome.stdout) == (2, "")
    assert "Usage: ssl-test" in outcome.stderr


def test_a_wrong_value_found_later_is_usage_too(run: Run) -> None:
    outcome = run("wrong-value")

    assert outcome.code == 2
    assert "too small" in outcome.stderr


def test_help_exits_with_0(run: Run) -> None:
    outcome = run("--help")

    assert outcome.code == 0
    assert outcome.stdout.startswith("Usage: ssl-test")


def test_an_interrupted_command_exits_with_130_and_says_how_to_go_on(run: Run) -> None:
    outcome = run("interrupted")

    assert outcome.code == 130
    assert outcome.stderr == "stopped at step 7\nhint: go on with `ssl-train --resume`\n"


def test_ctrl_c_exits_with_130_without_a_traceback(run: Run) -> None:
    outcome = run("ctrl-c")

    assert outcome.code == 130
    assert outcome.stderr.strip() == "interrupted"


# Each is a moment after the first Ctrl-C at which the second one comes.
STOPPED = """
import atexit, os, signal, threading, time, click
from training.console import run_command, stop_on_interrupt
from training.errors import Interrupted

def interrupt():
    os.kill(os.getpid(), signal.SIGINT)

class Late:
    def __del__(self, interrupt=interrupt):
        interrupt()

@click.command()
def command():
    with stop_on_interrupt() as stop:
        interrupt()
        assert stop()
    {then}
    raise Interrupted("stopped")

run_command(command, name="ssl-test")
"""


@pytest.mark.parametrize(
    "then",
    [
        "interrupt()",
        "threading.Thread(target=lambda: (time.sleep(0.2), interrupt(), time.sleep(60))).start()",
        "atexit.register(interrupt)",
        "globals().update(late=Late())",
    ],
    ids=["still-working", "threads-end", "at-exit", "python-ends"],
)
def test_a_second_ctrl_c_leaves_at_once_whenever_it_comes(then: str) -> None:
    script = STOPPED.replace("{then}", then)
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )

    assert ended.returncode == 130, ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("ending", "found"),
    [("disk-full", "cannot write run/encoder.safetensors: the disk is full"),
     ("read-only", "cannot write out: permission denied")],
)  # fmt: skip
def test_trouble_with_the_disk_is_one_line_and_a_hint(run: Run, ending: str, found: str) -> None:
    outcome = run(ending)

    assert outcome.code == 1
    assert outcome.stderr.startswith(f"error: {found}\nhint: ")


@pytest.mark.parametrize("ending", ["bug", "lost-connection"])
def test_a_bug_is_not_dressed_up(monkeypatch: pytest.MonkeyPatch, ending: str) -> None:
    monkeypatch.setattr(sys, "argv", ["ssl-test", ending])

    with pytest.raises(type(ENDINGS[ending])):
        run_command(command, name="ssl-test")


def test_a_reader_that_had_enough_is_no_error() -> None:
    command = subprocess.Popen(
        [sys.executable, __file__, "chatty"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with command as running:
        assert running.stdout is not None
        assert running.stderr is not None
        assert running.stdout.readline() == b"line 0\n"
        running.stdout.close()
        told = running.stderr.read()

    assert running.returncode == 0
    assert told == b""


# ---- progress and colour


def test_progress_on_a_pipe_is_plain_lines_on_stderr() -> None:
    outcome = subprocess.run(
        [sys.executable, __file__, "progress"], capture_output=True, text=True, check=True
    )

    first, said, second = outcome.stderr.splitlines()
    assert outcome.stdout == "data\n"
    assert "\x1b" not in outcome.stderr
    assert "\r" not in outcome.stderr
    assert first.startswith("reading [photos]: 1 of 2 photos, ")
    assert first.endswith("loss 0.5  photos left 1")
    assert said == "kept :dog: [bold]as it is[/bold]"
    assert second.startswith("reading [photos]: 2 of 2 photos, ")


def on_a_terminal(**environment: str) -> str:
    """What the progress of the command writes when stderr is a terminal."""
    master, terminal = pty.openpty()
    variables = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "120", **environment}
    subprocess.run(
        [sys.executable, __file__, "progress"],
        stdout=subprocess.DEVNULL, stderr=terminal, check=True, env=variables,
    )  # fmt: skip
    os.close(terminal)
    written = b""
    try:
        while piece := os.read(master, 65536):
            written += piece
    except OSError as error:  # how Linux says that the other end is closed
        assert error.errno == errno.EIO  # noqa: PT017
    os.close(master)
    return written.decode()


def test_progress_on_a_terminal_is_a_bar_with_names_left_as_they_are() -> None:
    written = on_a_terminal()

    assert "reading [photos]" in written
    assert "2/2 photos" in written
    assert "kept :dog: [bold]as it is[/bold]" in written


def test_no_color_is_honoured() -> None:
    colour = re.compile(r"\x1b\[[0-9;]*(3[0-7]|38|4[0-7]|48|9[0-7])[0-9;]*m")

    assert colour.search(on_a_terminal())
    assert not colour.search(on_a_terminal(NO_COLOR="1"))


def test_a_dumb_terminal_gets_plain_lines() -> None:
    assert "\x1b" not in on_a_terminal(TERM="dumb")


def test_a_new_stage_ends_the_one_before(capsys: pytest.CaptureFixture[str]) -> None:
    with ConsoleProgress(seconds_between_lines=0) as progress:
        progress.start("first", total=4, unit="photos")
        progress.advance(3)
        progress.start("second", total=2, unit="steps")
        progress.advance(1)

    lines = capsys.readouterr().err.splitlines()
    assert [line.split(",")[0] for line in lines] == [
        "first: 3 of 4 photos",
        "second: 1 of 2 steps",
    ]


def test_quick_work_on_a_pipe_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with ConsoleProgress() as progress:
        progress.start("reading", total=100, unit="photos")
        for _ in range(100):
            progress.advance(1)

    assert capsys.readouterr().err == ""


if __name__ == "__main__":  # some tests need the command in a process of its own
    run_command(command, name="ssl-test")
