"""Where a server listens: an address of this computer, a free port, and what people type."""

import errno
import ipaddress
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

from training.errors import ConfigError

DEFAULT_PORT = 8501

# How many ports above the default are tried where none was asked for.
PORTS_TRIED = 100

# Of a network that is kept for documentation (RFC 5737, RFC 3849): nobody has them.
_ELSEWHERE = {4: "192.0.2.1", 6: "2001:db8::1"}

# The files and sockets that this process has open, by number; Windows has no such folder.
_OPEN = Path("/dev/fd")


def free_port(address: str, wanted: int | None) -> int:
    """The port that was asked for, or the first free one from the default on.

    Raises:
        ConfigError: the port that was asked for is taken or not allowed, or none is free, or the
            address is none of this computer.
    """
    if wanted is not None:
        if problem := _problem(address, wanted):
            raise ConfigError(
                f"port {wanted} cannot be used: {problem.strerror or problem}",
                hint="choose another with --port, or leave it out to take the next free one",
            )
        return wanted
    for port in range(DEFAULT_PORT, DEFAULT_PORT + PORTS_TRIED):
        problem = _problem(address, port)
        if problem is None:
            return port
        if problem.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise ConfigError(
                f"cannot listen on {address}: {problem.strerror or problem}",
                hint="--host takes an address of this computer; 0.0.0.0 is all of them",
            )
    raise ConfigError(
        f"the ports from {DEFAULT_PORT} to {DEFAULT_PORT + PORTS_TRIED - 1} are all taken",
        hint="name a free one with --port",
    )


def url_of(address: str, port: int) -> str:
    """What people type into a browser to get there."""
    at = ipaddress.ip_address(address)
    host = _outward(at.version) if at.is_unspecified else address
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def send_at_once(port: int) -> None:
    """Let the connections to come on a port of this process send small pieces without waiting.

    By itself TCP holds a small piece back until the one before was acknowledged (Nagle, RFC 896),
    which browsers put off by up to 40 ms: too long for the body of every picture and for all but
    the first word of every answer. asyncio asks for no waiting only where a socket was made naming
    TCP, which Streamlit's was not. Connections inherit it from the socket that listens.
    """
    for found in _own_sockets():
        if _listens(found, port):
            found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _own_sockets() -> Iterator[socket.socket]:
    """The sockets that this process has open, each until the next one is asked for."""
    for number in (int(entry.name) for entry in _OPEN.glob("*")):
        try:
            is_socket = stat.S_ISSOCK(os.fstat(number).st_mode)
        except OSError:  # closed since the folder was read, as the folder itself was
            continue
        if is_socket:
            # What is closed after a look is this copy of the number.
            with socket.socket(fileno=os.dup(number)) as found:
                yield found


def _listens(found: socket.socket, port: int) -> bool:
    if found.family not in (socket.AF_INET, socket.AF_INET6):
        return False
    listening = found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    return bool(listening) and found.getsockname()[1] == port


def _outward(version: int) -> str:
    """This computer's address towards others; where there is no network, its own alone."""
    family = socket.AF_INET6 if version == 6 else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            # It only chooses a route: nothing is sent.
            probe.connect((_ELSEWHERE[version], 9))
            return str(probe.getsockname()[0])
    except OSError:
        return "::1" if version == 6 else "127.0.0.1"


def _problem(address: str, port: int) -> OSError | None:
    """Why a port cannot be listened on; None where it can."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            if os.name != "nt":  # there it would share a port that somebody listens on
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address, port))
            probe.listen(1)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return OSError(error.errno, "another program listens there")
        return error
    return None
