"""`ssl-app`: open a gallery and show it in a browser, here or to those who know its secret."""

import os
import sys
import threading
import webbrowser
from contextlib import suppress
from pathlib import Path

import click

from app.door.access import Access, Secret, new_token, read_password
from app.door.hosts import hosts_of, is_address, is_loopback, is_name
from app.door.listening import DEFAULT_PORT, free_port, url_of
from app.library import Library
from app.ui.doorway import TOKEN
from app.ui.serving import Server, serve
from indexer.folder import GalleryFolder
from training.console import run_command

DEFAULT_GALLERY = Path("gallery")
DEFAULT_HOST = "127.0.0.1"


def main() -> None:
    """Run `ssl-app`."""
    run_command(cli, name="ssl-app")


def _address(_context: click.Context, _option: click.Parameter, host: str) -> str:
    """An IP address to listen on."""
    if host == "localhost":
        return DEFAULT_HOST
    if is_address(host):
        return host
    raise click.BadParameter(
        f"{host} is not an IP address. 0.0.0.0 listens on every address of this computer; a name "
        "under which people reach it is given with --allow-host."
    )


def _bare_names(
    _context: click.Context, _option: click.Parameter, names: tuple[str, ...]
) -> tuple[str, ...]:
    """Names as they stand in an address: no scheme, port or path."""
    for name in names:
        if not is_name(name):
            raise click.BadParameter(f"{name} is more than a name, such as photos.example.org.")
    return names


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
    metavar="ADDRESS",
    default=DEFAULT_HOST,
    show_default=True,
    callback=_address,
    help="The address to listen on. Any but this computer's own asks for a token, which is in "
    "the link that is printed, or for a password.",
)
@click.option(
    "--password-file",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Ask for the password in this file.",
)
@click.option(
    "--allow-host",
    metavar="NAME",
    multiple=True,
    callback=_bare_names,
    help="A name under which people reach it, such as a proxy's; repeat it for more.",
)
@click.option(
    "--read-only",
    is_flag=True,
    help="Look only: no labels, no updates, nothing is written to the gallery.",
)
@click.option("--no-browser", is_flag=True, help="Do not open a browser window.")
def cli(
    gallery: Path,
    *,
    photos: Path | None,
    port: int | None,
    host: str,
    password_file: Path | None,
    allow_host: tuple[str, ...],
    read_only: bool,
    no_browser: bool,
) -> None:
    r"""Search the photos of GALLERY (default: ./gallery) in a browser.

    Serves this computer alone unless --host says otherwise, sends nothing anywhere, and only
    ever reads your photos. Ctrl-C ends it.

    \b
    Examples:
      ssl-app
      ssl-app gallery --port 9000
      ssl-app gallery --photos /mnt/new-disk/photos
      ssl-app gallery --host 0.0.0.0 --read-only
    """
    secret = _secret(host, password_file)
    library = Library(gallery, photos=photos, read_only=read_only or cannot_change(gallery))
    server = Server(
        address=host,
        port=free_port(host, port),
        hosts=hosts_of(host, allow_host),
        access=Access(secret) if secret is not None else None,
    )

    def ready() -> None:
        if warning := library.gallery().encoder.warning:
            click.echo(warning, err=True)
        if library.read_only and not read_only:
            click.echo("The gallery cannot be written, so it is shown read-only.", err=True)
        url = url_of(host, server.port)
        _tell(url, host, secret)
        # A token in an address would stand in the browser's command line, for all to see.
        if not no_browser and not (secret and secret.in_links) and _has_display():
            # Some browsers keep the caller waiting; the server must not.
            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()

    # Ctrl-C may end the server's loop before it becomes an exception: both ways are an end.
    with suppress(KeyboardInterrupt):
        serve(library, server, ready=ready)
    click.echo("\nLookalike has ended.", err=True)


def cannot_change(gallery: Path) -> bool:
    """Whether a gallery is on a read-only disk, or somebody else's."""
    catalogue = GalleryFolder(gallery).catalogue
    return catalogue.exists() and not all(os.access(p, os.W_OK) for p in (gallery, catalogue))


def _secret(host: str, password_file: Path | None) -> Secret | None:
    """What people have to know; nothing where only this computer is served and no password set."""
    if password_file is not None:
        return read_password(password_file)
    return None if is_loopback(host) else new_token()


def _tell(url: str, host: str, secret: Secret | None) -> None:
    """Say where it is, once; the token is told nowhere else."""
    link = f"{url}/?{TOKEN}={secret.text}" if secret is not None and secret.in_links else url
    click.echo(f"Lookalike is at {link}  (Ctrl-C ends it)", err=True)
    if secret is not None and secret.in_links:
        click.echo("Who has this link may use it until it ends.", err=True)
    if not is_loopback(host):
        click.echo(
            "What travels is not encrypted: beyond a network you trust, put TLS in front of it.",
            err=True,
        )


def _has_display() -> bool:
    """Whether a browser window can open: on a server, a text browser would take the terminal."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
