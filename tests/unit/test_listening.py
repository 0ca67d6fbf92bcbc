"""What the sockets of a server are told."""

import socket
from collections.abc import Iterator

import pytest

from app.door.listening import send_at_once


@pytest.fixture(params=["127.0.0.1", "::1"])
def listening(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    """A socket that listens, made as Streamlit makes its own: without naming TCP."""
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    with socket.socket(family) as made:
        try:
            made.bind((request.param, 0))
        except OSError:
            pytest.skip(f"this computer has no {request.param}")
        made.listen()
        yield made


def sends_at_once(connected: socket.socket) -> bool:
    return connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


def test_connections_to_the_port_send_at_once_and_no_others(listening: socket.socket) -> None:
    with socket.socket(listening.family) as other:
        other.bind((listening.getsockname()[0], 0))
        other.listen()
        send_at_once(listening.getsockname()[1])
        for server, expected in ((listening, True), (other, False)):
            with socket.create_connection(server.getsockname()[:2]) as calling:
                taken, _ = server.accept()
                with taken:
                    assert sends_at_once(taken) is expected
                    taken.sendall(b"a word")
                    assert calling.recv(6) == b"a word"
                    assert not sends_at_once(calling)  # other people's sockets are theirs


def test_a_port_that_nobody_listens_on_is_no_error(listening: socket.socket) -> None:
    number = listening.getsockname()[1]
    listening.close()
    send_at_once(number)
