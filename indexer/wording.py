"""How paths read in a message, and in a command that can be pasted."""

import shlex
from pathlib import Path

from training.console import readable


def shown(path: Path | str) -> str:
    """A path for a message."""
    return readable(str(path))


def quoted(path: Path | str) -> str:
    """A path for a command that a person can paste."""
    return readable(shlex.quote(str(path)))
