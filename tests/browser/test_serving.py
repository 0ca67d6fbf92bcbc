"""Who may ask the server for what, and how the command starts and ends. Needs no browser."""

import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from app.launch import cli
from indexer.gallery import Gallery
from training.errors import ConfigError

EVIL = "photos.example"


@pytest.fixture(scope="session")
def first_hash(shelf: Any) -> str:
    return Gallery.open(shelf.folder, device="cpu").photo(1).content_hash


@pytest.mark.parametrize("kind", ["thumb", "view"])
def test_a_picture_is_served_by_id_and_kept_by_the_browser(
    asked: Any, app: Any, first_hash: str, kind: str
) -> None:
    status, headers, body = asked(app, f"/{kind}/1?v={first_hash}")
    assert status == 200
    assert headers["content-type"] == "image/jpeg"
    assert body.startswith(b"\xff\xd8")
    assert "immutable" in headers["cache-control"]
    assert "private" in headers["cache-control"]


def test_a_picture_without_its_hash_is_not_kept(asked: Any, app: Any) -> None:
    status, headers, _ = asked(app, "/thumb/1")
    assert (status, headers["cache-control"]) == (200, "no-store")


@pytest.mark.parametrize(
    "path",
    [
        "/thumb/987654",
        "/thumb/-1",
        "/thumb/1.jpg",
        "/thumb/",
        "/thumb/" + "9" * 40,
        "/thumb/1?v=" + "0" * 64,
        "/thumb/..%2f..%2f..%2fetc%2fpasswd",
        "/thumb/../../../etc/passwd",
        "/thumb//etc/passwd",
        "/view/%2e%2e/%2e%2e/etc/passwd",
        "/upload/" + "0" * 64,
        "/upload/../catalogue.sqlite",
        "/upload/..%2fcatalogue.sqlite",
        "/upload/%00",
    ],
)
def test_anything_but_a_known_id_is_refused(asked: Any, app: Any, path: str) -> None:
    status, _, body = asked(app, path)
    assert status in (400, 404)
    assert b"root:" not in body
    assert b"SQLite" not in body


@pytest.mark.parametrize("path", ["/", "/thumb/1", "/view/1", "/_stcore/health"])
def test_a_foreign_host_name_is_refused(asked: Any, app: Any, path: str) -> None:
    # A web site whose name resolves to this computer could read the photos otherwise.
    assert asked(app, path, host=EVIL)[0] == 400


@pytest.mark.parametrize(
    "changed", [{"host": EVIL}, {"Origin": f"http://{EVIL}"}], ids=["host", "origin"]
)
def test_a_foreign_page_gets_no_session(
    asked: Any, handshake: dict[str, str], app: Any, changed: dict[str, str]
) -> None:
    assert asked(app, "/_stcore/stream", **{**handshake, **changed})[0] in (400, 403)
    assert asked(app, "/_stcore/stream", **handshake)[0] == 101


@pytest.mark.parametrize("path", ["/", "/thumb/1", "/thumb/987654", "/_stcore/health"])
def test_every_answer_carries_the_security_headers(asked: Any, app: Any, path: str) -> None:
    _, headers, _ = asked(app, path)
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["referrer-policy"] == "no-referrer"
    assert "access-control-allow-origin" not in headers
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "http:" not in policy
    assert "*" not in policy


def test_the_pages_cannot_be_driven_by_programs(asked: Any, app: Any) -> None:
    assert asked(app, "/_stcore/agent/interact", method="POST")[0] >= 400


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's table of sockets")
def test_it_listens_on_this_computer_alone(app: Any) -> None:
    port = int(app.address.rpartition(":")[2])
    listening = [
        line.split()[1]
        for table in ("/proc/net/tcp", "/proc/net/tcp6")
        if Path(table).exists()
        for line in Path(table).read_text().splitlines()[1:]
        if line.split()[3] == "0A" and int(line.split()[1].rpartition(":")[2], 16) == port
    ]
    assert listening == [f"0100007F:{port:04X}"]


def test_a_missing_gallery_is_one_line_and_the_command_that_makes_one(
    command: Callable[..., list[str]], tmp_path: Path
) -> None:
    ended = subprocess.run(
        command("nowhere", "--no-browser"),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stdout == ""
    error, hint = ended.stderr.splitlines()
    assert error == "error: there is no gallery in nowhere"
    assert "ssl-index build" in hint


@pytest.mark.parametrize("host", ["photos.example", "256.0.0.1", ""])
def test_a_host_to_listen_on_is_an_address(shelf: Any, host: str) -> None:
    ended = CliRunner().invoke(cli, [str(shelf.folder), "--host", host])
    assert ended.exit_code == 2
    assert "--allow-host" in " ".join(ended.output.split())


@pytest.mark.parametrize("name", ["https://photos.example", "photos.example:80", "a/b", "*.a", ""])
def test_a_name_to_allow_is_a_bare_one(shelf: Any, name: str) -> None:
    ended = CliRunner().invoke(cli, [str(shelf.folder), "--allow-host", name])
    assert ended.exit_code == 2
    assert "photos.example.org" in " ".join(ended.output.split())


@pytest.mark.parametrize("port", [[], ["--port", "8501"]])
def test_an_address_of_another_computer_is_an_error(shelf: Any, port: list[str]) -> None:
    ended = CliRunner().invoke(cli, [str(shelf.folder), "--host", "203.0.113.9", *port])
    assert isinstance(ended.exception, ConfigError)
    assert "Cannot assign requested address" in ended.exception.message


def test_a_port_that_is_taken_is_an_error_when_it_was_asked_for(shelf: Any, app: Any) -> None:
    port = app.address.rpartition(":")[2]
    ended = CliRunner().invoke(cli, [str(shelf.folder), "--port", port])
    assert isinstance(ended.exception, ConfigError)
    assert "another program listens there" in ended.exception.message
    assert "--port" in ended.exception.hint


def test_without_a_port_the_next_free_one_is_taken_and_told(
    command: Callable[..., list[str]], shelf: Any
) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", 8501))
            taken.listen()
        except OSError:
            pass  # then somebody else holds it, which serves as well
        with subprocess.Popen(
            command(str(shelf.folder), "--no-browser"), stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stderr is not None
            told = process.stderr.readline()
            process.terminate()
    assert "http://127.0.0.1:85" in told
    assert "http://127.0.0.1:8501" not in told


def test_ctrl_c_ends_it_without_a_traceback(start_app: Callable[[], Any]) -> None:
    running = start_app()
    assert running.interrupt() == 0
    assert running.log.read_text().splitlines() == [
        f"Lookalike is at {running.url}  (Ctrl-C ends it)",
        "",
        "Lookalike has ended.",
    ]


def test_a_home_folder_that_cannot_be_read_does_not_keep_the_app_from_answering(
    shelf: Any, started: Any, asked: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Streamlit would look for its secrets there, and fail as it does in a home that is closed.
    (home := tmp_path / "home").mkdir()
    (home / ".streamlit").write_text("no folder")
    monkeypatch.setenv("HOME", str(home))
    with started(shelf.folder, tmp_path / "log") as running:
        assert asked(running, "/")[0] == 200
