"""What the processor allows: photos a second of SimCLR's network alone, forward and backward.

    python tests/benchmarks/network_alone.py [--backbone resnet18] [--batch-size 128]
        [--image-size 96] [--steps 7]

Two views a photo lie ready, and nothing is done with the gradients. Prints the median.
"""

import argparse
import statistics
import time

import torch

from training.models import build_backbone, to_device

CPU = torch.device("cpu")
WARM_UP = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backbone", default="resnet18")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--image-size", type=int, default=96)
    parser.add_argument("--steps", type=int, default=7)
    options = parser.parse_args()
    backbone = build_backbone(options.backbone)
    to_device(backbone, CPU)
    backbone.train()
    views = torch.randn(2 * options.batch_size, 3, options.image_size, options.image_size)
    views = views.contiguous(memory_format=torch.channels_last)
    seconds = []
    for _ in range(WARM_UP + options.steps):
        backbone.zero_grad(set_to_none=True)
        began = time.perf_counter()
        backbone(views).square().mean().backward()
        seconds.append(time.perf_counter() - began)
    print(options.batch_size / statistics.median(seconds[WARM_UP:]))


if __name__ == "__main__":
    main()
