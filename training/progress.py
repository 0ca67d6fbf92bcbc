"""How library code tells of long work without printing: a protocol and its silent form."""

from typing import Protocol


class Progress(Protocol):
    """Receives what long work has to tell; the command line draws it, tests ignore it."""

    def start(self, label: str, *, total: float, unit: str) -> None:
        """Begin a stage of `total` units; a stage still open ends here."""

    def advance(self, amount: float, **facts: str) -> None:
        """Count `amount` units more; `facts` are short figures to show beside the bar."""

    def say(self, message: str) -> None:
        """Show one line that stays."""

    def finish(self) -> None:
        """End the open stage, if any."""


class Silent:
    """Progress for callers that want none."""

    def start(self, label: str, *, total: float, unit: str) -> None:
        """Ignore the stage."""

    def advance(self, amount: float, **facts: str) -> None:
        """Ignore the step."""

    def say(self, message: str) -> None:
        """Ignore the line."""

    def finish(self) -> None:
        """Ignore the end."""


def duration(seconds: float) -> str:
    """Seconds as people say them: `42 s`, `3 min 20 s`, `2 h 05 min`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
