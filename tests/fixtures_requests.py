"""Requests as they are, with a path that no client tidies up."""

import http.client
from collections.abc import Callable
from typing import Any

import pytest

SECONDS = 60.0  # for a slow machine

# What asks for a WebSocket.
HANDSHAKE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec_WebSocket_Version": "13",
}

Reply = tuple[int, dict[str, str], bytes]


def ask(
    app: Any,
    path: str,
    *,
    method: str = "GET",
    host: str | None = None,
    body: bytes = b"",
    **headers: str,
) -> Reply:
    """One request with the path sent as it is; gives status, headers and body."""
    connection = http.client.HTTPConnection(app.address, timeout=SECONDS)
    connection.putrequest(method, path, skip_host=True)
    connection.putheader("Host", host or app.address)
    if body:
        connection.putheader("Content-Length", str(len(body)))
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders(body or None)
    reply = connection.getresponse()
    # What follows the opening of a WebSocket has no end.
    content = b"" if reply.status == http.client.SWITCHING_PROTOCOLS else reply.read()
    connection.close()
    return reply.status, {name.lower(): value for name, value in reply.getheaders()}, content


@pytest.fixture(scope="session")
def asked() -> Callable[..., Reply]:
    """Asks a running app: `asked(app, "/thumb/1", method="GET", Cookie="...")`."""
    return ask


@pytest.fixture(scope="session")
def handshake() -> dict[str, str]:
    """The headers that ask for a WebSocket."""
    return HANDSHAKE
