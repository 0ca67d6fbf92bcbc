"""Arguments and options that several commands have, and how they print."""

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from functools import wraps
from os import fsdecode
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from indexer.filters import Filter, parse_where
from indexer.providers import DEVICES
from training.console import readable

DEFAULT_GALLERY = Path("gallery")

FOLDER = click.Path(path_type=Path)

# A terminal's width is for people; what is piped should not be folded at 80.
PIPED_WIDTH = 10_000

Command = TypeVar("Command", bound=Callable[..., None])


class Form(Enum):
    """How results are printed; the value is the option that asks for it."""

    TABLE = ""
    JSON = "--json"
    LINES = "--jsonl"
    PATHS = "-0"


def gallery_argument(command: Command) -> Command:
    """GALLERY, the first word of most commands."""
    return click.argument("gallery", type=FOLDER)(command)


def narrowing_options(command: Command) -> Command:
    """--in and --where: `chosen_filter` makes one filter of them."""
    folder = click.option(
        "--in", "folder", metavar="FOLDER", help="Only photos below this folder of the photo root."
    )
    where = click.option(
        "--where",
        "conditions",
        multiple=True,
        metavar="CONDITIONS",
        help="Only photos of this date, size, camera or label: "
        "`date >= 2021-05 and side >= 1000`; repeat it to ask for more.",
    )
    return folder(where(command))


def form_options(command: Callable[..., None]) -> Callable[..., None]:
    """--json, --jsonl and -0, which the command gets as one `form`; two of them are refused."""

    @wraps(command)
    def with_form(*, as_json: bool, as_jsonl: bool, as_paths: bool, **given: Any) -> None:
        asked = {Form.JSON: as_json, Form.LINES: as_jsonl, Form.PATHS: as_paths}
        chosen = [form for form, wanted in asked.items() if wanted]
        if len(chosen) > 1:
            raise click.UsageError(f"choose one of {' and '.join(f.value for f in chosen)}")
        command(form=chosen[0] if chosen else Form.TABLE, **given)

    return json_option(jsonl_option(null_option(with_form)))


def json_option(command: Command) -> Command:
    """--json."""
    return click.option("--json", "as_json", is_flag=True, help="Print as JSON.")(command)


def jsonl_option(command: Command) -> Command:
    """--jsonl."""
    return click.option(
        "--jsonl", "as_jsonl", is_flag=True, help="Print one line of JSON for each result."
    )(command)


def null_option(command: Command) -> Command:
    """-0."""
    return click.option(
        "-0",
        "--null",
        "as_paths",
        is_flag=True,
        help="Print only paths, each ended by a zero byte, for `xargs -0`.",
    )(command)


def device_option(command: Command) -> Command:
    """--device."""
    return click.option(
        "--device",
        type=click.Choice(DEVICES),
        default="auto",
        show_default=True,
        help="Where the encoder runs; auto takes a GPU when there is one.",
    )(command)


def photos_option(command: Command) -> Command:
    """--photos."""
    return click.option(
        "--photos",
        metavar="DIR",
        type=FOLDER,
        help="Where the gallery's photos are now, if they moved.",
    )(command)


def chosen_filter(folder: str | None, conditions: Sequence[str]) -> Filter:
    """What --in and --where ask for together.

    Raises:
        ConfigError: they are no folder or no conditions.
    """
    wanted = Filter()
    for text in conditions:
        wanted = parse_where(text, wanted)
    return wanted if folder is None else wanted.within(folder)


def print_results(
    form: Form,
    results: Iterable[Mapping[str, object]],
    *,
    paths: Iterable[bytes],
    table: Callable[[], None],
    document: Callable[[], object] | None = None,
) -> None:
    """Print what was found in the form asked for.

    Args:
        form: which.
        results: what JSON says of each, a line a piece.
        paths: the file of each.
        table: prints them for people.
        document: the whole as one JSON value; None is the list of results.
    """
    if form is Form.JSON:
        print_json(document() if document else list(results))
    elif form is Form.LINES:
        for result in results:
            click.echo(json.dumps(result))
    elif form is Form.PATHS:
        print_paths(paths)
    else:
        table()


def print_json(value: object) -> None:
    """One JSON document.

    JSON escapes what is not ASCII, lone surrogates too: a path comes back as it was, whatever bytes
    it is made of.
    """
    click.echo(json.dumps(value, indent=1))


def print_paths(paths: Iterable[bytes]) -> None:
    """Paths as they are, each ended by a zero byte."""
    for path in paths:
        sys.stdout.buffer.write(path + b"\0")
    sys.stdout.buffer.flush()


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table; numbers stand to the right, paths are made readable and folded."""
    table = Table()
    listed = [list(row) for row in rows]
    for position, name in enumerate(columns):
        numbers = all(isinstance(row[position], int | float) for row in listed)
        table.add_column(name, justify="right" if numbers else "left", overflow="fold")
    for row in listed:
        table.add_row(*(_cell(value) for value in row))
    wide_console().print(table)


def wide_console() -> Console:
    """Where tables go: as wide as the terminal, or as a line needs where there is none."""
    width = None if Console().is_terminal else PIPED_WIDTH
    return Console(highlight=False, width=width)


def _cell(value: object) -> Text:
    if isinstance(value, float):
        return Text(f"{value:.3f}")
    if isinstance(value, int):
        return Text(f"{value:,}")
    return Text(readable(value if isinstance(value, bytes) else str(value)))


def path_text(path: bytes) -> str:
    """A path for JSON."""
    return fsdecode(path)
