"""The names a server answers to, and the pages that may ask it."""

import socket

import pytest

from app.door.hosts import hosts_of, is_own_page


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.5", "::1"])
def test_a_server_of_this_computer_alone_answers_to_nothing_else(address: str) -> None:
    hosts = hosts_of(address)
    for host in ("127.0.0.1", "127.0.0.1:8501", "localhost:80", "LOCALHOST", "[::1]:8501"):
        assert hosts.allow(host)
    for host in ("192.168.1.5", "photos.example", socket.gethostname() + ".example", "8.8.8.8"):
        assert not hosts.allow(host)


def test_a_server_for_others_answers_to_addresses_and_to_its_own_name() -> None:
    hosts = hosts_of("0.0.0.0")
    own = socket.gethostname()
    for host in ("192.168.1.5:8501", "[2001:db8::7]:8501", own, f"{own.split('.')[0]}.local:80"):
        assert hosts.allow(host)
    for host in ("photos.example", "192.168.1.5.example", "3232235781", "0xc0a80105", "192.168.1"):
        assert not hosts.allow(host)


def test_a_name_that_is_allowed_is_one_with_any_port_and_no_other() -> None:
    hosts = hosts_of("127.0.0.1", ["Photos.example.org."])
    for host in ("photos.example.org", "photos.example.org:443", "PHOTOS.example.org."):
        assert hosts.allow(host)
    for host in ("example.org", "a.photos.example.org", "photos.example.org.evil.example"):
        assert not hosts.allow(host)


@pytest.mark.parametrize(
    "host",
    [
        "", ":", ":8501", "localhost:", "localhost:x", "localhost:999999", "a@localhost",
        "localhost/", "localhost#", "localhost\\evil", "localhost evil", "[localhost]", "[::1",
        "::1", "localhost\n", "*",
    ],
)  # fmt: skip
def test_what_is_no_host_is_refused(host: str) -> None:
    assert not hosts_of("0.0.0.0", ["localhost"]).allow(host)


def test_only_pages_of_the_very_host_may_ask() -> None:
    assert is_own_page("http://127.0.0.1:8501", "127.0.0.1:8501")
    assert is_own_page("https://photos.example.org", "Photos.example.org")
    for origin in (
        "null",
        "",
        "http://127.0.0.1:8502",
        "http://localhost:8501",
        "http://127.0.0.1:8501.evil.example",
        "http://a@127.0.0.1:8501",
        "file://127.0.0.1:8501",
        "http://[127.0.0.1:8501",
    ):
        assert not is_own_page(origin, "127.0.0.1:8501")
