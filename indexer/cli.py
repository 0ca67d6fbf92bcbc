"""ssl-index: build a gallery, search it, see what it holds."""

from typing import NoReturn

import click

from indexer.commands.building import build_command, update_command
from indexer.commands.giving import doctor_command, export_command
from indexer.commands.looking import info_command
from indexer.commands.mapping import map_command
from indexer.commands.reviewing import duplicates_command, outliers_command
from indexer.commands.searching import search_command
from indexer.commands.verifying import verify_command
from training.console import run_command

COMMANDS = (
    build_command,
    update_command,
    search_command,
    duplicates_command,
    outliers_command,
    info_command,
    verify_command,
    export_command,
    doctor_command,
    map_command,
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="lookalike")
def cli() -> None:
    """Search your photos by example."""


for _command in COMMANDS:
    cli.add_command(_command)


def main() -> NoReturn:
    """The `ssl-index` command."""
    run_command(cli, name="ssl-index")
