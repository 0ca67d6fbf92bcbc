"""ssl-label predict: what a classifier says of photos, as a table or as JSON lines."""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import click

from app.classifier import Classifier
from app.fitting import fit
from app.label_options import SETTING, shots_for
from app.predicting import (
    Classifies,
    GalleryClassifier,
    Prediction,
    as_csv,
    as_json_lines,
    predict_files,
    predict_gallery,
)
from indexer.commands.shared import FOLDER, device_option, photos_option
from indexer.gallery import Gallery
from indexer.wording import shown
from training.console import ConsoleProgress, stop_on_interrupt
from training.errors import ConfigError
from training.files import atomic_write
from training.wording import counted, quoted

# Predictions written at a time.
_AT_A_TIME = 256


@click.command("predict")
@click.argument("source", metavar="CLASSIFIER.onnx|GALLERY", type=FOLDER)
@click.argument("folders", metavar="[FOLDER]...", type=FOLDER, nargs=-1)
@click.option(
    "-o", "--out", metavar="FILE", type=FOLDER, help="Write to this file instead of stdout."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "jsonl"]),
    default="csv",
    show_default=True,
    help="A table, or one JSON object a line.",
)
@SETTING
@photos_option
@device_option
def predict_command(
    *,
    source: Path,
    folders: tuple[Path, ...],
    out: Path | None,
    form: str,
    setting: float,
    photos: Path | None,
    device: str,
) -> None:
    """Say what photos are: those in FOLDERs or, without any, all of GALLERY's."""
    predictions = _predictions(source, folders, setting=setting, photos=photos, device=device)
    counts = _write_predictions(predictions, out, form)
    told = ", ".join(f"{count:,} {name}" for name, count in counts.most_common())
    click.echo(f"{counted(counts.total(), 'file')}: {told}", err=True)


def _predictions(
    source: Path, folders: tuple[Path, ...], *, setting: float, photos: Path | None, device: str
) -> Iterable[Prediction]:
    if source.is_dir():
        gallery = Gallery.open(source, photos=photos, device=device)
        fitted = fit(gallery, shots_for(gallery, None))
        own = GalleryClassifier(gallery, fitted, setting=setting)
        return _on_files(own, folders) if folders else predict_gallery(gallery, own)
    classifier = Classifier.open(source, device=device)
    if classifier.warning:
        click.echo(classifier.warning, err=True)
    if not folders:
        raise ConfigError(
            f"{shown(source)} is a classifier, which has no photos of its own",
            hint=f"`ssl-label predict {quoted(source)} FOLDER`",
        )
    return _on_files(classifier, folders)


def _on_files(classifier: Classifies, folders: tuple[Path, ...]) -> Iterator[Prediction]:
    with ConsoleProgress() as progress, stop_on_interrupt() as stop:
        yield from predict_files(classifier, folders, progress=progress, stop=stop)


def _write_predictions(
    predictions: Iterable[Prediction], out: Path | None, form: str
) -> Counter[str]:
    """Write as they come to stdout, or whole to a file; count the labels."""
    counts: Counter[str] = Counter()
    everything = iter(predictions)
    parts = []
    while part := list(islice(everything, _AT_A_TIME)):
        header = not counts
        counts.update(p.label or "skipped" for p in part)
        as_lines = form == "jsonl"
        data = as_json_lines(part) if as_lines else as_csv(part, header=header)
        if out is None:
            click.echo(data, nl=False)
        else:
            parts.append(data)
    if out is not None:
        atomic_write(out, b"".join(parts))
    return counts
