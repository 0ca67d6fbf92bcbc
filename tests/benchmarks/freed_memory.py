"""What does it bring a training step to keep what it frees? See training/allocator.py.

    python tests/benchmarks/freed_memory.py [--backbone mobilenet_v2] [--method simclr]
        [--image-size 96] [--batch-size 128] [--steps 12] [--rounds 3]

Both ways in turn, each in a process of its own: steps on random pixels, from weights as ImageNet's
are trained (half of the network frozen) or, for --from-random, all of it. Prints the median step
of every round as photos a second, the page faults of a step, and the ratio's median and range.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

WARM_UP = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backbone", default="mobilenet_v2")
    parser.add_argument("--method", default="simclr")
    parser.add_argument("--image-size", type=int, default=96)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--from-random", action="store_true")
    parser.add_argument("--alone", choices=("keep", "leave"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.alone:
        print(json.dumps(measured(options)))
        return
    ratios = []
    for _ in range(options.rounds):
        rates = {}
        for way in ("leave", "keep"):
            command = [sys.executable, __file__, *sys.argv[1:], "--alone", way]
            ran = subprocess.run(command, check=True, capture_output=True, text=True)
            rates[way], faults = json.loads(ran.stdout)
            print(f"{way}: {rates[way]:.0f} photos/s, {faults:,.0f} page faults a step", flush=True)
        ratios.append(rates["keep"] / rates["leave"])
    print(f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


def measured(options: argparse.Namespace) -> tuple[float, float]:
    """Photos a second of the median step, and page faults of a step."""
    import resource  # noqa: PLC0415 (not on Windows)

    from training.allocator import keep_freed_memory  # noqa: PLC0415
    from training.config import TrainConfig  # noqa: PLC0415
    from training.models import build_backbone  # noqa: PLC0415
    from training.planning import Survey, choose, choose_network  # noqa: PLC0415
    from training.trainer import Trainer, random_batch  # noqa: PLC0415

    if options.alone == "keep":
        keep_freed_memory()
    config = TrainConfig(
        Path("photos"),
        backbone=options.backbone,
        method=options.method,
        image_size=options.image_size,
        batch_size=options.batch_size,
    )
    found = Survey(files=3000, typical_side=400)
    start = "random" if options.from_random else "imagenet"
    plan = choose(config, found, choose_network(config, found, has_cuda=False), start)
    trainer = Trainer(plan, build_backbone(options.backbone))
    batch = random_batch(plan, trainer.device)
    seconds = []
    for step in range(WARM_UP + options.steps):
        if step == WARM_UP:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        began = time.perf_counter()
        trainer.train_step(batch, 0.1).item()
        seconds.append(time.perf_counter() - began)
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    rate = options.batch_size / statistics.median(seconds[WARM_UP:])
    return rate, faults / options.steps


if __name__ == "__main__":
    main()
