"""A door in front of a server, with something simple behind it that tells who got there."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from urllib.parse import urlencode

import pytest
from starlette.types import Message, Receive, Scope, Send

from app.door.access import Access, Secret
from app.door.hosts import Hosts, hosts_of
from app.ui.doorway import Doorway

HOST = "photos.example.org"
PASSWORD = "correct horse battery staple"
BEHIND = b"all the photos"


@dataclass(frozen=True)
class Reply:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def passed(self) -> bool:
        return self.body == BEHIND

    @property
    def cookie(self) -> str:
        return self.headers["set-cookie"].split(";")[0]


@dataclass
class Door:
    """A doorway and what it lets through."""

    access: Access | None
    hosts: Hosts = field(default_factory=lambda: hosts_of("127.0.0.1", [HOST]))

    def __post_init__(self) -> None:
        self.door = Doorway(_photos, hosts=self.hosts, access=self.access, port=8501)

    def ask(self, target: str = "/", *, method: str = "GET", **options: object) -> Reply:
        """One request; `kind`, `headers`, `body` and `client` say more of it."""
        asking = self._ask(target, method=method, **options)  # type: ignore[arg-type]
        # In a thread: after a browser test this one has an event loop that runs for ever.
        with ThreadPoolExecutor(1) as apart:
            return apart.submit(asyncio.run, asking).result()

    async def _ask(
        self,
        target: str,
        *,
        method: str,
        kind: str = "http",
        headers: dict[str, str] | None = None,
        body: bytes = b"",
        client: str = "192.0.2.7",
    ) -> Reply:
        path, _, query = target.partition("?")
        sent: list[Message] = []
        named = {"host": HOST, "accept": "text/html", **(headers or {})}
        scope = {
            "type": kind,
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(k.encode(), v.encode("latin-1")) for k, v in named.items() if v],
            "client": (client, 5),
            "server": ("127.0.0.1", 8501),
            "extensions": {"websocket.http.response": {}},
        }

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            sent.append(message)

        await self.door(scope, receive, send)
        return Reply(
            sent[0]["status"],
            {k.decode(): v.decode() for k, v in sent[0]["headers"]},
            b"".join(message["body"] for message in sent[1:]),
        )

    def sign_in(self, said: str = PASSWORD, to: str = "/", **options: object) -> Reply:
        """Send the form."""
        body = urlencode({"secret": said, "to": to}).encode()
        return self.ask("/sign-in", method="POST", body=body, **options)


async def _photos(scope: Scope, _receive: Receive, send: Send) -> None:
    start = "websocket.http.response" if scope["type"] == "websocket" else "http.response"
    await send({"type": f"{start}.start", "status": 200, "headers": []})
    await send({"type": f"{start}.body", "body": BEHIND})


@pytest.fixture(scope="session")
def host() -> str:
    """A name under which a door is reached."""
    return HOST


@pytest.fixture(scope="session")
def password() -> str:
    """What opens it."""
    return PASSWORD


@pytest.fixture(scope="module")
def by_password() -> Access:
    return Access(Secret(PASSWORD, in_links=False))


@pytest.fixture(scope="module")
def by_token() -> Access:
    return Access(Secret(PASSWORD, in_links=True))


@pytest.fixture
def door(by_password: Access) -> Door:
    return Door(by_password)


@pytest.fixture(scope="module")
def doors() -> type[Door]:
    """To make a door with other hosts or another secret."""
    return Door
