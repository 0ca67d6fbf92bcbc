"""What somebody sees who has not signed in: one page, and the way there. Nothing of the gallery."""

from collections.abc import Mapping
from html import escape
from importlib.resources import files
from string import Template
from urllib.parse import quote

from starlette.responses import HTMLResponse, Response

PATH = "/sign-in"
OUT = "/sign-out"

# It needs nothing but its own style. The form's origin is told, which "no-referrer" would hide.
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
}

_BY_TOKEN = (
    "Token",
    "off",
    "Open the link that ssl-app printed when it started, or paste the token in it.",
)
_BY_PASSWORD = ("Password", "current-password", "These photos are for those who know the password.")


def form(
    to: str,
    *,
    by_token: bool,
    problem: str = "",
    title: str = "Sign in",
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The page that asks.

    Args:
        to: where to go afterwards, a path of this server.
        by_token: whether a token is asked for, instead of a password.
        problem: what was wrong with the last try.
        title: its heading.
        status: of the response.
        headers: besides those of every such page.
    """
    asked, autocomplete, about = _BY_TOKEN if by_token else _BY_PASSWORD
    html = Template(_part("sign_in.html")).substitute(
        style=_part("sign_in.css"),
        title=escape(title),
        about=escape(about),
        asked=asked,
        autocomplete=autocomplete,
        to=escape(to),
        problem=escape(problem),
        invalid='aria-invalid="true"' if problem else "",
    )
    return HTMLResponse(html, status, {**HEADERS, **(headers or {})})


def hop(to: str) -> Response:
    """A page that goes to the sign-in by itself.

    A browser that comes from another site's link leaves out the pass it has (SameSite=Strict). A
    step that starts here brings it along, and the sign-in sends on at once who has one.
    """
    there = escape(f"{PATH}?to={quote(to, safe='')}")
    html = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Lookalike</title>'
        f'<meta http-equiv="refresh" content="0; url={there}"></head>'
        f'<body><p><a href="{there}">Sign in</a></p></body></html>'
    )
    return HTMLResponse(html, 401, HEADERS)


def _part(name: str) -> str:
    return files("app.ui.components").joinpath(name).read_text(encoding="utf-8")
