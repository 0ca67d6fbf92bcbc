"""`ssl-index map`: draw the map of a gallery ahead of its first opening."""

import json
import time
from pathlib import Path

import click

from indexer.commands.shared import gallery_argument, json_option
from indexer.layout import MAP_FILE, drawn
from indexer.wording import shown
from training.progress import duration


@click.command("map")
@gallery_argument
@click.option("--again", is_flag=True, help="Draw it even where the one that is kept is good.")
@json_option
def map_command(gallery: Path, again: bool, as_json: bool) -> None:
    """Draw the map of GALLERY, where photos that look alike lie together.

    The app draws it too, in the background, when its Map page is opened first.
    """
    started = time.monotonic()
    click.echo("drawing the map: seconds for thousands of photos, minutes for more", err=True)
    layout = drawn(gallery, again=again)
    seconds = time.monotonic() - started
    if as_json:
        report = {
            "photos": len(layout.ids),
            "generation": layout.generation,
            "method": layout.method,
            "seconds": round(seconds, 3),
        }
        click.echo(json.dumps(report))
    else:
        where = shown(gallery / MAP_FILE)
        click.echo(f"{where}: {len(layout.ids):,} photos, took {duration(seconds)}")
