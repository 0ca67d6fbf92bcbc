"""The real app as a process of its own; tests and measurements look at it with a browser."""

import signal
import socket
import subprocess
import sysconfig
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CHROMIUM = Path("/usr/bin/chromium")
CHROMIUM_ARGUMENTS = ("--disable-gpu", "--no-first-run", "--disable-background-networking")

SECONDS = 60.0  # for a slow machine; nothing waits that long on a usual one


@dataclass(frozen=True)
class Running:
    """A running app."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def address(self) -> str:
        return self.url.removeprefix("http://")

    def interrupt(self) -> int:
        """Press Ctrl-C; gives the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=20)


def ssl_app(*arguments: str) -> list[str]:
    """The command line of `ssl-app` with arguments."""
    return [str(Path(sysconfig.get_path("scripts")) / "ssl-app"), *arguments]


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def started(folder: Path, log: Path, *options: str) -> Iterator[Running]:
    """The app on a gallery, until the block ends; what it says goes into `log`."""
    port = free_port()
    with log.open("wb") as output:
        process = subprocess.Popen(
            ssl_app(str(folder), "--port", str(port), "--no-browser", *options),
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=log.parent,
        )
    running = Running(f"http://127.0.0.1:{port}", process, log)
    try:
        _wait_until_ready(running)
        yield running
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(running: Running) -> None:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        if running.process.poll() is not None:
            raise AssertionError(f"ssl-app ended at once:\n{running.log.read_text()}")
        try:
            with urllib.request.urlopen(f"{running.url}/_stcore/health", timeout=2) as reply:
                if reply.status == 200:
                    return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"ssl-app was not there in {SECONDS:.0f} s:\n{running.log.read_text()}")
