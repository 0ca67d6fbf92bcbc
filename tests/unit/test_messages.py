"""What people read: paths on one line, times in words, trouble with the disk."""

import errno
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.console import readable, storage_error
from training.errors import StorageError
from training.progress import duration


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (b"plain.jpg", "plain.jpg"),
        (b"with space.jpg", "with space.jpg"),
        ("größe-写真.jpg".encode(), "größe-写真.jpg"),
        (b"new\nline.jpg", "new\\x0aline.jpg"),
        (b"escape\x1b[31m.jpg", "escape\\x1b[31m.jpg"),
        (b"latin-\xe9.jpg", "latin-\\xe9.jpg"),
        ("right\u202eto-left.jpg", "right\\xe2\\x80\\xaeto-left.jpg"),
        ("half a pair \ud800", "half a pair \\ud800"),
    ],
)
def test_paths_are_readable_on_one_line(path: bytes | str, shown: str) -> None:
    assert readable(path) == shown


@given(st.binary())
def test_every_path_is_printable_when_shown(path: bytes) -> None:
    assert readable(path).isprintable()


@given(st.text(st.characters(exclude_categories=())))
def test_every_text_is_printable_when_shown(text: str) -> None:
    assert readable(text).isprintable()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-1, "0 s"), (0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (200, "3 min 20 s"),
     (3599.6, "1 h 00 min"), (7500, "2 h 05 min")],
)  # fmt: skip
def test_durations_are_said_as_people_say_them(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES])
def test_storage_errors_name_the_place_and_what_to_do(code: int) -> None:
    known = storage_error(OSError(code, "as the system says it", b"out\n/x"))

    assert isinstance(known, StorageError)
    assert "out\\x0a/x" in known.message
    assert known.hint


@pytest.mark.parametrize("filename", [None, 3])
def test_a_storage_error_without_a_name_speaks_of_the_output_folder(filename: object) -> None:
    known = storage_error(OSError(errno.ENOSPC, "No space left on device", filename))

    assert known is not None
    assert known.message == "cannot write the output folder: the disk is full"


def test_other_system_errors_are_not_storage_errors() -> None:
    assert storage_error(OSError(errno.ENOTCONN, "not connected")) is None
    assert storage_error(OSError("without a number")) is None


def test_a_real_read_only_folder_gives_the_friendly_error(
    tmp_path: Path, as_nobody: AbstractContextManager[None]
) -> None:
    (tmp_path / "mine").mkdir(mode=0o555)

    with as_nobody, pytest.raises(PermissionError) as caught:
        Path("mine/file").write_bytes(b"x")

    known = storage_error(caught.value)
    assert known is not None
    assert known.message == "cannot write mine/file: permission denied"
