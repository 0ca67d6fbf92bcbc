"""How numbers and their nouns read in a message, and paths in a command that can be pasted."""

import shlex
from pathlib import Path

from training.console import readable


def counted(count: int, one: str, many: str | None = None) -> str:
    """A number with its noun: `1 photo`, `2,000 photos`; `many` where an s is not all."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def quoted(path: Path | str) -> str:
    """A path for a command that a person can paste."""
    return readable(shlex.quote(str(path)))
