"""Where a server listens: an address of this computer, a free port, and what people type."""

import errno
import ipaddress
import os
import socket

from training.errors import ConfigError

DEFAULT_PORT = 8501

# How many ports above the default are tried where none was asked for.
PORTS_TRIED = 100

# Of a network that is kept for documentation (RFC 5737, RFC 3849): nobody has them.
_ELSEWHERE = {4: "192.0.2.1", 6: "2001:db8::1"}


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
