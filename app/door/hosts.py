"""Under which names a server may be asked, and from which pages.

A web site can have its own name resolve to this computer, and then read what is served here as if
it were its own (DNS rebinding); or have a visitor's browser send requests here. Both show: the one
by the host that is asked for, the other by the origin. An address cannot be rebound.
"""

import ipaddress
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

# A name, or an address, then perhaps a port; an IPv6 address stands in brackets.
_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([^\s:@/?#\[\]\\]+))(?::\d{1,5})?")


@dataclass(frozen=True, slots=True)
class Hosts:
    """The hosts that a server answers to."""

    names: frozenset[str]  # names and addresses, in lower case
    any_address: bool = False  # whatever address of this computer was typed

    def allow(self, host: str) -> bool:
        """Whether a request's `Host` header names one of them, with any port."""
        match = _HOST.fullmatch(host.lower())
        if match is None:
            return False
        name = (match[1] or match[2]).rstrip(".")
        return name in self.names or (self.any_address and is_address(name))


def hosts_of(address: str, others: Iterable[str] = ()) -> Hosts:
    """The hosts of a server that listens on an address.

    Args:
        address: what it listens on. Where that is one of this computer alone, it answers to no
            other; else to this computer's name too, and to its addresses.
        others: names under which people reach it besides, such as a proxy's.
    """
    names = {*LOOPBACK, address, *(name.lower().rstrip(".") for name in others)}
    if is_loopback(address):
        return Hosts(frozenset(names))
    own = socket.gethostname().lower()
    # `.local` is how computers of a home network find each other (multicast DNS).
    return Hosts(frozenset({*names, own, f"{own.partition('.')[0]}.local"}), any_address=True)


def is_own_page(origin: str, host: str) -> bool:
    """Whether an `Origin` header is that of the very host which is asked.

    The scheme may differ: a proxy speaks TLS to the browser and plain HTTP to the server.
    """
    try:
        parts = urlsplit(origin)
    except ValueError:  # a half IPv6 address
        return False
    return parts.scheme in ("http", "https") and parts.netloc.lower() == host.lower()


def is_address(text: str) -> bool:
    """Whether this is an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def is_name(text: str) -> bool:
    """Whether a browser would send this as a host, without a port."""
    return re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9.])?", text) is not None


def is_loopback(address: str) -> bool:
    """Whether an IP address is of this computer alone."""
    return ipaddress.ip_address(address).is_loopback
