"""The web server: Streamlit's pages, the pictures beside them, and who may ask for either."""

import gc
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import streamlit as st
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.door.access import Access
from app.door.hosts import Hosts
from app.door.listening import send_at_once
from app.library import Library
from app.ui import served
from app.ui.doorway import Doorway
from app.ui.pictures import picture_routes

SCRIPT = Path(__file__).with_name("lookalike_pages.py")

# Far above what an upload may weigh: Streamlit refuses with a mere red mark, we with a sentence.
ACCEPTED_MEGABYTES = 200

# What an update that is running when the server ends may take for what it has in flight.
SECONDS_TO_STOP = 15.0

# The browser itself refuses any other host, whatever a page or a dependency may try. Streamlit
# needs inline scripts and styles, and imports its components from blobs.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@dataclass(frozen=True, slots=True)
class Server:
    """Where a server listens, and to whom it answers."""

    address: str  # an IP address of this computer
    port: int  # a free one
    hosts: Hosts
    access: Access | None  # None: whoever reaches it may use it


def serve(library: Library, server: Server, *, ready: Callable[[], None]) -> None:
    """Serve a library until interrupted.

    Args:
        library: what is served.
        server: where, and to whom.
        ready: called once, when the server takes requests.

    Raises:
        KeyboardInterrupt: Ctrl-C, after the server has closed its connections.
    """
    served.provide(library, guarded=server.access is not None)
    # uvicorn tells of every start and connection; whoever started us was told what matters.
    logging.getLogger("uvicorn.error").addFilter(lambda record: record.levelno >= logging.WARNING)

    @asynccontextmanager
    async def lifespan(_app: st.App) -> AsyncIterator[None]:
        send_at_once(server.port)
        # What was imported stays until the end. Looking through it for garbage takes 100 ms, in
        # which no thread runs; without it, 5 ms.
        gc.collect()
        gc.freeze()
        ready()
        try:
            yield
        finally:  # here, because a signal may end the process right after the server
            library.close()

    application = st.App(
        SCRIPT,
        lifespan=lifespan,
        routes=picture_routes(),
        middleware=[
            Middleware(_SecurityHeaders),
            # Nothing of Streamlit's comes before these.
            Middleware(Doorway, hosts=server.hosts, access=server.access, port=server.port),
        ],
    )
    try:
        application.run(config=_config(server))
    finally:
        library.updates.cancel()
        library.updates.wait(SECONDS_TO_STOP)


def _config(server: Server) -> dict[str, object]:
    """Every setting that matters: App.run() reads no environment, and would listen to the world."""
    light, dark = "theme.light", "theme.dark"
    return {
        "server.address": server.address,
        "server.port": server.port,
        "server.headless": True,
        "server.allowedHosts": [],  # the doorway has decided: it knows addresses too
        "server.baseUrlPath": "",
        "server.corsAllowedOrigins": [],
        "server.enableAgentApi": False,
        "server.enableCORS": True,
        "server.enableStaticServing": False,
        "server.enableXsrfProtection": True,
        "server.fileWatcherType": "none",
        "server.maxUploadSize": ACCEPTED_MEGABYTES,
        "browser.gatherUsageStats": False,
        "browser.serverAddress": server.address,
        "client.allowedOrigins": [],
        "client.showErrorDetails": "type",
        "client.showErrorLinks": False,
        "client.toolbarMode": "minimal",
        "logger.hideWelcomeMessage": True,
        "runner.magicEnabled": False,
        "secrets.files": [],  # not ours to read; one in a home that is closed would end the start
        "runner.postScriptGC": False,  # after every click, even so: Python knows better when
        "theme.baseRadius": "10px",
        "theme.paddingTop": "0rem",
        "theme.paddingBottom": "4rem",
        f"{light}.primaryColor": "#1f5fd0",
        f"{light}.backgroundColor": "#ffffff",
        f"{light}.secondaryBackgroundColor": "#f2f5f9",
        f"{light}.textColor": "#17202e",
        f"{dark}.primaryColor": "#8ab4ff",
        f"{dark}.backgroundColor": "#10151d",
        f"{dark}.secondaryBackgroundColor": "#1b232f",
        f"{dark}.textColor": "#e9eef6",
    }


class _SecurityHeaders:
    """Adds the security headers to every response."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)
