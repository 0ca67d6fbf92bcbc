"""The door in front of everything that is served: every page, picture, file and socket.

Whatever comes in by HTTP or WebSocket passes here before any handler sees it. Asked under a
foreign name, or by another site's page, nobody gets anything. Where there is a secret, only who
knows it goes on; all others get the sign-in page, or a bare 401. The one thing that everybody may
ask is whether the server is well.
"""

import ipaddress
import math
import time
from collections.abc import Mapping
from urllib.parse import parse_qs, quote, urlencode

from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.door.access import PASS_SECONDS, Access, Tries
from app.door.hosts import Hosts, is_own_page
from app.ui import sign_in

HEALTH = "/_stcore/health"

# The name of the token in a link.
TOKEN = "token"

# A form with a password and an address has no more.
MOST_FORM_BYTES = 16 << 10

_NO_STORE = {"Cache-Control": "no-store"}


class Doorway:
    """An ASGI application in front of another one."""

    def __init__(self, app: ASGIApp, *, hosts: Hosts, access: Access | None, port: int) -> None:
        """Stand in front of `app`.

        Args:
            app: what is served to those who may.
            hosts: the names under which it may be asked.
            access: who may; None is all whom `hosts` lets ask.
            port: what the server listens on. Browsers do not tell cookies of one host apart by
                port, so the name has it.
        """
        self._app = app
        self._hosts = hosts
        self._access = access
        self._cookie = f"lookalike-{port}"
        self._tries = Tries()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request pass, or answer it here."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        asked = HTTPConnection(scope)
        answer = self._strange(asked)
        if answer is None and self._access is not None:
            answer = await self._stopped(asked, self._access, receive)
        await (answer or self._app)(scope, receive, send)

    def _strange(self, asked: HTTPConnection) -> Response | None:
        """The refusal of a foreign name or a foreign page."""
        hosts, origins = asked.headers.getlist("host"), asked.headers.getlist("origin")
        if len(hosts) != 1 or not self._hosts.allow(hosts[0]):
            return PlainTextResponse(
                "This server does not go by that name. --allow-host adds a name.", 400, _NO_STORE
            )
        # Streamlit would ask the internet for this computer's address to judge a foreign origin.
        if origins and (len(origins) > 1 or not is_own_page(origins[0], hosts[0])):
            return PlainTextResponse("Only pages of this server may ask.", 403, _NO_STORE)
        return None

    async def _stopped(
        self, asked: HTTPConnection, access: Access, receive: Receive
    ) -> Response | None:
        """What is answered to who may not go on; None for who may."""
        path, method = asked.scope["path"], asked.scope.get("method", "")
        if path == HEALTH and method in ("GET", "HEAD"):
            return None
        if path == sign_in.PATH and method == "POST":
            sent = await _form(Request(asked.scope, receive))
            return self._tried(asked, access, said=sent.get("secret", ""), to=sent.get("to", ""))
        if path == sign_in.OUT:
            return self._signed_out(access)
        known = access.admits(asked.cookies.get(self._cookie, ""), now=time.time())
        if path == sign_in.PATH:
            to = _inside(asked.query_params.get("to", ""))
            return _redirect(to) if known else sign_in.form(to, by_token=access.in_links)
        if method == "GET" and access.in_links and TOKEN in asked.query_params:
            said, to = asked.query_params[TOKEN], _without_token(asked)
            return _redirect(to) if known else self._tried(asked, access, said=said, to=to)
        return None if known else _refused(asked, method)

    def _tried(self, asked: HTTPConnection, access: Access, *, said: str, to: str) -> Response:
        """What comes of saying the secret."""
        address, now, to = _address(asked), time.monotonic(), _inside(to)
        if wait := math.ceil(self._tries.wait_seconds(address, now=now)):
            return sign_in.form(
                to,
                by_token=access.in_links,
                problem=f"Too many wrong tries. Try again in {wait} seconds.",
                status=429,
                headers={"Retry-After": str(wait)},
            )
        if not access.knows(said):
            self._tries.wrong(address, now=now)
            problem = f"That is not the {'token of this start' if access.in_links else 'password'}."
            return sign_in.form(to, by_token=access.in_links, problem=problem, status=401)
        answer = _redirect(to)
        answer.set_cookie(
            self._cookie,
            access.new_pass(now=time.time()),
            max_age=PASS_SECONDS,
            httponly=True,
            samesite="strict",
            secure=_is_secure(asked),
        )
        return answer

    def _signed_out(self, access: Access) -> Response:
        answer = sign_in.form("/", by_token=access.in_links, title="You are signed out")
        answer.delete_cookie(self._cookie, httponly=True, samesite="strict")
        return answer


def _refused(asked: HTTPConnection, method: str) -> Response:
    """The way to the sign-in for who opens a page, a bare refusal for all else."""
    if method == "GET" and "text/html" in asked.headers.get("accept", ""):
        return sign_in.hop(_without_token(asked))
    headers = {**_NO_STORE, "WWW-Authenticate": f'Cookie form-action="{sign_in.PATH}"'}
    return PlainTextResponse("Sign in first.", 401, headers)


def _redirect(to: str) -> Response:
    return RedirectResponse(to, 303, _NO_STORE)


def _inside(to: str) -> str:
    """A path of this server with its query; its first page where `to` is none.

    `//elsewhere` would be another server, and browsers read a backslash as a slash.
    """
    fits = to.startswith("/") and not to.startswith("//") and "\\" not in to and to.isprintable()
    return to if fits and to.partition("?")[0] not in (sign_in.PATH, sign_in.OUT) else "/"


def _without_token(asked: HTTPConnection) -> str:
    """What was asked for, as a path and query without a token in it."""
    left = [(name, value) for name, value in asked.query_params.multi_items() if name != TOKEN]
    path = quote("/" + asked.scope["path"].lstrip("/"))
    return f"{path}?{urlencode(left)}" if left else path


async def _form(request: Request) -> Mapping[str, str]:
    """The fields of a form, the first of each name; none where it is too long to be ours."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_FORM_BYTES:
            return {}
    fields = parse_qs(body.decode("ascii", "replace"), keep_blank_values=True)
    return {name: values[0] for name, values in fields.items()}


def _address(asked: HTTPConnection) -> str:
    """Who asks, as wrong tries are counted: who has an IPv6 address has a whole network of them."""
    host = asked.client.host if asked.client is not None else ""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:  # a socket without an address
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    # Where both kinds come by one socket, those of the old kind stand in the new one's form.
    return str(address.ipv4_mapped or ipaddress.ip_network((address, 64), strict=False))


def _is_secure(asked: HTTPConnection) -> bool:
    """Whether the browser came by TLS. Who lies to a server about it harms only their own pass."""
    forwarded = asked.headers.get("x-forwarded-proto", "").rpartition(",")[2].strip()
    return "https" in (asked.url.scheme, forwarded)
