"""ssl-label: labels and classifiers without a browser."""

import getpass
import json
from collections.abc import Callable, Sequence
from os import fsdecode
from pathlib import Path
from typing import NoReturn

import click

from app.exports.coco import as_coco
from app.exports.image_folder import FolderReport, HowToCopy, write_image_folder
from app.exports.labelled import LabelledPhoto, labelled_photos
from app.exports.tables import as_csv, as_json_lines
from app.exports.xmp import write_sidecars
from app.fitting import export, fit
from app.imports import FoundLabels, read_class_folders, read_csv, store
from app.label_options import (
    SETTING,
    shots_for,
    tell_problems,
)
from app.label_report import (
    import_json,
    import_text,
    quality_facts,
    quality_text,
    stats_facts,
    stats_text,
)
from app.predict_command import predict_command
from indexer.catalogue import Catalogue
from indexer.commands.shared import FOLDER, device_option, gallery_argument, photos_option
from indexer.folder import GalleryFolder
from indexer.gallery import Gallery, describe
from indexer.labels import Labels
from indexer.wording import shown
from training.console import ConsoleProgress, run_command, stop_on_interrupt
from training.errors import ConfigError
from training.files import atomic_write
from training.wording import counted

_JSON = click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="lookalike")
def cli() -> None:
    """Label photos, and learn a classifier from the labels."""


@cli.command("fit")
@gallery_argument
@click.option(
    "--shots",
    metavar="FILE.csv",
    type=FOLDER,
    help="Learn from these labels (path,label) instead of the gallery's own.",
)
@click.option(
    "-o",
    "--out",
    metavar="FILE.onnx",
    type=FOLDER,
    default=Path("classifier.onnx"),
    show_default=True,
    help="The classifier to write.",
)
@SETTING
@photos_option
@device_option
@_JSON
def fit_command(
    *,
    gallery: Path,
    shots: Path | None,
    out: Path,
    setting: float,
    photos: Path | None,
    device: str,
    as_json: bool,
) -> None:
    """Learn a classifier from labels, judge it, and write it as one ONNX file."""
    opened = Gallery.open(gallery, photos=photos, device=device)
    with stop_on_interrupt() as stop:
        fitted = fit(opened, shots_for(opened, shots), stop=stop)
    report = export(fitted, opened, out, setting=setting)
    if as_json:
        facts = {
            **quality_facts(fitted, setting=setting),
            "file": str(report.path),
            "sha256": report.sha256,
            "size_bytes": report.size_bytes,
            "parity": report.parity,
        }
        click.echo(json.dumps(facts))
    else:
        click.echo(quality_text(fitted, setting=setting))
        click.echo(
            f"wrote {shown(out)}: {report.size_bytes / 1e6:,.1f} MB, agrees with encoder and head "
            f"to within {report.parity:.0e}"
        )


@cli.command("export")
@gallery_argument
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "jsonl", "coco", "imagefolder", "xmp"]),
    default="csv",
    show_default=True,
    help="imagefolder and xmp write a new folder, the others a file.",
)
@click.option(
    "-o",
    "--out",
    metavar="PATH",
    type=FOLDER,
    help="The file to write, or the folder to make.  [default: stdout for files]",
)
@click.option("--copy", is_flag=True, help="imagefolder: copy the photos instead of linking them.")
@click.option(
    "--with-location", is_flag=True, help="imagefolder: let copies keep the GPS position."
)
@photos_option
def export_command(
    gallery: Path,
    form: str,
    out: Path | None,
    copy: bool,
    with_location: bool,
    photos: Path | None,
) -> None:
    """Write the labels of GALLERY for other programs."""
    labelled = labelled_photos(_catalogue(gallery))
    tables: dict[str, Callable[[Sequence[LabelledPhoto]], bytes]] = {
        "csv": as_csv,
        "jsonl": as_json_lines,
        "coco": as_coco,
    }
    if form in tables:
        _write(tables[form](labelled), out)
        click.echo(f"exported {counted(len(labelled), 'labelled photo')}", err=True)
        return
    if out is None:
        raise ConfigError(f"--format {form} makes a folder", hint="name it with -o FOLDER")
    root = photos or describe(gallery).photo_root
    if form == "xmp":
        written = write_sidecars(labelled, root, out)
        click.echo(f"wrote {counted(written, 'sidecar')} to {shown(out)}", err=True)
        return
    how = HowToCopy(copy=copy, keep_location=with_location)
    _tell_folder(write_image_folder(labelled, root, out, how), out)


@cli.command("import")
@gallery_argument
@click.argument("labels", metavar="FILE.csv|FOLDER", type=FOLDER)
@click.option("--who", metavar="NAME", help="Whose labels they are.  [default: your user name]")
@_JSON
def import_command(gallery: Path, labels: Path, who: str | None, as_json: bool) -> None:
    """Take labels into GALLERY from a CSV (path,label) or from folders named like classes."""
    catalogue = _catalogue(gallery)
    report = store(_found(gallery, labels), Labels(catalogue), who=who or _user())
    tell_problems(map(str, report.problems))
    click.echo(import_json(report) if as_json else import_text(report))


@cli.command("stats")
@gallery_argument
@_JSON
def stats_command(gallery: Path, as_json: bool) -> None:
    """Say how many labels GALLERY has: of each class, by whom, and how they came about."""
    catalogue = _catalogue(gallery)
    facts = stats_facts(Labels(catalogue), photos=describe(gallery).distinct)
    click.echo(json.dumps(facts) if as_json else stats_text(facts))


cli.add_command(predict_command)


def main() -> NoReturn:
    """The `ssl-label` command."""
    run_command(cli, name="ssl-label")


def _catalogue(gallery: Path) -> Path:
    """The gallery's catalogue, of this version."""
    folder = GalleryFolder(gallery)
    folder.check()
    return Catalogue.open(folder.catalogue).path


def _write(data: bytes, out: Path | None) -> None:
    if out is None:
        click.echo(data, nl=False)
    else:
        atomic_write(out, data)


def _found(gallery: Path, labels: Path) -> FoundLabels:
    catalogue = GalleryFolder(gallery).catalogue
    if not labels.is_dir():
        return read_csv(labels, catalogue, photo_root=describe(gallery).photo_root)
    with ConsoleProgress() as progress, stop_on_interrupt() as stop:
        return read_class_folders(labels, catalogue, progress=progress, stop=stop)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a process without a user's name, as in a container
        return "command line"


def _tell_folder(report: FolderReport, out: Path) -> None:
    tell_problems(f"{shown(fsdecode(s.path))}: {s.reason}" for s in report.skipped)
    skipped = f", {len(report.skipped):,} skipped" if report.skipped else ""
    click.echo(f"wrote {counted(report.written, 'photo')} to {shown(out)}{skipped}", err=True)
