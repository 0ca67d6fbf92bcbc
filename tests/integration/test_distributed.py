"""Two processes as one: the same loss and gradients; torchrun, and torchrun after a crash."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

METHODS = {"simclr": "any-orientation", "byol": "everyday", "supcon": "everyday"}  # and views

# A step of a tiny run for each method, in a process of its own: gradients, buffers and loss.
STEPS = f"""
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from safetensors.torch import save_file

from training.batches import PhotoBatches
from training.cache import PhotoSet
from training.config import TrainConfig
from training.distributed import mean, world
from training.models import build_backbone
from training.planning import Survey, choose, choose_network
from training.trainer import Trainer

draw = np.random.default_rng(0)
# Smooth, unlike noise: a small network tells them apart.
pixels = draw.integers(0, 256, (30, 6, 6, 3), np.uint8).repeat(12, axis=1).repeat(12, axis=2)
photos = PhotoSet(pixels=pixels, rows=np.arange(30),
                  aspects=np.linspace(0.5, 2, 30, dtype=np.float32),
                  paths=tuple(str(i).encode() for i in range(30)), skipped=(), decoded=0)
labels = np.arange(30) % 4 - 1

def step(method, views):
    config = TrainConfig(Path("p"), method=method, views=views, backbone="mobilenet_v3_small",
                         image_size=64, batch_size=12, epochs=2, freeze=0.3)
    found = Survey(30, 72)
    plan = choose(config, found, choose_network(config, found, has_cuda=False), "random")
    plan = replace(plan, hidden_dim=32, projection_dim=16, cache_size=72)
    torch.manual_seed(0)
    trainer = Trainer(plan, build_backbone(plan.network.backbone))
    batches = PhotoBatches(photos, np.arange(30), plan, world=world(),
                           labels=labels if method == "supcon" else None)
    loss = mean(float(trainer.train_step(batches.at(0), 0.5)))
    kept = {{f"gradient.{{name}}": p.grad for name, p in trainer.method.named_parameters()
             if p.grad is not None}}
    kept |= {{f"buffer.{{name}}": b.float() for name, b in trainer.method.named_buffers()}}
    return {{**kept, "loss": torch.tensor(loss)}}

rank, size, folder = sys.argv[1:]
torch.set_num_threads(1)
if int(size) > 1:
    dist.init_process_group("gloo", init_method=f"file://{{folder}}/meet",
                            rank=int(rank), world_size=int(size))
for method, views in {METHODS!r}.items():
    found = {{name: value.contiguous() for name, value in step(method, views).items()}}
    save_file(found, f"{{folder}}/{{method}}-{{rank}}-of-{{size}}")
if int(size) > 1:
    dist.destroy_process_group()
"""


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one process alone and two together have after a step of each method."""
    folder = tmp_path_factory.mktemp("steps")
    running = [
        subprocess.Popen(
            [sys.executable, "-c", STEPS, str(rank), str(size), str(folder)],
            stderr=subprocess.PIPE, text=True,
        )
        for size in (1, 2) for rank in range(size)
    ]  # fmt: skip
    for process in running:
        errors = process.communicate(timeout=400)[1]
        assert process.returncode == 0, errors
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_two_processes_have_the_loss_and_gradients_of_one_with_the_whole_batch(
    steps: Path, method: str
) -> None:
    alone, first, second = (
        load_file(steps / f"{method}-{name}") for name in ("0-of-1", "0-of-2", "1-of-2")
    )

    assert alone.keys() == first.keys() == second.keys()
    assert float(alone["loss"]) > 0.1
    for name, value in alone.items():
        assert torch.equal(first[name], second[name]), name
        # Sums of float32 in another order, through batch norms of twelve rows.
        tolerance = 2e-3 * (float(value.abs().max()) + 1e-3)
        assert float((first[name] - value).abs().max()) < tolerance, name


# ssl-train with a checkpoint after every step. In torchrun's first attempt process 1 dies as soon
# as there is one: by its second step, since process 0 saves the first before it joins in that.
KILLED_ONCE = """
import os, signal, sys
from pathlib import Path
import training.cli as cli
from training.prepare import Surroundings
from training.progress import Silent

attempt, rank = os.environ["TORCHELASTIC_RESTART_COUNT"], os.environ["RANK"]

class Watched(Silent):
    def start(self, label, *, total, unit):
        if label == "training":
            Path(f"left-{attempt}-{rank}").write_text(str(total))

    def advance(self, amount, **facts):
        if (attempt, rank) == ("0", "1") and Path("run/checkpoint.safetensors").exists():
            os.kill(os.getpid(), signal.SIGKILL)

def around(_progress, stop, cache):
    return Surroundings(Watched(), stop, cache, seconds_between_checkpoints=0.0)

cli.Surroundings = around
cli.main()
"""


def torchrun(*program: str, photos: Path, cwd: Path) -> dict[str, Any]:
    """The report of a run in two processes, which torchrun may start again once."""
    launcher = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [
            sys.executable, "-m", *launcher, "--max-restarts", "1", *program, str(photos),
            "--backbone", "mobilenet_v3_small", "--init", "random", "--image-size", "32",
            "--batch-size", "16", "--epochs", "6", "--offline", "--hidden-dim", "64", "--json",
        ],
        cwd=cwd,
        env={**os.environ, "XDG_CACHE_HOME": str(cwd / "cache"), "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, check=False, timeout=500,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)  # one report, of one process
    return report


@pytest.fixture
def killed_run(sixty_shapes: Path, tmp_path: Path) -> Path:
    """Where a run of 20 steps stands one of whose workers was killed."""
    (folder := tmp_path / "killed").mkdir()
    (folder / "killed_once.py").write_text(KILLED_ONCE)
    assert torchrun("killed_once.py", photos=sixty_shapes, cwd=folder)["steps"] == 20
    return folder


@pytest.mark.slow
def test_torchrun_goes_on_from_the_checkpoint_after_a_worker_was_killed(killed_run: Path) -> None:
    photos = 20 * 16  # 6 epochs of 52 photos, 16 at a time
    for rank in (0, 1):
        assert float((killed_run / f"left-0-{rank}").read_text()) == photos
        assert 0 < float((killed_run / f"left-1-{rank}").read_text()) < photos


@pytest.mark.soak
def test_after_a_worker_was_killed_the_weights_are_those_of_a_run_left_alone(
    killed_run: Path, sixty_shapes: Path, tmp_path: Path
) -> None:
    (alone := tmp_path / "left alone").mkdir()
    assert torchrun("-m", "training", photos=sixty_shapes, cwd=alone)["steps"] == 20
    first, second = (load_file(at / "run" / "trained.safetensors") for at in (killed_run, alone))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
