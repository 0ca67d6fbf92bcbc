"""A run's figures over time: JSON lines for programs, TensorBoard events for people."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter

METRICS_FILE = "metrics.jsonl"
EVENTS_FOLDER = "tensorboard"


class MetricsLog:
    """Appends figures of a step to both files."""

    def __init__(self, run: Path) -> None:
        self._lines = (run / METRICS_FILE).open("a", encoding="utf-8")
        if not _ends_a_line(run / METRICS_FILE):  # a run was killed while it wrote one
            self._lines.write("\n")
        self._events = SummaryWriter(str(run / EVENTS_FOLDER))

    def write(self, step: int, group: str, figures: dict[str, float]) -> None:
        """Record figures, finite numbers by name, at a step."""
        line: dict[str, Any] = {"step": step, "group": group, **figures}
        self._lines.write(json.dumps(line) + "\n")
        self._lines.flush()
        for name, value in figures.items():
            self._events.add_scalar(f"{group}/{name}", value, step)

    def close(self) -> None:
        """Flush and close both."""
        self._lines.close()
        self._events.close()


@contextmanager
def metrics_log(run: Path) -> Iterator[MetricsLog]:
    """A log that is closed at the end, whatever happens."""
    log = MetricsLog(run)
    try:
        yield log
    finally:
        log.close()


def _ends_a_line(file: Path) -> bool:
    return file.read_bytes()[-1:] in (b"", b"\n")


def read_metrics(run: Path) -> list[dict[str, Any]]:
    """The lines of a run, the last value of a (step, group) winning; a cut last line is left out.

    A run that was resumed after a crash has written some steps twice.
    """
    found: dict[tuple[int, str], dict[str, Any]] = {}
    file = run / METRICS_FILE
    for text in file.read_text(encoding="utf-8").splitlines() if file.is_file() else []:
        try:
            line = json.loads(text)
            found[int(line["step"]), str(line["group"])] = line
        except (ValueError, KeyError, TypeError):
            continue
    return sorted(found.values(), key=lambda line: int(line["step"]))
