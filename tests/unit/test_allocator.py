"""What a process keeps of the memory that it frees."""

import platform
import subprocess
import sys

import pytest

# As a training step does: take a few large blocks, write to them, free them.
SCRIPT = """
import resource, sys
import numpy as np
from training.allocator import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
for step in range(12):
    if step == 2:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    blocks = [np.ones(40 << 20, np.uint8) for _ in range(2)]
    del blocks
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


# Touches nothing: glibc moves the heap's end only.
HELD = """
import ctypes
from training.allocator import keep_freed_memory
assert keep_freed_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
libc.sbrk.restype, libc.sbrk.argtypes = ctypes.c_void_p, [ctypes.c_ssize_t]
block = libc.malloc(3 << 30)
end = libc.sbrk(0)
libc.free(block)
print(end - libc.sbrk(0))
"""


def faults(how: str) -> int:
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, how], check=True, capture_output=True, text=True
    )
    return int(ran.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_memory_that_was_freed_comes_back_without_a_fault_a_page() -> None:
    assert faults("keep") < faults("leave") / 10


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_nothing_is_too_large_to_be_kept() -> None:
    ran = subprocess.run([sys.executable, "-c", HELD], check=True, capture_output=True, text=True)

    assert int(ran.stdout) == 0
