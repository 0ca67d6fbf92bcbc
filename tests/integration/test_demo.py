"""`ssl-demo` from end to end, as a person or a script runs it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from app.demo import DEFAULT_FOLDER, cli
from training.errors import CollectionError, LookalikeError

COMMAND = (sys.executable, "-P", "-c", "from app.demo import main; main()")


def demo(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run `ssl-demo` as a process; its output is the test's own when it fails."""
    ended = subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True, text=True, check=False, cwd=cwd,
    )  # fmt: skip
    print(ended.stdout, ended.stderr)
    return ended


def refusal(*arguments: str) -> LookalikeError:
    outcome = CliRunner().invoke(cli, arguments)
    assert isinstance(outcome.exception, LookalikeError)
    return outcome.exception


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_demo_learns_to_tell_digits_apart_that_pixels_and_the_untrained_network_do_not(
    tmp_path: Path,
) -> None:
    first = demo("--no-app", "--offline", cwd=tmp_path)
    again = demo("--no-app", "--offline", cwd=tmp_path)

    work = tmp_path / DEFAULT_FOLDER
    figures = json.loads((work / "figures.json").read_text())
    assert first.returncode == again.returncode == 0
    assert figures["photos"] == 1797
    # Measured: .90 against .40 and .54.
    assert figures["trained"] > figures["raw_pixels"] + 0.2
    assert figures["trained"] > figures["untrained"] + 0.2
    with Image.open(work / "neighbours.png") as sheet:
        assert sheet.width > 900
    for command in ("$ ssl-train ", "$ ssl-index build ", "$ ssl-app "):
        assert command in first.stdout
        assert command in again.stdout
    assert f"{figures['trained']:.1%}" in first.stdout
    assert "Done before" in again.stdout


@pytest.mark.slow
def test_photos_without_class_folders_get_the_runs_own_verdict(
    tmp_path: Path, make_shape_folder: Callable[..., Path]
) -> None:
    classes = make_shape_folder(tmp_path / "classes", per_class=15)
    photos = tmp_path / "my photos"
    photos.mkdir()
    for photo in classes.rglob("*.jpg"):
        photo.rename(photos / photo.name)

    ended = demo("my photos", "--no-app", "--budget", "3s", "--offline", cwd=tmp_path)

    work = tmp_path / DEFAULT_FOLDER
    verdict = json.loads((work / "run" / "report.json").read_text())["verdict"]
    assert ended.returncode == 0
    assert "$ ssl-train 'my photos' -o lookalike-demo/run --budget 3s --offline" in ended.stdout
    assert verdict in ended.stdout
    assert not (work / "figures.json").exists()
    assert (work / "neighbours.png").exists()


def test_a_missing_photo_folder_is_told_before_anything_is_made(tmp_path: Path) -> None:
    error = refusal(str(tmp_path / "nowhere"), "-o", str(tmp_path / "demo"))

    assert isinstance(error, CollectionError)
    assert "nowhere" in error.message
    assert not (tmp_path / "demo").exists()


def test_a_folder_of_something_else_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear all")

    error = refusal("-o", str(tmp_path))

    assert "was not made by ssl-demo" in error.message
    assert error.hint
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_finished_steps_of_other_photos_are_not_reused(tmp_path: Path, shape_folder: Path) -> None:
    work = tmp_path / "demo"
    (work / "run").mkdir(parents=True)
    (work / ".lookalike").touch()
    (work / "run" / "config.json").write_text(json.dumps({"photos": str(tmp_path / "others")}))

    error = refusal(str(shape_folder), "-o", str(work))

    assert "other photos" in error.message
    assert error.hint


def test_a_command_that_fails_ends_the_demo_with_its_exit_code(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()

    ended = demo("photos", "--no-app", "--offline", cwd=tmp_path)

    assert ended.returncode == 1
    assert ended.stderr.count("error: ") == 1
    assert "Traceback" not in ended.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.soak)]
)
def test_a_stopped_demo_stops_its_command_and_goes_on_where_it_was(
    tmp_path: Path, make_shape_folder: Callable[..., Path], number: signal.Signals
) -> None:
    make_shape_folder(tmp_path / "photos", per_class=15)
    arguments = ("photos", "--no-app", "--offline", "--budget", "2s")
    told = tmp_path / "told.txt"
    with told.open("w") as file:
        running = subprocess.Popen(
            [*COMMAND, *arguments], stdout=file, stderr=file, cwd=tmp_path, start_new_session=True
        )  # a group of its own, as a terminal gives it: Ctrl-C reaches all of it
    while not (tmp_path / DEFAULT_FOLDER / "run" / "config.json").exists():
        assert running.poll() is None, told.read_text()
        time.sleep(0.05)
    if number == signal.SIGINT:
        os.killpg(running.pid, number)
    else:
        running.send_signal(number)
    code = running.wait(timeout=120)
    with pytest.raises(ProcessLookupError):
        os.killpg(running.pid, 0)  # nothing of it is left

    assert code in (130, 128 + number), told.read_text()
    if number == signal.SIGINT:
        again = demo(*arguments, cwd=tmp_path)
        assert again.returncode == 0
        assert "An earlier run was interrupted: it goes on." in again.stdout


def test_a_folder_named_like_a_package_is_not_imported(tmp_path: Path) -> None:
    for name in ("app", "training", "indexer"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError('the wrong package')")

    ended = demo("--help", cwd=tmp_path)

    assert ended.returncode == 0
    assert "ssl-demo" in ended.stdout
