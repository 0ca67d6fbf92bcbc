"""How paths read in a message."""

from pathlib import Path

from training.console import readable


def shown(path: Path | str) -> str:
    """A path for a message."""
    return readable(str(path))
