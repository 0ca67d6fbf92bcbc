"""How the C library deals with what a training step frees."""

import ctypes
import platform
import sys

# From glibc's malloc.h.
_M_TRIM_THRESHOLD = -1
_M_MMAP_MAX = -4
_NEVER = -1


def keep_freed_memory() -> bool:
    """Let this process keep what it frees for the next step; gives whether that is possible.

    Every step takes and frees the same gigabyte. By default glibc hands large blocks back to the
    system at once, and every page of the next step's comes as a fault, filled with zeros: 118,000
    in a step of MobileNetV2, a fifteenth of its time or more (README, "Measured"). The process
    never gets smaller than it was at its largest, which a command may be.
    """
    if sys.platform != "linux" or platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(_M_MMAP_MAX, 0)) and bool(mallopt(_M_TRIM_THRESHOLD, _NEVER))
