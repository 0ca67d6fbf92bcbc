"""ssl-train preview: the views that a run would learn from, as a picture."""

import json
from pathlib import Path
from typing import Any

import click
import torch

from training.config import TrainConfig, read_config_file
from training.console import readable
from training.errors import ConfigError
from training.files import check_output
from training.options import FOLDER, given, view_options
from training.views_sheet import SHEET_PHOTOS, preview


@click.command("preview", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("photos", type=FOLDER)
@click.option(
    "-o",
    "--out",
    type=FOLDER,
    default=Path("preview.png"),
    show_default=True,
    help="The PNG to write; an older one is replaced.",
)
@click.option(
    "--count",
    type=click.IntRange(1, 100),
    default=SHEET_PHOTOS,
    show_default=True,
    help="Photos to show.",
)
@view_options
@click.option(
    "--config",
    "config_file",
    type=FOLDER,
    help="TOML file with options of a run; the command line goes before it.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(
    photos: Path,
    out: Path,
    count: int,
    config_file: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """See the views of some photos in PHOTOS before training on them.

    Each row is a photo, squashed to a square, and six views of it. Views of one photo should mean
    the same to you, and differ as much as that allows.
    """
    if out.suffix.lower() != ".png":
        raise ConfigError(f"-o {out}: a preview is a PNG", hint="name a file that ends in .png")
    check_output(out)
    asked = {**(read_config_file(config_file) if config_file else {}), **given(options)}
    config = TrainConfig(**{**asked, "photos": photos})
    shown = preview(config, out, photos=count, has_cuda=torch.cuda.is_available())
    if as_json:
        click.echo(json.dumps({"picture": str(out), "photos": shown}))
    else:
        click.echo(f"{readable(str(out))}: {shown} photos and their views")
