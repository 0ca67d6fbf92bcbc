"""What the commands of ssl-label share: options, shots, the telling of problems."""

from collections.abc import Iterable
from pathlib import Path

import click

from app.answers import Shots, shots_of
from app.fewshot.rejection import DEFAULT_SETTING
from app.imports import read_csv
from indexer.folder import GalleryFolder
from indexer.gallery import Gallery
from indexer.labels import Label, Labels

# Problems told on stderr; `--json` has them all.
PROBLEMS_TOLD = 20

SETTING = click.option(
    "--rejection",
    "setting",
    type=click.FloatRange(0, 1),
    default=DEFAULT_SETTING,
    show_default=True,
    help="From 0 (strict: answers only what is sure) to 1 (complete: always answers).",
)


def shots_for(gallery: Gallery, file: Path | None) -> Shots:
    """The gallery's labels, or those of a CSV, which are not stored."""
    catalogue = GalleryFolder(gallery.info().folder).catalogue
    ids, rows = gallery.embeddings()
    if file is None:
        return shots_of(ids, rows, Labels(catalogue).current())
    found = read_csv(file, catalogue, photo_root=gallery.photo_root)
    tell_problems(map(str, found.problems))
    labels = {
        new.photo_id: Label(new.photo_id, new.name, new.source, "", "", 0)
        for new in found.labels
        if new.name is not None
    }
    return shots_of(ids, rows, labels)


def tell_problems(problems: Iterable[str]) -> None:
    """Tell on stderr what gave no label."""
    every = list(problems)
    for problem in every[:PROBLEMS_TOLD]:
        click.echo(problem, err=True)
    if len(every) > PROBLEMS_TOLD:
        rest = len(every) - PROBLEMS_TOLD
        click.echo(f"and {rest:,} more that gave no label; --json lists them all", err=True)
