"""A run that is killed at any step, or whose disk fills up, loses nothing that was saved."""

import contextlib
import errno
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from training.config import TrainConfig
from training.engine import pretrain
from training.errors import Interrupted
from training.metrics import read_metrics
from training.prepare import Surroundings
from training.progress import Silent

OPTIONS = {
    "backbone": "mobilenet_v3_small", "init": "random", "image_size": 32, "batch_size": 16,
    "epochs": 6, "hidden_dim": 128, "ema": 0.9, "offline": True,
}  # fmt: skip

# A checkpoint after every step, so that every step is one that a kill can fall on.
DRIVER = f"""
import sys
from pathlib import Path
from training.config import TrainConfig
from training.engine import pretrain
from training.prepare import Surroundings
from training.progress import Silent

photos, out, cache = map(Path, sys.argv[1:4])
around = Surroundings(Silent(), lambda: False, cache, seconds_between_checkpoints=0.0)
pretrain(TrainConfig(photos, out, **{OPTIONS!r}), around, resume="--resume" in sys.argv)
"""


def started(photos: Path, out: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", DRIVER, str(photos), str(out), str(out.parent / "cache")]
    return subprocess.Popen([*command, *options], stderr=subprocess.PIPE, text=True)


def kill_after(process: subprocess.Popen[str], checkpoint: Path, saves: int) -> bool:
    """Kill a run, by SIGKILL, once it has saved so often; False where it ended before."""
    seen, last = 0, checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
    while process.poll() is None:
        now = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
        seen, last = seen + (now != last), now
        if seen >= saves:
            process.kill()
            process.communicate()
            return True
        time.sleep(0.002)
    told = process.communicate()[1]  # closes the pipe too
    assert process.returncode == 0, told
    return False


@pytest.mark.slow
@pytest.mark.parametrize("kills", [2, pytest.param(15, marks=pytest.mark.soak)])
def test_a_run_killed_at_random_steps_ends_with_the_very_weights_of_one_left_alone(
    sixty_shapes: Path, tmp_path: Path, kills: int
) -> None:
    draw = random.Random(kills)
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    alone = started(sixty_shapes, straight)
    assert alone.wait(300) == 0, alone.communicate()[1]
    alone.communicate()

    resume: tuple[str, ...] = ()
    for _ in range(kills):
        process = started(sixty_shapes, killed, *resume)
        if not kill_after(process, killed / "checkpoint.safetensors", draw.randint(1, 7)):
            break
        resume = ("--resume",)
    last = started(sixty_shapes, killed, "--resume")
    assert last.wait(300) == 0, last.communicate()[1]
    last.communicate()

    assert resume, "the run ended before it was killed"
    for name in ("encoder.safetensors", "trained.safetensors", "checkpoint.safetensors"):
        first, second = load_file(straight / name), load_file(killed / name)
        assert first.keys() == second.keys()
        assert all(torch.equal(first[key], second[key]) for key in first), name
    assert [line["step"] for line in read_metrics(killed)] == [
        line["step"] for line in read_metrics(straight)
    ]
    assert not list(killed.glob(".*.safetensors.*"))  # nothing half written is left


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 160 megabytes; needs root, as continuous integration has."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=160m", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small file system to fill")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """A file that takes what is left."""
    file = folder / "filler"
    with file.open("wb", buffering=0) as opened, contextlib.suppress(OSError):
        while opened.write(b"\0" * (1 << 16)):
            pass
    return file


def test_a_disk_that_fills_up_costs_nothing_that_was_saved(
    sixty_shapes: Path, tmp_path: Path, small_disk: Path
) -> None:
    asked = iter(range(1, 10_000))
    halting = Surroundings(Silent(), lambda: next(asked) > 64, tmp_path / "cache")
    around = Surroundings(Silent(), lambda: False, tmp_path / "cache", 0.0)
    config = TrainConfig(sixty_shapes, small_disk / "run", **OPTIONS)  # type: ignore[arg-type]
    with pytest.raises(Interrupted):
        pretrain(config, halting)
    saved = (small_disk / "run" / "checkpoint.safetensors").read_bytes()
    filler = fill(small_disk)

    with pytest.raises(OSError, match="No space") as caught:
        pretrain(config, around, resume=True)

    assert caught.value.errno == errno.ENOSPC
    assert (small_disk / "run" / "checkpoint.safetensors").read_bytes() == saved
    filler.unlink()
    assert pretrain(config, around, resume=True).steps > 0
