"""Served to others, the app asks for its secret before anything else; real server, real browser."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import streamlit
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.browser

OTHERS = "http://another-site.example/"  # played by the browser, nobody is asked

# One of Streamlit's own scripts, as it is on this machine.
STATIC = Path(streamlit.__file__).parent / "static"
SCRIPT = next((STATIC / "static" / "js").glob("index.*.js")).relative_to(STATIC)

# What Streamlit and we serve, whatever answers there.
ROUTES = [
    ("GET", "/"),
    ("GET", "/label"),
    ("GET", "/?q=1"),
    ("GET", "/index.html"),
    ("GET", "/favicon.png"),
    ("GET", f"/{SCRIPT}"),
    ("GET", "/manifest.json"),
    ("GET", "/thumb/1"),
    ("HEAD", "/thumb/1"),
    ("GET", "/view/1"),
    ("GET", "/upload/" + "0" * 64),
    ("GET", "/thumb/../../../etc/passwd"),
    ("GET", "/thumb/..%2f..%2fcatalogue.sqlite"),
    ("GET", "//thumb/1"),
    ("GET", "/media/0.csv"),
    ("GET", "/component/x/index.html"),
    ("GET", "/app/static/x"),
    ("GET", "/_stcore/host-config"),
    ("GET", "/_stcore/metrics"),
    ("GET", "/_stcore/script-health-check"),
    ("GET", "/_stcore/bidi-components/x/y.js"),
    ("POST", "/_stcore/agent/interact"),
    ("PUT", "/_stcore/upload_file/a/b"),
    ("DELETE", "/_stcore/upload_file/a/b"),
    ("OPTIONS", "/_stcore/upload_file/a/b"),
    ("GET", "/_stcore/stream"),
    ("GET", "/no-such-page"),
]


@pytest.fixture(scope="session")
def password_file(tmp_path_factory: pytest.TempPathFactory, password: str) -> Path:
    file = tmp_path_factory.mktemp("secret") / "password"
    file.write_text(f"{password}\n")
    return file


@pytest.fixture
def guarded(start_app: Callable[..., Any], crowd: Any, password_file: Path, host: str) -> Any:
    """The app on this computer, behind a proxy's name and a password."""
    options = ("--password-file", str(password_file), "--allow-host", host)
    return start_app(crowd.folder, *options)


@pytest.fixture
def by_link(start_app: Callable[..., Any], crowd: Any) -> Any:
    """The app as other computers see it, with a token that it has drawn."""
    return start_app(crowd.folder, "--host", "0.0.0.0")


def token_of(app: Any) -> str:
    found = re.search(r"\?token=(\S+)", app.log.read_text())
    assert found
    return found[1]


def tells_nothing(body: bytes) -> bool:
    """Whether a body holds neither pictures, nor names, nor Streamlit's page."""
    words = (b"\xff\xd8", b"warm", b"cold", b"photos/", b"SQLite", b"root:", b"streamlit")
    return not any(word in body for word in words)


def come_from_elsewhere(page: Page, target: str) -> None:
    """Follow a link on a page of another site."""
    html = f'<a href="{target}">to the photos</a>'
    page.unroute(OTHERS)
    page.route(OTHERS, lambda route: route.fulfill(body=html, content_type="text/html"))
    page.goto(OTHERS)
    page.get_by_role("link").click()


def test_no_route_answers_who_has_not_signed_in(
    asked: Any, handshake: dict[str, str], by_link: Any
) -> None:
    wrong = {"Cookie": f"lookalike-{by_link.address.split(':')[1]}=1800000000." + "0" * 64}
    for method, path in ROUTES:
        for accept in ("text/html", "*/*"):
            for who in ({}, wrong, {"Authorization": f"Bearer {token_of(by_link)}"}):
                status, headers, body = asked(by_link, path, method=method, Accept=accept, **who)
                assert status == 401, (method, path, status)
                assert tells_nothing(body), (method, path, body)
                assert headers["cache-control"] == "no-store"
                assert headers["x-content-type-options"] == "nosniff"
                assert "set-cookie" not in headers
    assert asked(by_link, "/_stcore/stream", **handshake)[0] == 401
    assert asked(by_link, "/_stcore/stream", **handshake, **wrong)[0] == 401
    status, _, body = asked(by_link, "/_stcore/health")
    assert (status, body) == (200, b"ok"), "a container may ask whether it is well"


def test_the_token_of_the_link_opens_everything_to_one_start_only(
    asked: Any, handshake: dict[str, str], start_app: Callable[..., Any], crowd: Any, by_link: Any
) -> None:
    token = token_of(by_link)  # the log is another one's from the next start on
    status, headers, _ = asked(by_link, f"/map?x=1&token={token}")
    assert (status, headers["location"]) == (303, "/map?x=1")
    cookie = headers["set-cookie"].split(";")[0]
    assert asked(by_link, "/thumb/1", Cookie=cookie)[2].startswith(b"\xff\xd8")
    assert asked(by_link, f"/{SCRIPT}", Cookie=cookie)[0] == 200
    assert asked(by_link, "/_stcore/stream", Cookie=cookie, **handshake)[0] == 101
    for path in ("/thumb/..%2f..%2fcatalogue.sqlite", "/thumb/../../../etc/passwd"):
        status, _, body = asked(by_link, path, Cookie=cookie)
        assert status in (400, 404)
        assert tells_nothing(body)
    foreign = {"Cookie": cookie, "Origin": "http://another-site.example"}
    assert asked(by_link, "/_stcore/stream", **handshake, **foreign)[0] == 403
    assert asked(by_link, "/", host="another-site.example", Cookie=cookie)[0] == 400

    another = start_app(crowd.folder, "--host", "0.0.0.0")
    name = f"lookalike-{another.address.split(':')[1]}={cookie.partition('=')[2]}"
    assert asked(another, "/thumb/1", Cookie=name)[0] == 401
    assert asked(another, f"/?token={token}")[0] == 401


def test_a_password_outlives_a_restart_and_a_proxys_name_is_answered(
    asked: Any, start_app: Any, crowd: Any, password_file: Path, guarded: Any, host: str
) -> None:
    # As a proxy that speaks TLS sends it on.
    proxied = {"host": host, "Origin": f"https://{host}"}
    password = password_file.read_text().strip().replace(" ", "+")
    form = f"secret={password}&to=%2Flabel".encode()
    status, headers, _ = asked(
        guarded, "/sign-in", method="POST", body=form, X_Forwarded_Proto="https", **proxied
    )
    assert (status, headers["location"]) == (303, "/label")
    assert "secure" in headers["set-cookie"].lower()
    cookie = headers["set-cookie"].split(";")[0]
    assert asked(guarded, "/thumb/1", Cookie=cookie, **proxied)[0] == 200
    assert asked(guarded, "/thumb/1", **proxied)[0] == 401

    again = start_app(crowd.folder, "--password-file", str(password_file))
    name = f"lookalike-{again.address.split(':')[1]}={cookie.partition('=')[2]}"
    assert asked(again, "/thumb/1", Cookie=name)[0] == 200


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's table of processes")
def test_no_command_line_or_environment_of_a_process_shows_the_secret(by_link: Any) -> None:
    token = token_of(by_link).encode()
    for process in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            try:
                assert token not in (process / name).read_bytes()
            except OSError:  # it has ended, or belongs to somebody else
                continue


def test_one_signs_in_by_keyboard_works_and_signs_out(
    parts: Any, page: Page, guarded: Any, crowd: Any, password: str
) -> None:
    refused: list[str] = []
    page.goto(f"{guarded.url}/?q=3")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(page.get_by_label("Password")).to_be_focused()
    page.keyboard.type("not the password")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("That is not the password.")
    expect(page.get_by_label("Password")).to_be_focused()

    page.on("response", lambda r: refused.append(r.url) if r.status >= 400 else None)
    page.keyboard.type(password)
    page.keyboard.press("Enter")
    parts.hits(page)
    expect(page).to_have_url(f"{guarded.url}/?q=3")
    assert page.evaluate("document.cookie").find("lookalike") == -1, "scripts do not see it"
    parts.upload(page, crowd.photos / "warm" / "warm-000.png")
    expect(page).to_have_url(re.compile(r"\?u="))
    parts.hits(page)
    page.get_by_role("link", name="Label", exact=True).click()
    expect(page.locator(".desk .large.loaded")).to_be_visible()
    assert not refused

    page.get_by_role("link", name="Sign out").click()
    expect(page.get_by_role("heading", name="You are signed out")).to_be_visible()
    page.goto(guarded.url)
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_printed_link_opens_the_app_and_other_sites_links_do_so_afterwards(
    parts: Any, page: Page, by_link: Any
) -> None:
    # The browser leaves the pass out of what another site's link asks for: one step more helps.
    link = f"{by_link.url}/?token={token_of(by_link)}"
    for target, arrives in ((link, f"{by_link.url}/"), (f"{by_link.url}/?q=5",) * 2):
        come_from_elsewhere(page, target)
        expect(page.locator(".tile.loaded").first).to_be_visible()
        expect(page).to_have_url(arrives)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_sign_in_page_can_be_read_in_both_themes(
    parts: Any, chromium: Browser, guarded: Any, scheme: str
) -> None:
    with chromium.new_context(color_scheme=scheme, viewport={"width": 360, "height": 700}) as tab:
        page = tab.new_page()
        page.goto(guarded.url)
        page.get_by_label("Password").press_sequentially("wrong")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).not_to_be_empty()
        for seen in ("h1", ".about", "label", "#problem", "button", ".brand"):
            contrast = page.locator(seen).evaluate(parts.CONTRAST)
            assert contrast >= 4.5, f"{seen} has a contrast of {contrast:.1f}"
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
