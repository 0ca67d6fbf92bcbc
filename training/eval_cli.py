"""ssl-train eval: judge a run by labelled photos."""

import json
from pathlib import Path

import click
import torch

from training.config import DEVICES
from training.console import ConsoleProgress, readable, stop_on_interrupt
from training.errors import ConfigError
from training.eval_report import FINETUNE, JUDGEMENTS, EvalReport, EvalRequest, Result
from training.evaluation import evaluate
from training.finetune import EPOCHS
from training.prepare import Surroundings, cache_root
from training.wording import counted

FIGURES = {
    "knn": "k-NN",
    "precision_at_10": "P@10",
    "mean_average_precision": "mAP",
    "linear": "linear probe",
    "finetune": "trained on labels",
}


@click.command("eval", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("labelled", type=click.Path(path_type=Path))
@click.option(
    "--only",
    metavar="LIST",
    help=f"What to measure, of {','.join(JUDGEMENTS)}.  [default: all]",
)
@click.option(
    "--epochs",
    type=click.IntRange(1, 10_000),
    default=EPOCHS,
    show_default=True,
    metavar="N",
    help="Of fine-tuning and of the supervised baseline.",
)
@click.option(
    "--image-size",
    type=click.IntRange(16, 1024),
    metavar="PX",
    help="One size for all.  [default: every encoder at the size it searches at; training on "
    "labels at the size of the run's views]",
)
@click.option("--device", type=click.Choice(DEVICES), default="auto", help="Where to compute.")
@click.option(
    "--seed", type=click.IntRange(0, 2**31 - 1), default=0, metavar="N",
    help="Splits the photos and fixes the training.  [default: 0]",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def command(
    run: Path,
    labelled: Path,
    *,
    only: str | None,
    epochs: int,
    image_size: int | None,
    device: str,
    seed: int,
    as_json: bool,
) -> None:
    r"""Judge a RUN by LABELLED photos, a folder for every class.

    Of the starting, trained and exported weights: how well photos of a class find each other
    (k-NN, P@10, mAP, each photo in turn the query), and with 30 % of every class held back a
    linear probe and fine-tuning. Beside them the same network trained on the same labels from
    random weights. Ranges are 95 % bootstrap intervals.

    \b
    Examples:
      ssl-train eval run labelled/
      ssl-train eval run labelled/ --only knn,linear --json
    """
    request = EvalRequest(
        run, labelled, _judgements(only), seed, epochs, image_size, _device(device)
    )
    with ConsoleProgress() as progress, stop_on_interrupt() as stop:
        report = evaluate(request, Surroundings(progress, stop, cache_root()))
    click.echo(json.dumps(report.to_json()) if as_json else table(report))


def table(report: EvalReport) -> str:
    """The figures in per cent: a row for every set of weights, then what is clear."""
    shown = [name for name in FIGURES if any(r.figure == name for r in report.results)]
    rows = [["", *(FIGURES[name] for name in shown)]]
    for weights in dict.fromkeys(result.weights for result in report.results):
        cells = [report.find(weights, figure) for figure in shown]
        rows.append([_named(weights, report), *("" if c is None else _cell(c) for c in cells)])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join([_header(report), "", *lines, "", *_clear(report)])


def _header(report: EvalReport) -> str:
    left = f"; {report.loose} in no class folder left out" if report.loose else ""
    left += f"; {counted(report.skipped, 'file')} could not be read" if report.skipped else ""
    return (
        f"{report.photos:,} photos in {len(report.classes)} classes{left}\n"
        f"{report.train:,} to learn labels from, {report.test:,} to test by "
        f"(seed {report.request.seed}); per cent, with 95 % intervals"
    )


def _clear(report: EvalReport) -> list[str]:
    """One line a figure and weights: better or worse than the start, or not clear."""
    lines = []
    for result in report.results:
        change = result.against_start
        if change is None:
            continue
        word = "not clearly different from"
        if change.excludes_zero:
            word = "better than" if change.value > 0 else "worse than"
        reach = f"{100 * change.value:+.1f} ({100 * change.low:+.1f} to {100 * change.high:+.1f})"
        lines.append(f"{result.weights}, {FIGURES[result.figure]}: {reach}, {word} the start")
    scratch, tuned = report.find("supervised", FINETUNE), report.find("trained", FINETUNE)
    if scratch and tuned:
        lines.append(
            f"Supervised from scratch {100 * scratch.interval.value:.1f}, trained and then "
            f"fine-tuned {100 * tuned.interval.value:.1f}."
        )
    return lines


def _named(weights: str, report: EvalReport) -> str:
    sizes = {r.size for r in report.results if r.weights == weights and r.figure != FINETUNE}
    at = f", {sizes.pop()} px" if len(sizes) == 1 else ""
    exported = " (exported)" if weights == report.exported != "exported" else ""
    names = {"supervised": "supervised from scratch"}
    return names.get(weights, weights) + exported + at


def _cell(result: Result) -> str:
    shown = result.interval
    return f"{100 * shown.value:.1f} ({100 * shown.low:.1f}-{100 * shown.high:.1f})"


def _judgements(only: str | None) -> tuple[str, ...]:
    if only is None:
        return JUDGEMENTS
    asked = tuple(word.strip() for word in only.split(",") if word.strip())
    unknown = [word for word in asked if word not in JUDGEMENTS]
    if unknown or not asked:
        raise ConfigError(
            f"--only {readable(only)!r} is not a list of things to measure",
            hint=f"name some of {', '.join(JUDGEMENTS)}, as --only knn,linear",
        )
    return asked


def _device(name: str) -> str:
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise ConfigError("--device cuda: no usable GPU was found", hint="use --device cpu")
    return "cuda" if available and name != "cpu" else "cpu"
