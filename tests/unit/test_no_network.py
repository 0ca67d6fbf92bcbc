"""No test can reach another machine by accident, and no library keeps what it would send."""

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

OUTSIDE = ("192.0.2.1", 80)  # an address that is reserved for examples


def hang_up(server: socket.socket) -> None:
    server.accept()[0].close()


def test_connecting_to_another_machine_fails_the_test() -> None:
    with socket.socket() as plug:
        plug.settimeout(0.1)
        with pytest.raises(pytest.fail.Exception, match=r"192\.0\.2\.1"):
            plug.connect(OUTSIDE)


def test_looking_up_another_machine_fails_the_test() -> None:
    with pytest.raises(pytest.fail.Exception, match=r"example\.org"):
        socket.create_connection(("example.org", 80), timeout=0.1)


def test_this_machine_can_be_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        answering = threading.Thread(target=hang_up, args=(server,))
        answering.start()
        with socket.create_connection(server.getsockname(), timeout=5) as plug:
            assert plug.recv(1) == b""
        answering.join()


def test_onnx_runtime_keeps_no_identifier_and_no_events(tmp_path: Path, toy_encoder: Path) -> None:
    code = (
        "import sys, numpy as np; from pathlib import Path; "
        "from indexer.encoder import OnnxEncoder; "
        "encoder = OnnxEncoder.open(Path(sys.argv[1]), device='cpu'); "
        "encoder.embed(np.zeros((1, 32, 32, 3), np.uint8))"
    )
    home = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / ".cache")}
    without = {name: value for name, value in os.environ.items() if not name.startswith("ORT_")}
    subprocess.run([sys.executable, "-c", code, toy_encoder], env=without | home, check=True)
    assert list(tmp_path.rglob("*")) == []
