"""`ssl-app`: open a gallery and show it in a browser on this computer."""

import errno
import ipaddress
import os
import socket
import sys
import threading
import webbrowser
from contextlib import suppress
from pathlib import Path

import click

from app.library import Library
from app.ui.serving import serve
from indexer.folder import GalleryFolder
from training.console import run_command
from training.errors import ConfigError

DEFAULT_GALLERY = Path("gallery")
DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8501

# How many ports above the default are tried where none was asked for.
PORTS_TRIED = 100


def main() -> None:
    """Run `ssl-app`."""
    run_command(cli, name="ssl-app")


def _loopback(_context: click.Context, _option: click.Parameter, host: str) -> str:
    """Refuse what other computers could reach."""
    if host == "localhost":
        return DEFAULT_HOST
    try:
        if ipaddress.IPv4Address(host).is_loopback:
            return host
    except ValueError:
        pass
    raise click.BadParameter(
        f"{host} is not an address of this computer alone (127.0.0.1). The app has no password, "
        "so it serves no other computer; to look from one, forward the port: "
        f"`ssh -L {DEFAULT_PORT}:{DEFAULT_HOST}:{DEFAULT_PORT} THIS-COMPUTER`."
    )


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("gallery", type=click.Path(path_type=Path), default=DEFAULT_GALLERY)
@click.option(
    "--photos",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Where the photos are now, if they moved since the gallery was built.",
)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help=f"The port to listen on.  [default: {DEFAULT_PORT}, or the next free one]",
)
@click.option(
    "--host",
    default=DEFAULT_HOST,
    show_default=True,
    callback=_loopback,
    help="The address to listen on; one of this computer alone.",
)
@click.option(
    "--read-only",
    is_flag=True,
    help="Look only: no labels, no updates, nothing is written to the gallery.",
)
@click.option("--no-browser", is_flag=True, help="Do not open a browser window.")
def cli(
    gallery: Path,
    photos: Path | None,
    port: int | None,
    host: str,
    read_only: bool,
    no_browser: bool,
) -> None:
    r"""Search the photos of GALLERY (default: ./gallery) in a browser.

    Serves this computer only, sends nothing anywhere, and only ever reads your photos.
    Ctrl-C ends it.

    \b
    Examples:
      ssl-app
      ssl-app gallery --port 9000
      ssl-app gallery --photos /mnt/new-disk/photos
    """
    library = Library(gallery, photos=photos, read_only=read_only or cannot_change(gallery))
    chosen = _free_port(host, port)
    url = f"http://{host}:{chosen}"

    def ready() -> None:
        if warning := library.gallery().encoder.warning:
            click.echo(warning, err=True)
        if library.read_only and not read_only:
            click.echo("The gallery cannot be written, so it is shown read-only.", err=True)
        click.echo(f"Lookalike is at {url}  (Ctrl-C ends it)", err=True)
        if not no_browser and _has_display():
            # Some browsers keep the caller waiting; the server must not.
            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()

    # Ctrl-C may end the server's loop before it becomes an exception: both ways are an end.
    with suppress(KeyboardInterrupt):
        serve(library, host=host, port=chosen, ready=ready)
    click.echo("\nLookalike has ended.", err=True)


def cannot_change(gallery: Path) -> bool:
    """Whether it is on a read-only disk, or somebody else's."""
    catalogue = GalleryFolder(gallery).catalogue
    return catalogue.exists() and not all(os.access(p, os.W_OK) for p in (gallery, catalogue))


def _free_port(host: str, wanted: int | None) -> int:
    """The port that was asked for, or the first free one from the default on.

    Raises:
        ConfigError: the port that was asked for is taken or not allowed, or none is free.
    """
    if wanted is not None:
        problem = _port_problem(host, wanted)
        if problem:
            raise ConfigError(
                f"port {wanted} cannot be used: {problem}",
                hint="choose another with --port, or leave it out to take the next free one",
            )
        return wanted
    for port in range(DEFAULT_PORT, DEFAULT_PORT + PORTS_TRIED):
        if not _port_problem(host, port):
            return port
    raise ConfigError(
        f"the ports from {DEFAULT_PORT} to {DEFAULT_PORT + PORTS_TRIED - 1} are all taken",
        hint="name a free one with --port",
    )


def _port_problem(host: str, port: int) -> str:
    """Why a port cannot be listened on; empty where it can."""
    with socket.socket() as probe:
        if os.name != "nt":  # there it would share a port that somebody listens on
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return "another program listens there"
            return error.strerror or str(error)
    return ""


def _has_display() -> bool:
    """Whether a browser window can open: on a server, a text browser would take the terminal."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
