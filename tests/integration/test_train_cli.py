"""ssl-train as a process: what it prints, how it ends, what Ctrl-C leaves."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from training.cli import cli, main

COMMAND = [sys.executable, "-m", "training"]
FAST = ["--backbone", "mobilenet_v3_small", "--init", "random", "--image-size", "32",
        "--batch-size", "16", "--offline"]  # fmt: skip


def run(*options: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, options)],
        cwd=cwd,
        env={**os.environ, "XDG_CACHE_HOME": str(cwd / "cache"), **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_a_run_prints_its_plan_on_stderr_and_its_report_on_stdout(
    sixty_shapes: Path, tmp_path: Path
) -> None:
    done = run(sixty_shapes, "--epochs", "1", "--json", *FAST, cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["photos"] == 60
    assert "steps of 16 photos" in done.stderr
    assert "Traceback" not in done.stderr


def test_ctrl_c_leaves_a_run_that_resumes(sixty_shapes: Path, tmp_path: Path) -> None:
    process = start(sixty_shapes, tmp_path)

    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=120)

    assert process.returncode == 130, errors
    assert output == ""
    assert "--resume" in errors
    assert "Traceback" not in errors
    assert (tmp_path / "run" / "checkpoint.safetensors").is_file()


def test_a_second_ctrl_c_leaves_at_once_without_a_traceback(
    sixty_shapes: Path, tmp_path: Path
) -> None:
    process = start(sixty_shapes, tmp_path)

    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        process.send_signal(signal.SIGINT)
        time.sleep(0.02)
    _, errors = process.communicate(timeout=60)

    assert process.returncode == 130, errors
    assert "Traceback" not in errors


def start(photos: Path, cwd: Path) -> subprocess.Popen[str]:
    """A long run, some steps into its training."""
    process = subprocess.Popen(
        [*COMMAND, str(photos), "--epochs", "5000", *FAST],
        cwd=cwd,
        env={**os.environ, "XDG_CACHE_HOME": str(cwd / "cache")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 120
    metrics = cwd / "run" / "metrics.jsonl"
    while time.monotonic() < deadline and process.poll() is None:
        if metrics.is_file() and '"train"' in metrics.read_text():
            break
        time.sleep(0.1)
    return process


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["nowhere"], "no folder nowhere"),
        ([".", "--backbone", "resnet19"], "resnet18"),
        ([".", "--budget", "soon"], "20m"),
        ([".", "--epochs", "1", "--budget", "1m"], "both"),
        ([".", "--lr", "0"], "--lr"),
        ([".", "--resume"], "no run"),
        ([".", "--config", "none.toml"], "none.toml"),
    ],
)
def test_a_wrong_option_is_one_line_with_a_hint(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    words: str,
) -> None:
    (tmp_path / "a.txt").write_text("not a photo")
    monkeypatch.chdir(tmp_path)

    code, errors = in_process(options, monkeypatch, capsys)

    assert code == 1
    assert words in errors
    assert errors.startswith("error: ")
    assert errors.count("\n") <= 2
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "folder"), [([], "filed"), (["-o", "typed"], "typed"), (["-o", "run"], "run")]
)
def test_a_config_file_names_the_run_unless_the_command_line_does(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    folder: str,
) -> None:
    (tmp_path / "ours.toml").write_text('out = "filed"')
    for taken in ("filed", "typed", "run"):
        (tmp_path / taken).mkdir()
        (tmp_path / taken / "a.txt").touch()
    monkeypatch.chdir(tmp_path)

    _, errors = in_process([".", "--config", "ours.toml", *options], monkeypatch, capsys)

    assert f"{folder} exists and is not an empty folder" in errors


def in_process(
    options: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[object, str]:
    """The exit code and stderr of ssl-train, without the cost of a process of its own."""
    monkeypatch.setattr(sys, "argv", ["ssl-train", *options])
    before = signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(SystemExit) as left:
            main()
    finally:
        signal.signal(signal.SIGINT, before)
    return left.value.code, capsys.readouterr().err


def test_every_option_has_help() -> None:
    for option in cli.params:
        assert option.name == "photos" or getattr(option, "help", None), option.name


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes; needs root, as continuous integration has."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("only root may mount a small file system to fill")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_one_line(sixty_shapes: Path, tmp_path: Path, tiny_disk: Path) -> None:
    done = run(sixty_shapes, "-o", tiny_disk / "run", "--epochs", "1", *FAST, cwd=tmp_path)

    assert done.returncode == 1, done.stderr
    assert "the disk is full" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_read_only_output_folder_is_one_line(
    sixty_shapes: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    as_nobody: AbstractContextManager[None],
) -> None:
    shutil.copytree(sixty_shapes, tmp_path / "photos")
    (tmp_path / "closed").mkdir(mode=0o555)

    with as_nobody:
        code, errors = in_process(["photos", "-o", "closed/run", *FAST], monkeypatch, capsys)

    assert code == 1
    assert "permission denied" in errors
    assert "closed" in errors
