"""`ssl-index export` and `ssl-index doctor`: a gallery for other programs; a machine's health."""

from dataclasses import asdict
from pathlib import Path

import click

from indexer.commands.shared import (
    FOLDER,
    chosen_filter,
    gallery_argument,
    json_option,
    narrowing_options,
    photos_option,
    print_json,
    print_table,
)
from indexer.doctor import Finding, examine
from indexer.filters import Filter
from indexer.gallery import Gallery
from indexer.tables import read_table, write_table
from indexer.wording import shown
from training.errors import ConfigError, GalleryError
from training.wording import counted


@click.command("export")
@gallery_argument
@click.option(
    "-o",
    "--out",
    type=FOLDER,
    required=True,
    metavar="FILE",
    help="Where to write: the name ends in .parquet, .npz or .csv.",
)
@narrowing_options
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@click.option("--dry-run", is_flag=True, help="Say what would be written, and write nothing.")
@photos_option
@json_option
def export_command(
    *,
    gallery: Path,
    out: Path,
    folder: str | None,
    conditions: tuple[str, ...],
    force: bool,
    dry_run: bool,
    photos: Path | None,
    as_json: bool,
) -> None:
    """Write the photos of GALLERY with ids, paths, facts, labels and embeddings to one file."""
    wanted = chosen_filter(folder, conditions)
    if out.exists() and not force:
        raise ConfigError(f"{shown(out)} exists", hint="choose another name, or add --force")
    opened = Gallery.open(gallery, photos=photos, device="cpu")
    table = read_table(opened, among=None if wanted == Filter() else opened.select(wanted))
    if not dry_run:
        write_table(table, out)
    report = {"file": str(out), "photos": len(table.paths), "dim": int(table.rows.shape[1])}
    if as_json:
        print_json(report)
    else:
        done = "would write" if dry_run else "wrote"
        photos_of = f"{counted(len(table.paths), 'photo')} of {report['dim']} numbers"
        click.echo(f"{done} {photos_of} to {shown(out)}")


@click.command("doctor")
@click.argument("gallery", type=FOLDER, required=False)
@json_option
def doctor_command(*, gallery: Path | None, as_json: bool) -> None:
    """Look at libraries, photo formats, GPU, memory and disk; and at GALLERY, if one is named."""
    findings = examine(gallery)
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        print_table(("what", "found", "what to do"), [_row(finding) for finding in findings])
    serious = [finding for finding in findings if finding.serious]
    if serious:
        raise GalleryError(
            f"{serious[0].what}: {serious[0].found}", hint=serious[0].advice or "see the list"
        )


def _row(finding: Finding) -> tuple[object, ...]:
    return finding.what, finding.found, finding.advice or "-"
