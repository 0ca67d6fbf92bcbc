"""ssl-index: build a gallery, search it, see what it holds."""

import json
from dataclasses import asdict
from os import fsdecode
from pathlib import Path
from typing import NoReturn

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from indexer.build import BuildRequest, IndexReport, build
from indexer.gallery import Gallery, GalleryInfo, Hit, describe, skipped_files
from indexer.map_command import map_command
from indexer.providers import DEVICES
from indexer.verify_command import verify_command
from indexer.wording import quoted, shown
from training.console import ConsoleProgress, readable, run_command, stop_on_interrupt
from training.errors import PhotoError
from training.photos import SkippedFile, read_photo
from training.progress import duration
from training.spec import ENCODER_FILE

DEFAULT_RUN = Path("run")
DEFAULT_GALLERY = Path("gallery")

# Reasons told at the end of a build; the others are in the list that `info --skipped` shows.
REASONS_TOLD = 5

# The flat report, in the order that it adds up.
_COUNTS = ("seen", "added", "changed", "moved", "unchanged", "removed", "skipped")

_FOLDER = click.Path(path_type=Path)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="lookalike")
def cli() -> None:
    """Search your photos by example."""


@cli.command("build")
@click.argument("photos", type=_FOLDER)
@click.option(
    "-o",
    "--gallery",
    type=_FOLDER,
    default=DEFAULT_GALLERY,
    show_default=True,
    help="The gallery's folder: created, or brought up to date.",
)
@click.option(
    "--encoder",
    metavar="RUN|FILE.onnx",
    type=_FOLDER,
    help="A run of ssl-train, or an encoder.onnx.  [default: ./run, or else the one the "
    "gallery was built with]",
)
@click.option(
    "--rebuild", is_flag=True, help="Embed every photo again, and learn the centring anew."
)
@click.option(
    "--device",
    type=click.Choice(DEVICES),
    default="auto",
    show_default=True,
    help="Where the encoder runs; auto takes a GPU when there is one.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def build_command(
    photos: Path, gallery: Path, encoder: Path | None, rebuild: bool, device: str, as_json: bool
) -> None:
    """Index the folder PHOTOS: embed what is new or changed, forget what is gone."""
    request = BuildRequest(photos, gallery, encoder or _default_run(), rebuild, device)
    with ConsoleProgress() as progress, stop_on_interrupt() as stop:
        report = build(request, progress=progress, stop=stop)
    _tell(report, gallery)
    click.echo(_report_json(report) if as_json else _summary(report, gallery))


@cli.command("search")
@click.argument("gallery", type=_FOLDER)
@click.argument("images", metavar="IMAGE...", type=_FOLDER, nargs=-1, required=True)
@click.option(
    "-k",
    default=10,
    show_default=True,
    type=click.IntRange(min=1),
    help="How many photos to find for each image.",
)
@click.option(
    "--photos",
    metavar="DIR",
    type=_FOLDER,
    help="Where the gallery's photos are now, if they moved.",
)
@click.option(
    "--device",
    type=click.Choice(DEVICES),
    default="auto",
    show_default=True,
    help="Where the encoder runs; auto takes a GPU when there is one.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
def search_command(
    gallery: Path,
    images: tuple[Path, ...],
    k: int,
    photos: Path | None,
    device: str,
    as_json: bool,
) -> None:
    """Find the photos in GALLERY that look most like each IMAGE."""
    opened = Gallery.open(gallery, photos=photos, device=device)
    results = [(image, _search(opened, image, k)) for image in images]
    if opened.encoder.warning:
        click.echo(opened.encoder.warning, err=True)
    if as_json:
        click.echo(json.dumps([_result_json(image, hits) for image, hits in results], indent=1))
    else:
        console = Console(highlight=False)
        for image, hits in results:
            console.print(f"like {shown(image)}", markup=False, soft_wrap=True)
            console.print(_result_table(hits))
        click.echo(f"paths are below {shown(opened.photo_root)}", err=True)


@cli.command("info")
@click.argument("gallery", type=_FOLDER)
@click.option("--skipped", is_flag=True, help="List the files that could not be used, and why.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def info_command(gallery: Path, skipped: bool, as_json: bool) -> None:
    """Say what GALLERY holds."""
    if skipped:
        files = skipped_files(gallery)
        click.echo(_skipped_json(files) if as_json else _skipped_text(files), nl=bool(files))
    else:
        facts = _info_facts(describe(gallery))
        click.echo(json.dumps(facts, indent=1) if as_json else _facts_text(facts))


cli.add_command(map_command)
cli.add_command(verify_command)


def main() -> NoReturn:
    """The `ssl-index` command."""
    run_command(cli, name="ssl-index")


def _default_run() -> Path | None:
    return DEFAULT_RUN if (DEFAULT_RUN / ENCODER_FILE).is_file() else None


def _search(gallery: Gallery, image: Path, k: int) -> list[Hit]:
    try:
        photo = read_photo(image, at_least=gallery.encoder.spec.preprocessing.at_least)
    except PhotoError as error:
        raise PhotoError(f"{shown(image)}: {error.message}", hint=error.hint) from None
    return gallery.search(gallery.encoder.embed_image(photo.image), k=k)


def _tell(report: IndexReport, gallery: Path) -> None:
    """What a person should know beside the figures."""
    for note in report.notes:
        click.echo(note, err=True)
    for skip in report.reasons[:REASONS_TOLD]:
        click.echo(f"skipped {skip.files:,}: {readable(skip.reason)}", err=True)
    if len(report.reasons) > REASONS_TOLD:
        click.echo(f"and {len(report.reasons) - REASONS_TOLD:,} more reasons", err=True)
    if report.reasons:
        click.echo(f"`ssl-index info {quoted(gallery)} --skipped` lists each file", err=True)


def _summary(report: IndexReport, gallery: Path) -> str:
    figures = asdict(report)
    parts = [f"{figures[name]:,} {name}" for name in _COUNTS[1:] if figures[name]]
    rate = f" ({report.photos_per_second:,.1f} photos/s embedded)" if report.embedded else ""
    return (
        f"{report.seen:,} files seen: {', '.join(parts)}; took {duration(report.seconds)}{rate}\n"
        f"Next: `ssl-app {quoted(gallery)}` or `ssl-index search {quoted(gallery)} IMAGE`"
    )


def _report_json(report: IndexReport) -> str:
    figures = asdict(report)
    seconds = round(report.seconds, 3)
    return json.dumps({**{name: figures[name] for name in _COUNTS}, "seconds": seconds})


def _result_table(hits: list[Hit]) -> Table:
    table = Table()
    table.add_column("rank", justify="right")
    table.add_column("score", justify="right")
    table.add_column("path", overflow="fold")
    for hit in hits:
        table.add_row(str(hit.rank), f"{hit.score:.3f}", Text(readable(hit.path)))
    return table


def _result_json(image: Path, hits: list[Hit]) -> dict[str, object]:
    # JSON escapes what is not ASCII, lone surrogates too: a path comes back as it was, whatever
    # bytes it is made of.
    return {
        "query": str(image),
        "hits": [{"rank": h.rank, "score": h.score, "path": fsdecode(h.path)} for h in hits],
    }


def _skipped_json(files: list[SkippedFile]) -> str:
    return json.dumps([{"path": fsdecode(f.path), "reason": f.reason} for f in files], indent=1)


def _skipped_text(files: list[SkippedFile]) -> str:
    return "\n".join(f"{readable(file.path)}\t{readable(file.reason)}" for file in files)


def _info_facts(info: GalleryInfo) -> dict[str, str | int]:
    return {
        "folder": str(info.folder),
        "photo_root": str(info.photo_root),
        "photos": info.photos,
        "distinct": info.distinct,
        "skipped": info.skipped,
        "backbone": info.encoder.backbone,
        "image_size": info.encoder.preprocessing.image_size,
        "origin": info.encoder.origin,
        "fingerprint": info.fingerprint,
        "dim": info.dim,
        "index": info.index,
        "generation": info.generation,
        "size_bytes": info.size_bytes,
    }


def _facts_text(facts: dict[str, str | int]) -> str:
    shown_as = {
        name: f"{value:,}" if isinstance(value, int) else readable(value)
        for name, value in facts.items()
    }
    return "\n".join(f"{name.replace('_', ' '):<12} {value}" for name, value in shown_as.items())
