"""What a run that goes on must find as it was: what was asked of it, and its machine."""

from collections.abc import Mapping

from training.config import TrainConfig
from training.errors import ConfigError, RunError
from training.plan import Plan
from training.wording import counted, quoted

# Both may have moved since; whether the photos are the same ones, `training.collection` says.
_PLACES = ("photos", "out")


def check_asked(begun: TrainConfig, asked: Mapping[str, object]) -> None:
    """Refuse to ask for something else of a run that was begun; the same again is welcome.

    Args:
        begun: what was asked when the run began.
        asked: what is asked of it now, by the names of `TrainConfig`.

    Raises:
        ConfigError: the two differ.
    """
    other = [n for n, value in asked.items() if n not in _PLACES and value != getattr(begun, n)]
    if other:
        before = ", ".join(_typed(name, getattr(begun, name)) for name in other)
        now = ", ".join(_typed(name, asked[name]) for name in other)
        raise ConfigError(
            f"this run began with {before}, and cannot go on with {now}",
            hint="leave these options out, on the command line and in --config, or start another "
            "run with -o",
        )


def check_machine(plan: Plan, *, has_cuda: bool, processes: int) -> None:
    """Refuse to go on where a run's plan cannot be followed.

    Raises:
        RunError: there is no GPU, and the run began on one; or the processes, of which there may
            be another number now, cannot share a batch equally.
    """
    if plan.network.device == "cuda" and not has_cuda:
        raise RunError(
            "this run began on a GPU, and no usable GPU was found",
            hint="go on where there is one, or start another run with -o",
        )
    batch = plan.batch_size
    if batch % processes:
        fitting = max(fewer for fewer in range(1, processes) if batch % fewer == 0)
        raise RunError(
            f"this run's batches of {batch} photos cannot be shared equally by {processes} "
            "processes",
            hint=f"go on with {counted(fitting, 'process', 'processes')}, or start another run "
            "with -o",
        )


def _typed(name: str, value: object) -> str:
    """An option as it is typed: `--epochs 5`, `--offline`; `no --epochs` where it is not."""
    option = "--" + name.removesuffix("_seconds").replace("_", "-")
    if value is None or value is False:
        return f"no {option}"
    if value is True:
        return option
    return f"{option} {quoted(f'{value:.15g}s' if name == 'budget_seconds' else str(value))}"
