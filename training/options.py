"""The options that say how to learn and how views are made, shared by the commands that train."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from training.config import METHODS, OPTIMIZERS, VIEWS

Command = TypeVar("Command", bound=Callable[..., Any])

FOLDER = click.Path(path_type=Path, file_okay=True)

_METHOD = (
    click.option("--method", type=click.Choice(METHODS), help="How to learn.  [default: auto]"),
)

_VIEWS = (
    click.option("--image-size", type=int, metavar="PX", help="Side of a training view."),
    click.option(
        "--views",
        type=click.Choice(VIEWS),
        help="What may change without changing the meaning: any-orientation turns views freely; "
        "colour-matters keeps hue and saturation; no-mirror keeps left and right; shapes does so "
        "too, and colour means nothing.  [default: everyday]",
    ),
    click.option(
        "--strength", type=float, metavar="S", help="Of the change of colours, 1 is strong."
    ),
    click.option(
        "--crop-min",
        type=float,
        metavar="SHARE",
        help="Smallest share of a photo's area that a view may show.",
    ),
    click.option("--seed", type=int, metavar="N", help="Fixes all that is random.  [default: 0]"),
)

_LEARNING = (
    click.option(
        "--labels",
        type=FOLDER,
        metavar="FILE",
        help="CSV with a path and a label a line, for supcon.  [default: the class folders]",
    ),
    click.option("--batch-size", type=int, metavar="N", help="Photos in a step."),
    click.option(
        "--optimizer",
        type=click.Choice(OPTIMIZERS),
        help="lars for batches of many hundreds from random weights.  [default: adamw]",
    ),
    click.option("--lr", type=float, metavar="RATE", help="Highest learning rate."),
    click.option(
        "--weight-decay", type=float, metavar="W", help="Pull of all weights towards zero."
    ),
    click.option(
        "--warmup",
        type=float,
        metavar="SHARE",
        help="Share of the run that the learning rate rises.  [default: 0.05]",
    ),
    click.option(
        "--freeze",
        type=float,
        metavar="SHARE",
        help="Share of the backbone's blocks, from the input, that do not train.",
    ),
    click.option(
        "--layer-decay",
        type=float,
        metavar="D",
        help="Learning rate of a block over that of the next one.  [default: 1]",
    ),
    click.option(
        "--ema",
        type=float,
        metavar="M",
        help="Momentum of an average of the weights, as 0.999, which then counts as the trained.",
    ),
    click.option(
        "--snapshots",
        is_flag=True,
        help="Keep the weights of all ten measurements in the run's folder snapshots.",
    ),
    click.option(
        "--temperature",
        type=float,
        metavar="T",
        help="Of SimCLR and SupCon; lower looks at the nearest negatives only.",
    ),
    click.option(
        "--tau",
        type=float,
        metavar="M",
        help="Momentum of BYOL's target at the start; it ends at 1.  [default: 0.99]",
    ),
    click.option(
        "--projection-dim", type=int, metavar="N", help="Width of what the loss compares."
    ),
    click.option(
        "--hidden-dim", type=int, metavar="N", help="Width of the layers before that, on top."
    ),
)


def view_options(command: Command) -> Command:
    """Add --method and what decides how views are made."""
    return _added(command, _METHOD + _VIEWS)


def learning_options(command: Command) -> Command:
    """Add what decides how to learn from views."""
    return _added(command, _LEARNING)


def given(options: dict[str, Any]) -> dict[str, Any]:
    """The options that were given; 0 is a value, None and an unset flag are not."""
    return {name: v for name, v in options.items() if v is not None and v is not False}


def _added(command: Command, options: tuple[Callable[[Command], Command], ...]) -> Command:
    for option in reversed(options):  # click lists the last decorator first
        command = option(command)
    return command
