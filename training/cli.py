"""ssl-train: learn an encoder from unlabelled photos."""

import json
from pathlib import Path
from typing import Any, NoReturn

import click

from training.allocator import keep_freed_memory
from training.compare_cli import command as compare_command
from training.config import DEVICES, EXPORT_CHOICES, TrainConfig, parse_budget, read_config_file
from training.console import ConsoleProgress, readable, run_command, stop_on_interrupt
from training.dispatch import DefaultCommand
from training.distributed import joined, restarted
from training.engine import pretrain
from training.eval_cli import command as eval_command
from training.finish import RunReport
from training.options import FOLDER, given, learning_options, view_options
from training.prepare import Surroundings, cache_root
from training.preview_cli import command as preview_command
from training.progress import Silent
from training.report_cli import command as report_command
from training.resuming import check_asked
from training.runs import CONFIG_FILE, open_run
from training.wording import counted, quoted


@click.command(cls=DefaultCommand, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("photos", type=FOLDER)
@click.option(
    "-o",
    "--out",
    type=FOLDER,
    help="Folder for the run: encoder, metrics, pictures.  [default: run]",
)
@view_options
@learning_options
@click.option(
    "--backbone",
    metavar="NAME",
    help="A torchvision network: resnet18, mobilenet_v2, convnext_tiny, ...  [default: auto]",
)
@click.option(
    "--init",
    metavar="auto|imagenet|random|FILE",
    help="Starting weights; FILE is a run folder, .safetensors or torchvision .pth.  "
    "[default: auto]",
)
@click.option("--embed-size", type=int, metavar="PX", help="Side of a photo when it is searched.")
@click.option("--epochs", type=int, metavar="N", help="Passes over the photos.")
@click.option(
    "--budget",
    metavar="TIME",
    help="Plan the run to end in this time, as 60s, 20m or 2h; instead of --epochs.",
)
@click.option(
    "--interpolate",
    type=float,
    metavar="W",
    help="Export weights at W of the way from the start (0) to the trained (1).",
)
@click.option(
    "--export",
    type=click.Choice(EXPORT_CHOICES),
    help="Which weights to search with: the pair is the start and the interpolated side by side.  "
    "[default: auto]",
)
@click.option("--device", type=click.Choice(DEVICES), help="Where to train.  [default: auto]")
@click.option("--cache", type=FOLDER, help="Folder for decoded photos, reused between runs.")
@click.option("--offline", is_flag=True, help="Never fetch weights from the network.")
@click.option(
    "--config",
    "config_file",
    type=FOLDER,
    help="TOML file with these options; the command line goes before it.",
)
@click.option("--resume", is_flag=True, help="Go on with the run in --out.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.version_option(package_name="lookalike")
def cli(
    photos: Path,
    budget: str | None,
    config_file: Path | None,
    resume: bool,
    as_json: bool,
    **options: Any,
) -> None:
    r"""Learn an encoder from the photos in the folder PHOTOS.

    With no options, sensible values are picked for this machine and this many photos, and the
    plan is printed with its reasons before training starts. Ctrl-C stops after the step in
    flight; --resume goes on from there.

    \b
    Examples:
      ssl-train photos/
      ssl-train photos/ --budget 20m -o run-20m
      ssl-train photos/ --method simclr --init random --image-size 64 --epochs 200
    """
    asked = _asked(budget, config_file, options)
    config = TrainConfig(**{**asked, "photos": photos})
    if resume:
        check_asked(open_run(config.out)[1], asked)
    with joined() as here, ConsoleProgress() as console, stop_on_interrupt() as stop:
        around = Surroundings(console if here.leads else Silent(), stop, cache_root())
        # Started again by torchrun, with the options of the first time.
        resume = resume or (restarted() and (config.out / CONFIG_FILE).exists())
        report = pretrain(config, around, resume=resume)
        if here.leads:
            show(report, as_json=as_json)


cli.add_command(preview_command)
cli.add_command(eval_command)
cli.add_command(report_command)
cli.add_command(compare_command)


def main() -> NoReturn:
    """Run ssl-train as a process: training, or the command that the first word names."""
    keep_freed_memory()
    run_command(cli, name="ssl-train")


def show(report: RunReport, *, as_json: bool) -> None:
    """The report on stdout."""
    if as_json:
        click.echo(json.dumps(report.to_json()))
        return
    click.echo(
        f"{report.verdict}\n"
        f"Exported: the {report.exported} weights ({report.why}).\n"
        f"Run: {readable(report.run)}  ({report.photos:,} photos, {report.epochs:g} epochs, "
        f"{counted(report.skipped, 'file')} skipped"
        + (", see skipped.csv" if report.skipped else "")
        + ")\n"
        f"Next: ssl-index build PHOTOS --encoder {quoted(report.run)}"
    )


def _asked(budget: str | None, config_file: Path | None, options: dict[str, Any]) -> dict[str, Any]:
    """What the command line asks for, then what the file does, by the names of `TrainConfig`."""
    typed = given(options)
    if budget is not None:
        typed["budget_seconds"] = parse_budget(budget)
    filed = read_config_file(config_file) if config_file else {}
    if typed.keys() & {"epochs", "budget_seconds"}:  # one takes the place of the other too
        filed = {name: v for name, v in filed.items() if name not in ("epochs", "budget_seconds")}
    return {**filed, **typed}
