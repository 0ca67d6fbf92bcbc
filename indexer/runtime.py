"""ONNX Runtime, as all of our code loads it: it keeps and sends nothing, and prints no advice.

Its wheels count what is run, under an identifier of the device that they keep in the user's cache
folder. The switch is read as the library loads; its own `disable_telemetry_events` comes too late
for the identifier. Processes that are started from here inherit it.
"""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime as ort

# Its warnings are about graph details that nobody here can act on.
ort.set_default_logger_severity(3)

__all__ = ["ort"]
