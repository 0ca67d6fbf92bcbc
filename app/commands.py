"""Shows the product's commands as a person would type them, and runs them."""

import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from training.console import readable

# What runs a command here, whatever is on the PATH.
_MODULES = {"ssl-train": "training.cli", "ssl-index": "indexer.cli", "ssl-app": "app.launch"}


def say(text: str) -> None:
    """Print at once: before a command writes its own."""
    click.echo(text)
    sys.stdout.flush()


def show(command: list[str]) -> None:
    """Print a command as one line that can be pasted."""
    say(f"   $ {readable(shlex.join(command))}")


def run(command: list[str]) -> None:
    """Show a command and run it to its end.

    Raises:
        click.exceptions.Exit: it failed or was interrupted, and has said so itself.
    """
    show(command)
    name, *arguments = command
    # -P: the folder this is started in must not lend its own `app` or `training`.
    code = f"from {_MODULES[name]} import main; main()"
    child = subprocess.Popen([sys.executable, "-P", "-c", code, *arguments])
    with child, _signals_left_to(child):
        ended = child.wait()
    if ended != 0:  # negative: by that signal, which shells tell as 128 and its number
        raise click.exceptions.Exit(ended if ended > 0 else 128 - ended)


@contextmanager
def _signals_left_to(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """Ctrl-C reaches the command by itself; the request to end has to be passed on."""
    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, lambda _signal, _frame: None),
        signal.SIGTERM: signal.signal(signal.SIGTERM, lambda _signal, _frame: child.terminate()),
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
