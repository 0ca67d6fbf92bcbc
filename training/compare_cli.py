"""ssl-train compare: let the owner of the photos judge, blind."""

from pathlib import Path

import click

from training.comparison import GALLERY, QUERIES, CompareRequest, compare, compare_page
from training.console import ConsoleProgress, readable, stop_on_interrupt
from training.files import atomic_write, check_output

PATH = click.Path(path_type=Path)


@click.command("compare", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("run_a", type=PATH)
@click.argument("run_b", type=PATH, required=False)
@click.option(
    "-o",
    "--out",
    type=PATH,
    default=Path("compare.html"),
    show_default=True,
    help="The page to write.",
)
@click.option("--photos", type=PATH, help="Photos to search; by default those of RUN_A.")
@click.option(
    "--queries",
    type=click.IntRange(1, 500),
    default=QUERIES,
    show_default=True,
    metavar="N",
    help="Questions to ask.",
)
@click.option(
    "--gallery",
    type=click.IntRange(20, 20_000),
    default=GALLERY,
    show_default=True,
    metavar="N",
    help="Photos to search among, drawn evenly.",
)
@click.option(
    "--seed", type=click.IntRange(0, 2**31 - 1), default=0, metavar="N",
    help="Draws queries and sides.  [default: 0]",
)  # fmt: skip
def command(
    run_a: Path,
    run_b: Path | None,
    *,
    out: Path,
    photos: Path | None,
    queries: int,
    gallery: int,
    seed: int,
) -> None:
    r"""Let your own eyes decide: a page that shows what two encoders find, without names.

    RUN_A and RUN_B are runs, or .safetensors files of runs; RUN_A alone compares the weights it
    started from with those it exports. Open the page, click the better result for every query
    (or use the arrow keys), and at the end a sign test tells whether there is a difference.

    \b
    Examples:
      ssl-train compare run
      ssl-train compare run-a run-b --queries 50
      ssl-train compare run/start.safetensors run/trained.safetensors
    """
    check_output(out)
    request = CompareRequest(run_a, run_b, photos, queries, gallery, seed)
    with ConsoleProgress() as progress, stop_on_interrupt() as stop:
        comparison = compare(request, progress=progress, stop=stop)
        progress.say(f"{len(comparison.questions)} questions; drawing the page ...")
        atomic_write(out, compare_page(comparison).encode())
    click.echo(readable(str(out)))
