"""A decoder's flaw that brings the whole program down: the next run isolates that photo."""

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from training.cache import open_photos
from training.inflight import InFlight
from training.progress import Silent

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs Unix signals")

# Decoding in this process really ends it where the file says so, as a flaw in libjpeg would.
FLAWED = """
import ctypes, sys, time
from pathlib import Path
import training.photos
from training.attended import Attended
from training.decoding import decode_here
from training.progress import Silent

def flawed(data, *, at_least=None):
    if b"FLAW" in data:
        ctypes.string_at(0)
    if b"HANG" in data:
        time.sleep(1e9)
    return decode_here(data, at_least=at_least)

training.photos.decode_here = flawed
training.photos.ATTENDED = Attended(seconds=0.5, most_given_up=2)
photos, place, encoder = map(Path, sys.argv[1:])
"""

BUILD = (
    FLAWED
    + """
from indexer.build import BuildRequest, build
build(BuildRequest(photos, place, encoder, device="cpu"), progress=Silent())
"""
)

CACHE = (
    FLAWED
    + """
from training.cache import open_photos
assert len(open_photos(photos, place, 32, progress=Silent())) == 9
"""
)


def run(script: str, *arguments: Path) -> int:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, check=False, env=environment, timeout=120).returncode


@pytest.fixture
def flawed(studio: Any) -> Any:
    """Photos of which one crashes whoever decodes it in his own process."""
    studio.paint_many(5)
    with (studio.photos / "b.png").open("ab") as file:
        file.write(b"FLAW")
    return studio


@pytest.mark.parametrize("script", [BUILD, CACHE], ids=["build", "cache"])
def test_a_photo_that_crashed_a_run_is_isolated_in_the_next(script: str, flawed: Any) -> None:
    arguments = (flawed.photos, flawed.folder, flawed.request.encoder)
    assert run(script, *arguments) == -signal.SIGSEGV
    assert (flawed.folder / ".decoding").exists()
    assert run(script, *arguments) == 0
    assert not (flawed.folder / ".decoding").exists()
    if script == BUILD:
        assert len(flawed.gallery()) == 9
    else:
        assert len(open_photos(flawed.photos, flawed.folder, 32, progress=Silent())) == 9


@pytest.mark.parametrize("script", [BUILD, CACHE], ids=["build", "cache"])
def test_photos_that_hang_their_decoder_cost_a_run_its_patience_only(
    script: str, studio: Any
) -> None:
    # More of them than there are threads, and than may hang before all photos are isolated.
    studio.paint_many(5)
    for name in ("a", "b", "c", "many-001"):
        with (studio.photos / f"{name}.png").open("ab") as file:
            file.write(b"HANG")

    assert run(script, studio.photos, studio.folder, studio.request.encoder) == 0

    if script == BUILD:
        assert len(studio.gallery()) == 9
    assert not (studio.folder / ".decoding").exists()


def mark(photo: bytes) -> bytes:
    return hashlib.sha256(photo).digest()


@contextmanager
def a_run_that_dies(path: Path) -> Iterator[InFlight]:
    with pytest.raises(RuntimeError, match="died"), InFlight.opened(path) as flight:  # noqa: PT012
        yield flight
        raise RuntimeError("died")


def test_a_suspect_stays_one_until_a_run_is_through(tmp_path: Path) -> None:
    path = tmp_path / ".decoding"
    path.write_bytes(bytes(64) + mark(b"left in flight") + bytes(32))
    for _ in range(2):
        with a_run_that_dies(path) as flight:
            with flight.decoding(b"left in flight") as isolated:
                assert isolated
            with flight.decoding(b"another") as isolated:
                assert not isolated
    with InFlight.opened(path):
        pass
    assert not path.exists()


def test_a_photo_is_written_down_while_it_is_in_flight_and_not_after(tmp_path: Path) -> None:
    path = tmp_path / ".decoding"
    with a_run_that_dies(path) as flight:
        with flight.decoding(b"fine"):
            assert mark(b"fine") in path.read_bytes()
        with pytest.raises(ValueError, match="damaged"), flight.decoding(b"damaged"):
            raise ValueError("damaged")
    assert not any(path.read_bytes())


@pytest.mark.parametrize("data", [b"", b"short", b"\xff" * 4000])
def test_a_damaged_file_only_makes_suspects(data: bytes, tmp_path: Path) -> None:
    (tmp_path / ".decoding").write_bytes(data)
    with InFlight.opened(tmp_path / ".decoding") as flight, flight.decoding(b"a") as isolated:
        assert not isolated
