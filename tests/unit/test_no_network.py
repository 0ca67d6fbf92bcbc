"""The guard itself: no test can reach another machine by accident."""

import socket
import threading

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
