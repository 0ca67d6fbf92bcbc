"""Where an encoder runs: on a GPU only if a driver and a device really answer, else on the CPU."""

import ctypes
import os
import sys

from indexer.runtime import ort
from training.errors import ConfigError

DEVICES = ("auto", "cpu", "cuda")
CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"

# Algorithms are chosen by rule: the usual search runs anew, for seconds, at every new batch size.
# And full precision: a gallery built on a GPU is searched on a CPU too.
CUDA_OPTIONS = {"cudnn_conv_algo_search": "HEURISTIC", "use_tf32": "0"}

_DRIVER = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"


def cuda_device_count() -> int:
    """How many CUDA devices the driver offers; 0 without a driver.

    `onnxruntime.get_available_providers()` lists CUDA on any machine the GPU wheel is installed
    on, so the driver itself is asked.
    """
    try:
        driver = ctypes.CDLL(_DRIVER)
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value


def choose_provider(device: str, *, cuda_devices: int) -> str:
    """The ONNX Runtime provider to ask for.

    Args:
        device: `auto` takes a GPU when there is one; `cpu` and `cuda` insist.
        cuda_devices: how many there are.

    Raises:
        ConfigError: the name is unknown, or `cuda` was asked for and there is none.
    """
    if device not in DEVICES:
        raise ConfigError(
            f"there is no device named {device!r}", hint=f"choose one of {', '.join(DEVICES)}"
        )
    if device == "cuda" and cuda_devices == 0:
        raise ConfigError(
            "a CUDA device was asked for, and no driver offers one",
            hint="leave --device out, or use `--device cpu`",
        )
    if device == "cpu" or cuda_devices == 0 or CUDA not in ort.get_available_providers():
        return CPU
    return CUDA


def unused_gpu(device: str, *, cuda_devices: int, provider: str) -> str:
    """A sentence when a GPU is there and `provider`, the one in use, is not it; else empty."""
    if device == "cpu" or cuda_devices == 0 or provider == CUDA:
        return ""
    return (
        "a GPU is there but is not used: ONNX Runtime has no CUDA support or cannot load its "
        "libraries (`pip install 'onnxruntime-gpu[cuda,cudnn]'`)"
    )


def cores() -> int:
    """The processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
