"""Random streams that are functions of (seed, purpose, step): nothing to save, nothing to lose.

A run that resumes at step k draws exactly what the uninterrupted run drew at step k.
"""

import numpy as np
import torch

# Purposes, so that no two uses share a stream.
ORDER, HELD_OUT, MONITOR, VIEWS, LAYERS, CLASSES, CLASS_PHOTOS = range(7)


def generator_for(*key: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A torch generator seeded by a tuple of non-negative integers."""
    return torch.Generator(device=device).manual_seed(seed_for(*key))


def seed_for(*key: int) -> int:
    """A 63-bit seed from a tuple of non-negative integers, well mixed by NumPy's SeedSequence."""
    low, high = np.random.SeedSequence(key).generate_state(2, np.uint32)
    return (int(high) << 32 | int(low)) & (2**63 - 1)
