"""The door in front of the server: who gets through, and who is sent to sign in."""

import time
from typing import Any
from urllib.parse import urlencode

import pytest

from app.door.access import PASS_SECONDS, Access


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize(
    "host", ["evil.example", "", "evil.example:8501", "127.0.0.1.evil.example"]
)
def test_a_foreign_name_gets_nothing(host: str, kind: str, doors: Any) -> None:
    assert doors(None).ask(headers={"host": host}, kind=kind).status == 400


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://{host}:81"])
def test_a_foreign_page_gets_nothing_and_streamlit_is_not_asked(
    origin: str, kind: str, doors: Any, host: str
) -> None:
    # Streamlit would look its own address up in the internet, to compare.
    headers = {"origin": origin.format(host=host)}
    reply = doors(None).ask("/_stcore/stream", headers=headers, kind=kind)
    assert reply.status == 403
    assert not reply.passed


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_without_a_secret_all_others_pass(kind: str, doors: Any, host: str) -> None:
    assert doors(None).ask(headers={"origin": f"https://{host}"}, kind=kind).passed


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
@pytest.mark.parametrize("path", ["/", "/thumb/1", "/_stcore/upload_file/a/b", "/sign-in/x", "//"])
def test_who_has_not_signed_in_passes_with_no_method(door: Any, path: str, method: str) -> None:
    for accept in ("text/html", "*/*", ""):
        reply = door.ask(path, method=method, headers={"accept": accept})
        assert reply.status == 401
        assert not reply.passed
        assert reply.headers["cache-control"] == "no-store"


def test_a_socket_without_a_pass_is_refused_before_it_opens(door: Any) -> None:
    assert door.ask("/_stcore/stream", kind="websocket", headers={"accept": ""}).status == 401
    pass_ = door.sign_in().cookie
    assert door.ask("/_stcore/stream", kind="websocket", headers={"cookie": pass_}).passed


@pytest.mark.parametrize(
    ("path", "method", "passes"),
    [
        ("/_stcore/health", "GET", True),
        ("/_stcore/health", "HEAD", True),
        ("/_stcore/health", "POST", False),
        ("/_stcore/health/", "GET", False),
        ("/_stcore/health/../stream", "GET", False),
        ("/_stcore/Health", "GET", False),
    ],
)
def test_all_that_everybody_may_ask_is_whether_it_is_well(
    door: Any, path: str, method: str, passes: bool
) -> None:
    assert door.ask(path, method=method).passed is passes


def test_who_says_the_password_gets_a_pass_that_scripts_and_other_sites_never_see(
    door: Any, password: str
) -> None:
    reply = door.sign_in(to="/label?x=1")
    assert (reply.status, reply.headers["location"]) == (303, "/label?x=1")
    set_cookie = reply.headers["set-cookie"].lower()
    assert set_cookie.startswith("lookalike-8501=")
    for word in ("httponly", "samesite=strict", "path=/", f"max-age={PASS_SECONDS}"):
        assert word in set_cookie
    assert "secure" not in set_cookie
    assert password not in set_cookie
    assert door.ask("/label?x=1", headers={"cookie": reply.cookie}).passed


@pytest.mark.parametrize("proto", ["https", "http, https"])
def test_a_pass_that_came_by_tls_is_never_sent_without(door: Any, proto: str) -> None:
    reply = door.sign_in(headers={"x-forwarded-proto": proto})
    assert "secure" in reply.headers["set-cookie"].lower()


@pytest.mark.parametrize("said", ["", "wrong", "{password}x"])
def test_a_wrong_password_is_told_and_gets_no_pass(door: Any, said: str, password: str) -> None:
    reply = door.sign_in(said.format(password=password), to='/label"><script>')
    assert reply.status == 401
    assert b"That is not the password" in reply.body
    assert b"<script" not in reply.body
    assert "set-cookie" not in reply.headers


def test_a_form_of_another_site_is_not_even_read(door: Any) -> None:
    assert door.sign_in(headers={"origin": "http://evil.example"}).status == 403


def test_a_form_that_is_too_long_is_not_read_to_its_end(door: Any, password: str) -> None:
    body = b"to=%2F&x=" + b"x" * (1 << 20) + b"&secret=" + password.encode()
    assert door.ask("/sign-in", method="POST", body=body).status == 401


@pytest.mark.parametrize(
    "to",
    [
        "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "evil.example",
        "https://evil.example", "javascript:alert(1)", "", "/\r\nSet-Cookie: a=b", "/sign-out",
        "/sign-in?to=/", "\t//evil.example",
    ],
)  # fmt: skip
def test_signing_in_leads_nowhere_else(door: Any, to: str) -> None:
    assert door.sign_in(to=to).headers["location"] == "/"
    pass_ = door.sign_in().cookie
    there = door.ask(f"/sign-in?{urlencode({'to': to})}", headers={"cookie": pass_})
    assert (there.status, there.headers["location"]) == (303, "/")


def test_a_link_with_the_token_signs_in_and_the_token_leaves_the_address(
    by_token: Access, doors: Any, password: str
) -> None:
    door = doors(by_token)
    token = urlencode({"token": password})
    reply = door.ask(f"/label?x=a+b&{token}")
    assert (reply.status, reply.headers["location"]) == (303, "/label?x=a+b")
    cookie = {"cookie": reply.cookie}
    assert door.ask("/label?x=a+b", headers=cookie).passed
    again = door.ask(f"/?{token}", headers=cookie)
    assert (again.status, again.headers["location"]) == (303, "/")
    assert door.ask(f"//evil.example/?{token}").headers["location"] == "/evil.example/"


def test_a_link_with_a_wrong_token_is_a_wrong_try(by_token: Access, doors: Any) -> None:
    reply = doors(by_token).ask("/label?token=wrong")
    assert reply.status == 401
    assert b"not the token of this start" in reply.body
    assert b'value="/label"' in reply.body


def test_a_password_is_never_taken_from_an_address(door: Any, password: str) -> None:
    reply = door.ask(f"/?{urlencode({'token': password})}")
    assert reply.status == 401
    assert password.encode() not in reply.body


def test_too_many_wrong_tries_have_to_wait_the_right_one_too(door: Any) -> None:
    for _ in range(10):
        assert door.sign_in("wrong").status == 401
    reply = door.sign_in()
    assert reply.status == 429
    assert 0 < int(reply.headers["retry-after"]) <= 60
    assert door.sign_in(client="192.0.2.8").status == 303, "somebody else does not wait"


def test_a_network_of_ipv6_addresses_is_one(door: Any) -> None:
    for number in range(10):
        door.sign_in("wrong", client=f"2001:db8::{number:x}")
    assert door.sign_in(client="2001:db8::ffff").status == 429
    assert door.sign_in(client="2001:db8:0:1::1").status == 303


def test_addresses_of_the_old_kind_are_told_apart_in_the_form_of_the_new_one(door: Any) -> None:
    for _ in range(10):
        door.sign_in("wrong", client="::ffff:192.0.2.7")
    assert door.sign_in(client="::ffff:192.0.2.7").status == 429
    assert door.sign_in(client="192.0.2.7").status == 429
    assert door.sign_in(client="::ffff:192.0.2.8").status == 303


def test_who_is_signed_in_never_waits(door: Any) -> None:
    pass_ = door.sign_in().cookie
    for _ in range(11):
        door.sign_in("wrong")
    assert door.ask("/", headers={"cookie": pass_}).passed


def test_a_pass_that_is_too_old_is_none(door: Any, by_password: Access) -> None:
    old = by_password.new_pass(now=time.time() - PASS_SECONDS)
    assert door.ask("/", headers={"cookie": f"lookalike-8501={old}"}).status == 401


def test_a_page_leads_to_the_sign_in_and_back_by_itself(door: Any) -> None:
    # From a link of another site a browser leaves the pass out; a step from here brings it.
    reply = door.ask("/map?a=1&b=2")
    assert reply.status == 401
    assert b'content="0; url=/sign-in?to=%2Fmap%3Fa%3D1%26b%3D2"' in reply.body
    asked = door.ask("/sign-in?to=%2Fmap%3Fa%3D1%26b%3D2")
    assert asked.status == 200
    assert b'value="/map?a=1&amp;b=2"' in asked.body


def test_signing_out_takes_the_pass_away(door: Any) -> None:
    reply = door.ask("/sign-out", headers={"cookie": door.sign_in().cookie})
    assert reply.status == 200
    assert b"You are signed out" in reply.body
    assert "max-age=0" in reply.headers["set-cookie"].lower()


def test_the_sign_in_page_needs_nothing_that_is_behind_the_door(door: Any) -> None:
    reply = door.ask("/sign-in")
    assert b"<script" not in reply.body
    assert b"src=" not in reply.body
    assert "default-src 'none'" in reply.headers["content-security-policy"]
    assert reply.headers["referrer-policy"] == "same-origin", "else its form has no origin"
