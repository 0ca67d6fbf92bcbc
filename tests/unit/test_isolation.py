"""Decoding in processes that crash, hang and run out of memory: each costs one photo."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from training.decoding import FORMATS, Photo, decode_here, is_plain, sniff
from training.errors import ConfigError, PhotoError
from training.isolation import Limits, Workers
from training.photos import decode

Encoded = Callable[..., bytes]
ROOT = Path(__file__).parents[2]

# A worker like ours, but with a decoder that does what the file tells it to.
OBEDIENT = f"""
import ctypes, os, sys, time
sys.path.insert(0, {str(ROOT)!r})
from training.decode_worker import serve
from training.decoding import decode_here

def decode(data, at_least=None):
    if b"CRASH" in data:
        ctypes.string_at(0)
    if b"HANG" in data:
        while True:
            pass
    if b"SLEEP" in data:
        time.sleep(1000)
    if b"GREEDY" in data:
        bytearray(8 << 30)
    if b"CHATTY" in data:
        os.write(1, b"x" * 100_000)
        os.write(2, b"x" * 100_000)
    if b"LEAVE" in data:
        os._exit(3)
    return decode_here(data, at_least=at_least)

serve(decode)
"""


@pytest.fixture(scope="module")
def obedient() -> Iterator[Workers]:
    """Real worker processes that really crash and hang."""
    workers = Workers(
        limits=Limits(seconds=2), most=2, command=(sys.executable, "-P", "-c", OBEDIENT)
    )
    yield workers
    workers.close()


@pytest.fixture
def gif(draw_shape: Callable[..., Image.Image], encoded: Encoded) -> Callable[[bytes], bytes]:
    """A valid GIF with a message for the decoder at its end."""
    return lambda message: encoded(draw_shape(), "GIF") + message


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"CRASH", f"its decoder crashed (signal {signal.SIGSEGV.value})"),
        (b"LEAVE", "its decoder crashed (exit code 3)"),
        (b"HANG", "longer than 2 seconds"),
        (b"SLEEP", "longer than 2 seconds"),
        (b"GREEDY", "not enough memory"),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="limits are Linux's here")
def test_a_decoder_that_fails_costs_one_photo_and_tells_why(
    message: bytes, reason: str, obedient: Workers, gif: Callable[[bytes], bytes]
) -> None:
    assert obedient.decode(gif(b"")).format == "GIF"
    with pytest.raises(PhotoError) as failed:
        obedient.decode(gif(message))
    assert reason in failed.value.message
    assert obedient.decode(gif(b"")).format == "GIF", "the next photo has a new worker"


def test_what_a_decoder_prints_does_not_mix_with_its_answers(
    obedient: Workers, gif: Callable[[bytes], bytes], capfd: pytest.CaptureFixture[str]
) -> None:
    assert obedient.decode(gif(b"CHATTY")).width == 64
    assert obedient.decode(gif(b"")).width == 64
    assert capfd.readouterr() == ("", "")


def test_a_worker_that_was_killed_between_two_photos_is_replaced(
    obedient: Workers, gif: Callable[[bytes], bytes]
) -> None:
    obedient.decode(gif(b""))
    for pid in obedient.pids():
        os.kill(pid, signal.SIGKILL)
    time.sleep(0.2)
    assert obedient.decode(gif(b"")).format == "GIF"


def test_many_threads_share_few_workers_and_only_the_bad_photos_fail(
    obedient: Workers, gif: Callable[[bytes], bytes]
) -> None:
    def outcome(number: int) -> str:
        try:
            return obedient.decode(gif(b"LEAVE" if number % 5 == 0 else b"")).format
        except PhotoError as error:
            return error.message

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(outcome, range(25)))

    assert outcomes.count("GIF") == 20
    assert outcomes.count("its decoder crashed (exit code 3)") == 5
    assert len(obedient.pids()) <= 2


def test_a_worker_outlives_neither_its_owner_nor_its_close(gif: Callable[[bytes], bytes]) -> None:
    workers = Workers(most=1)
    workers.decode(gif(b""))
    (pid,) = workers.pids()
    workers.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_workers_end_with_a_process_that_is_killed(gif: Callable[[bytes], bytes]) -> None:
    script = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from training.isolation import shared
shared().decode(sys.stdin.buffer.read())
print(*shared().pids(), flush=True)
import time; time.sleep(100)
"""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", script], stdin=pipe, stdout=pipe) as owner:
        assert owner.stdin is not None
        assert owner.stdout is not None
        owner.stdin.write(gif(b""))
        owner.stdin.close()
        pid = int(owner.stdout.readline())
        os.kill(pid, 0)
        owner.kill()
    deadline = time.monotonic() + 10
    while _is_running(pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _is_running(pid: int) -> bool:
    """False for a zombie that nobody waited for."""
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "\nState:\tZ" not in status.read_text()


def test_a_command_that_starts_no_worker_is_an_error_of_the_run_not_of_a_photo(
    gif: Callable[[bytes], bytes],
) -> None:
    workers = Workers(command=(sys.executable, "-c", "print('something else')"))
    with pytest.raises(ConfigError, match="cannot be started"):
        workers.decode(gif(b""))


@pytest.mark.parametrize("name", FORMATS)
def test_both_ways_give_the_same_photo(
    name: str, draw_shape: Callable[..., Image.Image], encoded: Encoded
) -> None:
    data = encoded(draw_shape(size=(600, 400)), name)
    if name in ("JPEG", "PNG", "WEBP", "TIFF"):
        exif = Image.Exif()
        exif[ExifTags.Base.Model] = "Pinhole"
        data = encoded(draw_shape(size=(600, 400)), name, exif=exif)
    here, there = decode_here(data, at_least=40), decode(data, at_least=40, isolated=True)
    assert (here.width, here.height, here.format) == (there.width, there.height, there.format)
    assert here.shot == there.shot
    np.testing.assert_array_equal(np.asarray(here.image), np.asarray(there.image))
    there.image.putpixel((0, 0), (1, 2, 3))  # it is a picture of its own, not a view of a pipe


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_is_known_by_its_first_bytes_and_only_jpeg_and_png_stay_here(
    name: str, draw_shape: Callable[..., Image.Image], encoded: Encoded
) -> None:
    data = encoded(draw_shape(), name)
    assert name in sniff(data)
    assert is_plain(data) == (name in ("JPEG", "PNG"))


@pytest.mark.parametrize("start", [b"", b"\x00\x00\x00\x18ftypmp42", b"RIFF1234WAVE", b"GIF86a"])
def test_what_has_no_known_beginning_meets_no_decoder(start: bytes) -> None:
    assert sniff(start + bytes(100)) == ()
    with pytest.raises(PhotoError, match="not an image of a format"):
        decode(start + bytes(100))


def test_a_jpeg_of_thousands_of_scans_leaves_this_process(
    draw_shape: Callable[..., Image.Image], encoded: Encoded
) -> None:
    data = encoded(draw_shape(size=(300, 200)), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    slow = data[:last] + data[last:-2] * 3000 + data[-2:]
    assert is_plain(data)
    assert not is_plain(slow)
    assert isinstance(decode(slow), Photo)


def test_a_closed_pool_serves_again(gif: Callable[[bytes], bytes]) -> None:
    workers = Workers(most=1)
    for _ in range(2):
        assert workers.decode(gif(b"")).format == "GIF"
        workers.close()
