"""Files that are never half written."""

import errno
import os
import stat
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from training.errors import ConfigError
from training.files import atomic_write, check_output, mark_folder, replacing
from training.photos import MARKER, walk


def write_half_and_raise(target: Path, error: BaseException) -> None:
    with replacing(target) as temporary:
        temporary.write_bytes(b"half of the n")
        raise error


def write_to_a_full_device(target: Path) -> None:
    with replacing(target) as temporary:
        temporary.unlink()
        temporary.symlink_to("/dev/full")
        temporary.write_bytes(b"new")


def test_a_file_is_written_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    atomic_write(tmp_path / "report.json", b"first")
    atomic_write(tmp_path / "report.json", b"second")

    assert (tmp_path / "report.json").read_bytes() == b"second"
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_a_full_disk_leaves_the_old_content_and_nothing_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "encoder.safetensors"
    target.write_bytes(b"old")

    full = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(OSError, match="No space left"):
        write_half_and_raise(target, full)

    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is full")
def test_a_write_that_the_system_refuses_leaves_the_old_content(tmp_path: Path) -> None:
    target = tmp_path / "vectors.faiss"
    target.write_bytes(b"old")

    with pytest.raises(OSError, match="No space left"):
        write_to_a_full_device(target)

    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


def test_ctrl_c_in_the_middle_leaves_the_old_content(tmp_path: Path) -> None:
    target = tmp_path / "config.json"
    target.write_bytes(b"old")

    with pytest.raises(KeyboardInterrupt):
        write_half_and_raise(target, KeyboardInterrupt())

    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


def test_the_old_content_stays_until_the_new_is_complete(tmp_path: Path) -> None:
    target = tmp_path / "catalogue"
    target.write_bytes(b"old")

    with replacing(target) as temporary:
        temporary.write_bytes(b"new")
        seen_meanwhile = target.read_bytes()

    assert seen_meanwhile == b"old"
    assert target.read_bytes() == b"new"


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_a_new_file_has_the_rights_that_the_user_gives_new_files(
    tmp_path: Path, umask: int
) -> None:
    before = os.umask(umask)
    try:
        atomic_write(tmp_path / "file", b"x")
        seen = os.umask(umask)
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o666 & ~umask
    assert seen == umask  # asking for it did not change it


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        atomic_write(tmp_path / "nowhere" / "file", b"x")


def test_a_read_only_folder_is_an_error_and_stays_as_it_was(
    tmp_path: Path, as_nobody: AbstractContextManager[None]
) -> None:
    (tmp_path / "locked").mkdir()
    (tmp_path / "locked" / "file").write_bytes(b"old")
    (tmp_path / "locked").chmod(0o555)

    with as_nobody, pytest.raises(PermissionError):
        atomic_write(Path("locked/file"), b"new")

    assert (tmp_path / "locked" / "file").read_bytes() == b"old"


def test_a_marked_folder_is_not_walked(tmp_path: Path) -> None:
    mark_folder(tmp_path / "run")
    (tmp_path / "run" / "views.png").write_bytes(b"x")

    assert list(walk(tmp_path)) == []
    assert list(walk(tmp_path / "run")) == []


def test_marking_twice_changes_nothing(tmp_path: Path) -> None:
    mark_folder(tmp_path / "a" / "run")
    first = (tmp_path / "a" / "run" / MARKER).stat()

    mark_folder(tmp_path / "a" / "run")

    assert (tmp_path / "a" / "run" / MARKER).stat().st_mtime_ns == first.st_mtime_ns


def test_a_file_new_or_old_is_a_place_for_output(tmp_path: Path) -> None:
    (tmp_path / "old.html").write_bytes(b"")

    check_output(tmp_path / "old.html")
    check_output(tmp_path / "new.html")
    check_output(Path("new.html"))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (".", "this is a folder"),
        ("missing/page.html", "there is no folder .*missing"),
        ("file/page.html", "there is no folder .*file"),
    ],
)
def test_a_folder_and_a_file_in_none_are_no_places_for_output(
    tmp_path: Path, name: str, words: str
) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(ConfigError, match=words) as caught:
        check_output(tmp_path / name)

    assert caught.value.hint
