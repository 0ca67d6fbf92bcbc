"""`ssl-index build` and `ssl-index update`: bring a gallery up to date with its photos."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import click

from indexer.build import BuildRequest, build
from indexer.commands.shared import (
    DEFAULT_GALLERY,
    FOLDER,
    Command,
    device_option,
    gallery_argument,
    json_option,
    photos_option,
)
from indexer.kinds import WANTED, Wanted
from indexer.precision import PRECISIONS
from indexer.report import IndexReport
from indexer.update import preview, remembered
from training.console import ConsoleProgress, readable, stop_on_interrupt
from training.progress import duration
from training.spec import ENCODER_FILE
from training.wording import counted, quoted

DEFAULT_RUN = Path("run")

# Reasons told at the end of a build; the others are in the list that `info --skipped` shows.
REASONS_TOLD = 5

# The flat report, in the order that it adds up.
_COUNTS = ("seen", "added", "changed", "moved", "unchanged", "removed", "missing", "skipped")


def _change_options(command: Command) -> Command:
    """What build and update share."""
    for option in (
        click.option(
            "--index",
            type=click.Choice(WANTED),
            help="The kind of index; `auto` goes by size and machine.  [default: as before, at "
            "first auto]",
        ),
        click.option(
            "--dry-run", is_flag=True, help="Count what would be done, and change nothing."
        ),
        click.option(
            "--verify-content",
            is_flag=True,
            help="Read every file again, also where size and time are what they were.",
        ),
        click.option(
            "--prune",
            is_flag=True,
            help="Take photos out of the gallery that are gone from the folder, however many.",
        ),
    ):
        command = option(command)
    return command


@click.command("build")
@click.argument("photos", type=FOLDER)
@click.option(
    "-o",
    "--gallery",
    type=FOLDER,
    default=DEFAULT_GALLERY,
    show_default=True,
    help="The gallery's folder: created, or brought up to date.",
)
@click.option(
    "--encoder",
    metavar="RUN|FILE.onnx",
    type=FOLDER,
    help="A run of ssl-train, or an encoder.onnx.  [default: ./run, or else the one the "
    "gallery was built with]",
)
@click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    help="What the encoder computes in: int8 is faster on processors, fp16 on GPUs.  "
    "[default: the gallery's own, fp32 for a new one]",
)
@click.option(
    "--rebuild", is_flag=True, help="Embed every photo again, and learn the centring anew."
)
@_change_options
@device_option
@json_option
def build_command(
    *,
    photos: Path,
    gallery: Path,
    encoder: Path | None,
    precision: str | None,
    rebuild: bool,
    prune: bool,
    verify_content: bool,
    index: Wanted | None,
    dry_run: bool,
    device: str,
    as_json: bool,
) -> None:
    """Index the folder PHOTOS: embed what is new or changed, follow what moved."""
    request = BuildRequest(
        photos,
        gallery,
        encoder or _default_run(),
        rebuild,
        device,
        prune=prune,
        verify_content=verify_content,
        index=index,
        precision=precision,
    )
    _carry_out(request, dry_run=dry_run, as_json=as_json)


@click.command("update")
@gallery_argument
@photos_option
@_change_options
@device_option
@json_option
def update_command(
    *,
    gallery: Path,
    photos: Path | None,
    prune: bool,
    verify_content: bool,
    index: Wanted | None,
    dry_run: bool,
    device: str,
    as_json: bool,
) -> None:
    """Bring GALLERY up to date with the photo folder that it remembers."""
    request = replace(
        remembered(gallery, photos=photos),
        prune=prune,
        verify_content=verify_content,
        index=index,
        device=device,
    )
    _carry_out(request, dry_run=dry_run, as_json=as_json)


def _carry_out(request: BuildRequest, *, dry_run: bool, as_json: bool) -> None:
    work = preview if dry_run else build
    with ConsoleProgress() as progress, stop_on_interrupt() as stop:
        report = work(request, progress=progress, stop=stop)
    _tell(report, request.gallery, dry_run=dry_run)
    if as_json:
        click.echo(_report_json(report))
    elif dry_run:
        click.echo(f"{_counted(report)}; would embed {report.embedded:,}; nothing was changed")
    else:
        click.echo(_summary(report, request.gallery))


def _default_run() -> Path | None:
    return DEFAULT_RUN if (DEFAULT_RUN / ENCODER_FILE).is_file() else None


def _tell(report: IndexReport, gallery: Path, *, dry_run: bool) -> None:
    """What a person should know beside the figures."""
    for note in report.notes:
        click.echo(note, err=True)
    for skip in report.reasons[:REASONS_TOLD]:
        click.echo(f"skipped {skip.files:,}: {readable(skip.reason)}", err=True)
    if len(report.reasons) > REASONS_TOLD:
        more = counted(len(report.reasons) - REASONS_TOLD, "more reason")
        click.echo(f"and {more}", err=True)
    if dry_run and report.embedded:
        click.echo("new files were not decoded: some may turn out to be no photos", err=True)
    if report.reasons and not dry_run:
        click.echo(f"`ssl-index info {quoted(gallery)} --skipped` lists each file", err=True)


def _counted(report: IndexReport) -> str:
    figures = asdict(report)
    parts = [f"{figures[name]:,} {name}" for name in _COUNTS[1:] if figures[name]]
    return f"{counted(report.seen, 'file')} seen: {', '.join(parts)}"


def _summary(report: IndexReport, gallery: Path) -> str:
    rate = f" ({report.photos_per_second:,.1f} photos/s embedded)" if report.embedded else ""
    return (
        f"{_counted(report)}; took {duration(report.seconds)}{rate}\n"
        f"Next: `ssl-app {quoted(gallery)}` or `ssl-index search {quoted(gallery)} IMAGE`"
    )


def _report_json(report: IndexReport) -> str:
    figures = asdict(report)
    seconds = round(report.seconds, 3)
    return json.dumps({**{name: figures[name] for name in _COUNTS}, "seconds": seconds})
