"""What every test may use. No test reaches the network: a session-wide guard sees to it."""

import importlib.util
import ipaddress
import os
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

# The same examples on every machine, and few: a law that needs thousands belongs in a soak run.
settings.register_profile("suite", derandomize=True, deadline=None, max_examples=30)
settings.load_profile("suite")

# Fixture files beside this one. Loaded by place, since --import-mode=importlib leaves the test
# folder off the import path on purpose.
FIXTURE_FILES = (
    "fixtures_photos",
    "fixtures_encoder",
    "fixtures_views",
    "fixtures_killing",
    "fixtures_runs",
    "fixtures_labels",
    "fixtures_requests",
    "fixtures_commands",
    "fixtures_pages",
    "fixtures_doors",
    "fixtures_app",
)

NOBODY = 65534


def pytest_configure(config: pytest.Config) -> None:
    for name in FIXTURE_FILES:
        config.pluginmanager.register(_load(Path(__file__).with_name(f"{name}.py")), name)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Soak tests run only where `-m` names them: `-m soak`."""
    if "soak" not in config.getoption("markexpr"):
        soaking = [item for item in items if item.get_closest_marker("soak")]
        config.hook.pytest_deselected(items=soaking)
        items[:] = [item for item in items if item not in soaking]


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session", autouse=True)
def no_network() -> Iterator[None]:
    """Sockets reach this machine only, here and (by a dead proxy) in what tests start."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex"):
            patch.setattr(socket.socket, name, _guarded(getattr(socket.socket, name)))
        patch.setattr(socket, "getaddrinfo", _guarded_lookup(socket.getaddrinfo))
        for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
            patch.setenv(name, "http://127.0.0.1:9")  # the discard port: nothing listens
        for name in ("no_proxy", "NO_PROXY"):
            patch.setenv(name, "127.0.0.1,localhost,::1")
        yield


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers that are the same in every run."""
    return np.random.default_rng(20240607)


@pytest.fixture
def as_nobody(tmp_path: Path) -> AbstractContextManager[None]:
    """A block without root's right to read and write everything, standing in `tmp_path`.

    Name files relative to it: the folders above it may be closed to other users.
    """
    return _as_nobody(tmp_path)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may read: pytest's own are closed to others."""
    with TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextmanager
def _as_nobody(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    folder.chmod(0o755)
    os.chdir(folder)
    root = os.geteuid() == 0
    try:
        if root:
            try:
                os.seteuid(NOBODY)
            except OSError:
                pytest.skip("this root may not become another user")
        yield
    finally:
        if root:
            os.seteuid(0)
        os.chdir(before)


def _guarded(connect: Any) -> Any:
    def guarded(self: socket.socket, address: Any) -> Any:
        if self.family != socket.AF_UNIX and not _is_here(address[0]):
            # Not an OSError: code that shrugs at being offline would swallow that.
            pytest.fail(f"a test tried to reach {address!r} over the network")
        return connect(self, address)

    return guarded


def _guarded_lookup(lookup: Any) -> Any:
    def guarded(host: Any, *rest: Any, **options: Any) -> Any:
        if not _is_here(host):
            pytest.fail(f"a test tried to look up {host!r} over the network")
        return lookup(host, *rest, **options)

    return guarded


def _is_here(host: str | bytes | None) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "", "localhost", "0.0.0.0", "::", socket.gethostname()):
        return True
    try:
        return ipaddress.ip_address(str(name).split("%")[0]).is_loopback
    except ValueError:
        return False
