"""Builds in processes of their own that die by SIGKILL at a chosen moment."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from indexer.build import BuildRequest

ROOT = Path(__file__).parents[1]

# Imports once, then forks a child for every line on its stdin: a build costs no start-up. A child
# counts what Python's audit hook reports (files opened and renamed, databases connected, ...) and
# kills itself at a given one; 0 is never.
NURSERY = """
import json, os, signal, sys
import indexer.build as building
from pathlib import Path
from indexer.build import BuildRequest, build
from indexer.centring import CentringPlan
from training.progress import Silent

building.SECONDS_BETWEEN_COMMITS = 0.0

def run(job, answer):
    events = 0
    def count(name, arguments):
        nonlocal events
        events += 1
        if events == job["kill_at"]:
            os.kill(os.getpid(), signal.SIGKILL)
    paths = [Path(job[name]) for name in ("photos", "gallery", "encoder")]
    request = BuildRequest(*paths, device="cpu", rebuild=job["rebuild"], prune=True,
                           centring=CentringPlan(**job["centring"]))
    sys.addaudithook(count)
    report = build(request, progress=Silent())
    os.write(answer, json.dumps({"events": events, "embedded": report.embedded}).encode())

print("ready", flush=True)
for line in sys.stdin:
    job = json.loads(line)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            run(job, writing)
            os._exit(0)
        except BaseException:
            import traceback
            traceback.print_exc()
            os._exit(1)
    os.close(writing)
    print(child, flush=True)
    answer = os.read(reading, 65536).decode() or "{}"
    os.close(reading)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(json.dumps({**json.loads(answer), "status": status}), flush=True)
"""


@dataclass(frozen=True)
class Ended:
    """How a build in a process of its own ended."""

    killed: bool
    events: int  # audit events of a build that was not killed
    embedded: int  # photos embedded by a build that was not killed
    seconds: float


class Nursery:
    """Runs builds and kills them."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def build(
        self, request: BuildRequest, *, kill_at: int = 0, kill_after: float | None = None
    ) -> Ended:
        """Build; the process is killed at an audit event, or after seconds, or not at all."""
        plan = request.centring
        job: dict[str, Any] = {
            "photos": str(request.photos),
            "gallery": str(request.gallery),
            "encoder": str(request.encoder),
            "rebuild": request.rebuild,
            "centring": {n: getattr(plan, n) for n in ("centre_from", "reduce_from", "dim")},
            "kill_at": kill_at,
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        started = time.monotonic()
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        child = int(self._process.stdout.readline())
        if kill_after is not None:
            time.sleep(kill_after)
            with suppress(ProcessLookupError):  # it was faster
                os.kill(child, signal.SIGKILL)
        answer = json.loads(self._process.stdout.readline())
        assert answer["status"] in (0, -signal.SIGKILL), answer
        return Ended(
            killed=answer["status"] != 0,
            events=answer.get("events", 0),
            embedded=answer.get("embedded", 0),
            seconds=time.monotonic() - started,
        )


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """Builds in processes that can be killed."""
    command = [sys.executable, "-W", "error", "-c", NURSERY]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield Nursery(process)
        process.stdin.close()
