"""Who may use the app: secrets, the passes that browsers show, and how often one may try."""

import hmac
import random
from pathlib import Path

import pytest

from app.door.access import (
    LONGEST_PASSWORD,
    PASS_SECONDS,
    SHORTEST_PASSWORD,
    Access,
    Secret,
    Tries,
    new_token,
    read_password,
)
from training.errors import ConfigError

NOW = 1_800_000_000.0


@pytest.fixture(scope="module")
def access(by_password: Access) -> Access:
    return by_password


def test_only_the_very_secret_is_known(access: Access, password: str) -> None:
    assert access.knows(password)
    for said in ("", password[:-1], password + " ", password.upper(), "\udc80", "é" * 50):
        assert not access.knows(said)


def test_secrets_are_compared_in_constant_time(
    access: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = []
    real = hmac.compare_digest

    def compare(a: bytes, b: bytes) -> bool:
        compared.append((len(a), len(b)))
        return real(a, b)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    access.knows("x")
    access.knows("x" * 5000)
    assert compared == [(32, 32), (32, 32)]


def test_a_pass_is_good_until_it_is_too_old(access: Access) -> None:
    shown = access.new_pass(now=NOW)
    assert access.admits(shown, now=NOW)
    assert access.admits(shown, now=NOW + PASS_SECONDS - 1)
    assert not access.admits(shown, now=NOW + PASS_SECONDS)


def test_a_pass_that_was_changed_anywhere_is_none(access: Access) -> None:
    shown = access.new_pass(now=NOW)
    for at in range(len(shown)):
        for other in {"0", "9", "a", "f", ".", " "} - {shown[at]}:
            assert not access.admits(shown[:at] + other + shown[at + 1 :], now=NOW)
    for made_up in ("", ".", "1.", "١٢٣." + "0" * 64, f"{int(NOW)}." + "0" * 64, shown + "\n"):
        assert not access.admits(made_up, now=NOW)


def test_a_pass_tells_neither_the_secret_nor_serves_for_another(
    access: Access, password: str
) -> None:
    shown = access.new_pass(now=NOW)
    assert password not in shown
    assert not Access(Secret("another good password", in_links=False)).admits(shown, now=NOW)


def test_the_same_password_after_a_restart_takes_the_passes_of_before(
    access: Access, password: str
) -> None:
    again = Access(Secret(password, in_links=False))
    assert again.admits(access.new_pass(now=NOW), now=NOW)


def test_tokens_are_long_fit_into_links_and_are_never_the_same() -> None:
    tokens = {new_token().text for _ in range(50)}
    assert len(tokens) == 50
    assert all(len(token) >= 43 for token in tokens), "256 bits"
    assert all(set(token) <= set("-_") | set(map(chr, range(128))) for token in tokens)
    assert new_token().in_links


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_password_is_the_one_line_of_its_file(tmp_path: Path, end: str) -> None:
    file = tmp_path / "password"
    file.write_bytes(f" Grüße aus dem Wald {end}".encode())
    assert read_password(file) == Secret(" Grüße aus dem Wald ", in_links=False)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "holds 0 characters"),
        (b"short\n", "holds 5 characters"),
        (b"x" * (SHORTEST_PASSWORD - 1), "holds 11 characters"),
        (b"x" * (LONGEST_PASSWORD + 1), "holds 1001 characters"),
        (b"a good password\nand another\n", "more than one line"),
        (b"\xff\xfe a good password", "not text in UTF-8"),
    ],
)
def test_a_file_without_a_good_password_is_refused(
    tmp_path: Path, content: bytes, why: str
) -> None:
    file = tmp_path / "password"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=why) as refused:
        read_password(file)
    assert str(file) in refused.value.message
    assert "openssl rand" in refused.value.hint
    assert b"good" not in content or "good password" not in refused.value.message


def test_a_password_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_password(tmp_path / "none")


def test_an_address_waits_after_so_many_wrong_tries_and_others_do_not() -> None:
    tries = Tries(each=3, together=100, window_seconds=60)
    for at in (0.0, 10.0, 20.0):
        assert tries.wait_seconds("a", now=at) == 0
        tries.wrong("a", now=at)
    assert tries.wait_seconds("a", now=20) == 40
    assert tries.wait_seconds("b", now=20) == 0
    assert tries.wait_seconds("a", now=60) == 0


def test_whoever_has_many_addresses_waits_too() -> None:
    tries = Tries(each=3, together=5, window_seconds=60)
    for number in range(5):
        tries.wrong(f"address {number}", now=float(number))
    assert tries.wait_seconds("a sixth", now=5) == 55
    assert tries.wait_seconds("a sixth", now=60) == 0


def test_no_pattern_of_tries_gets_more_than_the_bounds() -> None:
    draw = random.Random(3)
    tries = Tries(each=3, together=8, window_seconds=10)
    made: list[tuple[float, str]] = []
    now = 0.0
    for _ in range(3000):
        now += draw.random()
        address = draw.choice("abcde")
        if tries.wait_seconds(address, now=now) == 0:
            tries.wrong(address, now=now)
            made.append((now, address))
    for at, address in made:
        within = [whose for when, whose in made if at - 10 < when <= at]
        assert len(within) <= 8
        assert within.count(address) <= 3
    assert len(made) > 500
