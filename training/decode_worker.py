"""The other side of `training.isolation`: decodes what it is sent, within its limits."""

import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict, fields
from typing import IO

from training.decoding import Photo, decode_here
from training.errors import PhotoError
from training.isolation import ANSWER, READY, REQUEST

# Beyond the time its owner allows: it ends by itself only where its owner is gone.
GRACE_SECONDS = 5


def serve(decode: Callable[..., Photo] = decode_here) -> None:
    """Answer requests on stdin until it closes. The last argument is the memory limit in bytes."""
    _limit_memory(int(sys.argv[-1]))
    requests, answers = sys.stdin.buffer, _private_stdout()
    answers.write(READY)
    answers.flush()
    while len(header := requests.read(REQUEST.size)) == REQUEST.size:
        at_least, seconds, size = REQUEST.unpack(header)
        data = requests.read(size)
        if len(data) < size:
            return
        _end_after(seconds + GRACE_SECONDS)
        facts, pixels = _decoded(decode, data, at_least or None)
        _end_after(0)
        text = json.dumps(facts).encode()
        answers.write(ANSWER.pack(len(text), len(pixels)) + text)
        answers.write(pixels)
        answers.flush()


def _decoded(
    decode: Callable[..., Photo], data: bytes, at_least: int | None
) -> tuple[dict[str, object], bytes]:
    try:
        photo = decode(data, at_least=at_least)
        pixels = photo.image.tobytes()
    except PhotoError as error:
        return {"error": error.message}, b""
    except MemoryError:
        return {"error": "not enough memory to decode it"}, b""
    facts = {f.name: getattr(photo, f.name) for f in fields(photo) if f.name != "image"}
    return {**facts, "shot": asdict(photo.shot), "size": photo.image.size}, pixels


def _private_stdout() -> IO[bytes]:
    """Answers go where stdout went; what a decoder prints goes nowhere."""
    answers = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return answers


def _end_after(seconds: int) -> None:
    """Have the system end this process then, wherever it hangs; 0 takes it back."""
    if hasattr(signal, "alarm"):
        signal.alarm(seconds)


def _limit_memory(size_bytes: int) -> None:
    """Ask the system to refuse more memory than this; some systems do not hold it."""
    try:
        import resource  # noqa: PLC0415 - Unix only
    except ImportError:
        return
    for name in ("RLIMIT_AS", "RLIMIT_DATA"):
        kind = getattr(resource, name, None)
        if kind is None:
            continue
        try:
            resource.setrlimit(kind, (size_bytes, resource.getrlimit(kind)[1]))
        except (ValueError, OSError):
            continue
