"""ssl-train report: a finished run as one HTML page."""

from pathlib import Path

import click

from training.console import ConsoleProgress, readable, stop_on_interrupt
from training.files import atomic_write
from training.report import write_curves
from training.report_content import SAMPLE, ReportRequest, gather
from training.report_page import report_page
from training.report_pictures import MAP_FILE, NEIGHBOURS_FILE, write_maps, write_neighbours

REPORT_PAGE = "report.html"

FOLDER = click.Path(path_type=Path)


@click.command("report", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("run", type=FOLDER)
@click.option("--photos", type=FOLDER, help="Where the photos are, if they moved.")
@click.option(
    "--labelled", type=FOLDER, help="Look at these photos instead; their folders are classes."
)
@click.option(
    "--sample",
    type=click.IntRange(2, 5000),
    default=SAMPLE,
    show_default=True,
    metavar="N",
    help="Photos to look at, drawn evenly.",
)
def command(run: Path, photos: Path | None, labelled: Path | None, sample: int) -> None:
    r"""Write the report of a RUN: one HTML page that needs nothing else, and its pictures.

    The verdict, the figures and curves, the nearest photos and a map of the embeddings before and
    after training (beside the supervised baseline where `ssl-train eval` trained one), what
    training saw, the plan and the skipped files. Everything is written into the run's folder.

    \b
    Examples:
      ssl-train report run
      ssl-train report run --labelled labelled/
    """
    request = ReportRequest(run, photos, labelled, sample)
    with ConsoleProgress() as progress, stop_on_interrupt() as stop:
        content = gather(request, progress=progress, stop=stop)
        page = report_page(content)
    write_curves(run)
    if content.look is not None:
        write_neighbours(content.look, run / NEIGHBOURS_FILE)
        write_maps(content.look, run / MAP_FILE)
    atomic_write(run / REPORT_PAGE, page.encode())
    click.echo(readable(str(run / REPORT_PAGE)))
