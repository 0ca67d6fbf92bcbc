"""What every command line shares: friendly errors, exit codes, progress on stderr."""

import atexit
import errno
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import NoReturn, Self, TextIO

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as RichProgress
from rich.text import Text

from training.errors import Interrupted, LookalikeError, StorageError
from training.progress import duration

# OpenMP's threads would spin while they wait for each other, which makes every step several times
# slower as soon as anything else runs beside it. Read once, when torch is loaded: no command
# imports it before this module.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

EXIT_DONE = 0
EXIT_ERROR = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

# A line in a log file every so often; a bar needs a terminal.
SECONDS_BETWEEN_LOG_LINES = 10.0

_STORAGE_ERRORS = {
    errno.ENOSPC: ("the disk is full", "free some space and run the same command again"),
    errno.EDQUOT: ("the disk quota is used up", "free some space and run the same command again"),
    errno.EFBIG: ("a file would be too large", "choose a folder without a limit on file sizes"),
    errno.EROFS: ("the file system is read-only", "choose another output folder with -o"),
    errno.EACCES: ("permission denied", "choose a folder you may write to, or change its rights"),
    errno.EPERM: ("permission denied", "choose a folder you may write to, or change its rights"),
}


def run_command(command: click.Command, *, name: str) -> NoReturn:
    """Run a click command as a process: every error one line, every outcome its exit code."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    # Last of all: Python's own way out takes a moment, in which Ctrl-C would replace the exit code.
    atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)
    sys.exit(_outcome(lambda: command.main(prog_name=name, standalone_mode=False)))


@contextmanager
def stop_on_interrupt() -> Iterator[Callable[[], bool]]:
    """Ctrl-C asks for a stop; a second one leaves at once.

    Gives the question that long work asks between its steps. Leaving at once is safe: files are
    written beside and renamed, the catalogue changes in transactions. Once asked, it stays so to
    the end of the process, which is near.
    """
    asked = threading.Event()

    def ask(_signal: int, _frame: FrameType | None) -> None:
        if asked.is_set():
            os._exit(EXIT_INTERRUPTED)
        asked.set()
        os.write(2, b"\nstopping after what is in flight; Ctrl-C again leaves at once\n")

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield asked.is_set
    finally:
        if not asked.is_set():
            signal.signal(signal.SIGINT, before)


def storage_error(error: OSError) -> StorageError | None:
    """The friendly form of a full disk or a read-only folder; None for any other OSError."""
    known = _STORAGE_ERRORS.get(error.errno or 0)
    if known is None:
        return None
    what, hint = known
    named = isinstance(error.filename, str | bytes) and error.filename
    where = readable(error.filename) if named else "the output folder"
    return StorageError(f"cannot write {where}: {what}", hint=hint)


def readable(path: bytes | str) -> str:
    """A path for people, on one line: undecodable bytes and control characters as escapes."""
    return "".join(c if c.isprintable() else _escaped(c) for c in os.fsdecode(path))


class ConsoleProgress:
    """Progress on stderr: a bar with rate and time left on a terminal, plain lines elsewhere."""

    def __init__(self, *, seconds_between_lines: float = SECONDS_BETWEEN_LOG_LINES) -> None:
        self._console = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)
        self._seconds_between_lines = seconds_between_lines
        self._bar: RichProgress | None = None
        self._task: TaskID | None = None
        self._label = ""
        self._unit = ""
        self._total = 0.0
        self._done = 0.0
        self._started = self._told = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.finish()

    def start(self, label: str, *, total: float, unit: str) -> None:
        """Begin a stage of `total` units; a stage still open ends here."""
        self.finish()
        self._label, self._unit, self._total, self._done = label, unit, total, 0.0
        self._started = self._told = time.monotonic()
        if self._console.is_interactive:
            self._bar = RichProgress(
                SpinnerColumn(),
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=28),
                _CountColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[facts]}", markup=False),
                console=self._console,
                transient=True,
            )
            self._bar.start()
            self._task = self._bar.add_task(label, total=total, unit=unit, facts="")

    def advance(self, amount: float, **facts: str) -> None:
        """Count `amount` units more; `facts` are short figures to show beside the bar."""
        self._done += amount
        shown = "  ".join(f"{name.replace('_', ' ')} {value}" for name, value in facts.items())
        if self._bar is not None and self._task is not None:
            if shown:
                self._bar.update(self._task, advance=amount, facts=shown)
            else:
                self._bar.update(self._task, advance=amount)
            return
        now = time.monotonic()
        if now - self._told >= self._seconds_between_lines:
            self._told = now
            self._console.print(f"{self._label}: {self._line(now)}  {shown}".rstrip(), markup=False)

    def say(self, message: str) -> None:
        """Show one line that stays."""
        self._console.print(message, markup=False)

    def finish(self) -> None:
        """End the open stage, if any."""
        if self._bar is not None:
            self._bar.stop()
        self._bar = self._task = None

    def _line(self, now: float) -> str:
        rate = self._done / max(now - self._started, 1e-9)
        left = (self._total - self._done) / rate if rate > 0 else float("inf")
        ending = f", {duration(left)} left" if left < float("inf") else ""
        return (
            f"{self._done:,.0f} of {self._total:,.0f} {self._unit}, {rate:,.1f} {self._unit}/s"
            f"{ending}"
        )


class _CountColumn(ProgressColumn):
    """`1,234/3,068 photos  412.0/s`."""

    def render(self, task: Task) -> Text:
        rate = task.finished_speed or task.speed
        speed = f"  {rate:,.1f}/s" if rate else ""
        return Text(f"{task.completed:,.0f}/{task.total or 0:,.0f} {task.fields['unit']}{speed}")


def _outcome(call: Callable[[], object]) -> int:
    """Run `call` and turn what happens into an exit code, telling errors on stderr."""
    stdout = sys.stdout
    try:
        result = call()
        stdout.flush()
    except SystemExit:
        # click leaves by itself for tab completion, and with an error when nobody reads stdout
        # any more (`| head`). Only for the latter it puts something else in stdout's place.
        if sys.stdout is stdout:
            raise
        return _unread(stdout)
    except BrokenPipeError:
        return _unread(stdout)
    except (Exception, KeyboardInterrupt) as error:
        code = _told(error)
        if code is None:
            raise
        return code
    return result if isinstance(result, int) else EXIT_DONE


def _unread(stdout: TextIO) -> int:
    """The reader had enough, which is no error. Python must not flush the rest into the pipe."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stdout.fileno())
    return EXIT_DONE


def _told(error: BaseException) -> int | None:
    """Tell an expected error and give its exit code; None for what is a bug."""
    if isinstance(error, click.ClickException):
        error.show()
        return error.exit_code
    if isinstance(error, KeyboardInterrupt | click.Abort):
        error = Interrupted("interrupted")
    if isinstance(error, OSError):
        error = storage_error(error) or error
    if not isinstance(error, LookalikeError):
        return None
    code = EXIT_INTERRUPTED if isinstance(error, Interrupted) else EXIT_ERROR
    click.echo(f"{'error: ' if code == EXIT_ERROR else ''}{readable(error.message)}", err=True)
    if error.hint:
        click.echo(f"hint: {readable(error.hint)}", err=True)
    return code


def _escaped(character: str) -> str:
    try:
        raw = character.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half a surrogate pair: no path has it, but text may
        return f"\\u{ord(character):04x}"
    return "".join(f"\\x{byte:02x}" for byte in raw)
