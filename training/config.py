"""What a user may ask of a training run: every knob, its default, its range and the reason.

None means automatic: `training.plan` chooses and says why.
"""

import math
import re
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_args

from training.errors import ConfigError

METHODS = ("auto", "simclr", "byol", "supcon")
DEVICES = ("auto", "cpu", "cuda")
OPTIMIZERS = ("adamw", "sgd", "lars")
EXPORTS = ("start", "trained", "interpolated", "pair")
EXPORT_CHOICES = ("auto", *EXPORTS)
VIEWS = ("everyday", "any-orientation", "colour-matters", "no-mirror", "shapes")

_BUDGET = re.compile(r"(\d+(?:\.\d+)?)\s*([smh])")
_UNIT_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True)
class TrainConfig:
    """One training run as asked for."""

    photos: Path
    out: Path = Path("run")
    # BYOL needs no negatives, so bursts of near-duplicates do not hurt it: small collections.
    method: str = "auto"
    # Path and label of photos, for supcon; None: the class folders.
    labels: Path | None = None
    # mobilenet_v2 on a CPU, resnet50 on a GPU.
    backbone: str = "auto"
    # auto, imagenet, random, or a file. On small collections the start decides the quality.
    init: str = "auto"
    # Pixels of a training view: 96 on a CPU, 224 on a GPU, the photos' own size below that.
    image_size: int | None = None
    # Pixels of a photo when it is embedded; larger than the views where that measured better.
    embed_size: int | None = None
    epochs: int | None = None
    budget_seconds: float | None = None
    # Weight of the trained network against the start in the exported one (arXiv 2109.01903).
    interpolate: float | None = None
    # Which weights are exported: one of EXPORTS, or what is known to search best.
    export: str = "auto"
    batch_size: int | None = None
    lr: float | None = None
    # lars for batches of many hundreds from random weights.
    optimizer: str = "adamw"
    weight_decay: float | None = None
    # Share of the run that the learning rate rises.
    warmup: float | None = None
    # Fraction of the backbone's blocks, from the input, that keep their starting weights.
    freeze: float | None = None
    # Each block's learning rate over that of the block after it.
    layer_decay: float | None = None
    # Momentum of an average of the weights over the run, which is then what was trained.
    ema: float | None = None
    # Keep the weights of every measurement.
    snapshots: bool = False
    # What may change without changing what a photo means; see recipes.suited.
    views: str = "everyday"
    # Of the colour jitter, 1 as SimCLR has it on ImageNet.
    strength: float | None = None
    # Smallest share of a photo's area that a view may show.
    crop_min: float | None = None
    # Of SimCLR and SupCon.
    temperature: float | None = None
    # Momentum of BYOL's target at the start.
    tau: float | None = None
    # Widths of what the loss compares, and of the hidden layers before it.
    projection_dim: int | None = None
    hidden_dim: int | None = None
    device: str = "auto"
    seed: int = 0
    # Where decoded photos are kept between runs; None: the user's cache folder.
    cache: Path | None = None
    offline: bool = False

    def __post_init__(self) -> None:
        _require(self.method in METHODS, "method", self.method, f"one of {', '.join(METHODS)}")
        _require(self.device in DEVICES, "device", self.device, f"one of {', '.join(DEVICES)}")
        kinds = ", ".join(OPTIMIZERS)
        _require(self.optimizer in OPTIMIZERS, "optimizer", self.optimizer, f"one of {kinds}")
        exports = ", ".join(EXPORT_CHOICES)
        _require(self.export in EXPORT_CHOICES, "export", self.export, f"one of {exports}")
        _require(self.views in VIEWS, "views", self.views, f"one of {', '.join(VIEWS)}")
        _check_range("image-size", self.image_size, 16, 1024)
        _check_range("embed-size", self.embed_size, 16, 1024)
        _check_range("epochs", self.epochs, 1, 100_000)
        _check_range("budget", self.budget_seconds, 1, 30 * 24 * 3600)
        _check_range("interpolate", self.interpolate, 0, 1)
        _check_range("batch-size", self.batch_size, 2, 65_536)
        _check_range("lr", self.lr, 1e-7, 100)
        _check_range("weight-decay", self.weight_decay, 0, 1)
        _check_range("warmup", self.warmup, 0, 1)
        _check_range("freeze", self.freeze, 0, 1)
        _check_range("layer-decay", self.layer_decay, 0.01, 1)
        _check_range("ema", self.ema, 0, 0.99999)
        _check_range("strength", self.strength, 0, 2)
        _check_range("crop-min", self.crop_min, 0.01, 1)
        _check_range("temperature", self.temperature, 0.01, 10)
        _check_range("tau", self.tau, 0, 1)
        _check_range("projection-dim", self.projection_dim, 2, 8192)
        _check_range("hidden-dim", self.hidden_dim, 2, 16_384)
        _check_range("seed", self.seed, 0, 2**31 - 1)
        if self.epochs is not None and self.budget_seconds is not None:
            raise ConfigError("--epochs and --budget were both given", hint="give one of the two")
        if self.labels is not None and self.method not in ("auto", "supcon"):
            raise ConfigError(
                f"--labels was given, and --method {self.method} learns without labels",
                hint="use --method supcon, or leave --labels out",
            )

    def to_json(self) -> dict[str, Any]:
        """Plain values, paths as text."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {k: str(v) if isinstance(v, Path) else v for k, v in values.items()}


def parse_budget(text: str) -> float:
    """Seconds of a time budget like `90s`, `20m`, `1.5h` or `1h30m`.

    Raises:
        ConfigError: it is not such a text.
    """
    compact = text.strip().lower()
    parts = _BUDGET.findall(compact)
    if not parts or _BUDGET.sub("", compact).strip():
        raise ConfigError(f"--budget {text!r} is not a time", hint="write it as 60s, 20m or 2h")
    return sum(float(number) * _UNIT_SECONDS[unit] for number, unit in parts)


def config_from_json(values: dict[str, Any]) -> TrainConfig:
    """The config that `to_json` wrote.

    Raises:
        ConfigError: a key is unknown or a value has the wrong type.
    """
    known = {field.name: field for field in fields(TrainConfig)}
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ConfigError(
            f"unknown option {unknown[0]!r}", hint="known options: " + ", ".join(sorted(known))
        )
    return TrainConfig(**{name: _typed(known[name], value) for name, value in values.items()})


def read_config_file(path: Path) -> dict[str, Any]:
    """What a TOML file asks for, by the names of `TrainConfig`; its keys are the long options.

    Raises:
        ConfigError: the file is missing, no TOML, or holds what is no option.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from None
    named = {key.replace("-", "_"): value for key, value in values.items()}
    if "budget" in named:
        named["budget_seconds"] = parse_budget(str(named.pop("budget")))
    try:
        parsed = config_from_json({"photos": "", **named})
    except ConfigError as error:
        raise ConfigError(f"{path}: {error.message}", hint=error.hint) from None
    return {name: getattr(parsed, name) for name in named}


def _typed(field: Any, value: Any) -> Any:
    """`value` as the field's type: text to a path, whole numbers to floats where wanted."""
    allowed = get_args(field.type) or (field.type,)
    if Path in allowed and isinstance(value, str):
        return Path(value)
    if float in allowed and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) in allowed:
        return value
    names = " or ".join(getattr(kind, "__name__", str(kind)) for kind in allowed)
    raise ConfigError(f"{field.name} is {value!r}, expected {names}")


def _check_range(name: str, value: float | None, low: float, high: float) -> None:
    inside = value is None or (math.isfinite(value) and low <= value <= high)
    _require(inside, name, value, f"a number from {low:g} to {high:g}")


def _require(holds: bool, name: str, value: object, expected: str) -> None:
    if not holds:
        raise ConfigError(f"--{name} is {value!r}, expected {expected}")
