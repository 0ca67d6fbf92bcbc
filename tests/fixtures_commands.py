"""ssl-index run in this process, as people and scripts use it."""

import io
import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from indexer.cli import cli
from training.console import run_command


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def ssl_index(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., Outcome]:
    """Runs the command, with its real exit code and streams: `ssl_index("info", folder)`."""

    def run(*arguments: object, stdin: bytes = b"") -> Outcome:
        monkeypatch.setattr(sys, "argv", ["ssl-index", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as left:
            run_command(cli, name="ssl-index")
        assert isinstance(left.value.code, int)
        return Outcome(left.value.code, *capfd.readouterr())

    return run
