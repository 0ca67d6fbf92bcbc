import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.config import TrainConfig, config_from_json, parse_budget, read_config_file
from training.errors import ConfigError

ASKED_NOTHING = TrainConfig(Path("p"))
ASKED = TrainConfig(
    Path("photos"), Path("out"), method="byol", epochs=7, lr=0.01, cache=Path("cache"), seed=3
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("60s", 60), ("20m", 1200), ("2h", 7200), ("1.5h", 5400), ("1h30m", 5400), (" 90S ", 90)],
)
def test_a_budget_is_written_as_people_write_times(text: str, seconds: float) -> None:
    assert parse_budget(text) == seconds


@pytest.mark.parametrize("text", ["", "20", "m", "20x", "20m!", "-5m", "m20"])
def test_what_is_no_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_budget(text)

    assert "20m" in caught.value.hint


def test_a_config_survives_json() -> None:
    assert config_from_json(ASKED.to_json()) == ASKED


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("method", "dino"),
        ("device", "tpu"),
        ("image_size", 8),
        ("epochs", 0),
        ("interpolate", 1.5),
        ("batch_size", 1),
        ("lr", float("nan")),
        ("freeze", -0.1),
        ("optimizer", "adam"),
        ("views", "upside-down"),
        ("layer_decay", 0.0),
        ("ema", 1.0),
        ("strength", 2.1),
        ("crop_min", 0.0),
        ("temperature", 0.0),
        ("tau", 1.1),
        ("projection_dim", 1),
        ("hidden_dim", 1),
        ("weight_decay", -1.0),
        ("warmup", 1.1),
    ],
)
def test_a_value_out_of_range_is_named_with_what_was_expected(field: str, value: object) -> None:
    with pytest.raises(ConfigError) as caught:
        config_from_json({"photos": "p", field: value})

    assert field.replace("_", "-") in caught.value.message
    assert "expected" in caught.value.message


def test_epochs_and_budget_together_are_refused() -> None:
    with pytest.raises(ConfigError, match="both"):
        TrainConfig(Path("p"), epochs=3, budget_seconds=60)


def test_labels_and_a_method_that_has_no_use_for_them_are_refused() -> None:
    with pytest.raises(ConfigError, match="learns without labels"):
        TrainConfig(Path("p"), method="byol", labels=Path("l.csv"))


def test_a_toml_file_can_set_every_knob(tmp_path: Path) -> None:
    wanted = TrainConfig(
        Path("p"), method="supcon", labels=Path("l.csv"), optimizer="lars", weight_decay=0.01,
        warmup=0.1, layer_decay=0.8, ema=0.999, views="colour-matters", strength=0.7, crop_min=0.4,
        temperature=0.07, tau=0.996, projection_dim=64, hidden_dim=512,
    )  # fmt: skip
    known = {k: v for k, v in wanted.to_json().items() if v != getattr(ASKED_NOTHING, k)}
    lines = [f"{k.replace('_', '-')} = {json.dumps(v)}" for k, v in known.items()]
    file = tmp_path / "run.toml"
    file.write_text("\n".join(lines))

    assert TrainConfig(**read_config_file(file)) == wanted


def test_a_toml_file_sets_options_by_their_long_names(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text('method = "simclr"\nimage-size = 64\nbudget = "20m"\nlr = 1\ncache = "c"\n')

    assert read_config_file(file) == {
        "method": "simclr",
        "image_size": 64,
        "budget_seconds": 1200.0,
        "lr": 1.0,
        "cache": Path("c"),
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("colour = 1", "colour"),
        ("epochs = 'many'", "epochs"),
        ("epochs = true", "epochs"),
        ("epochs =", "TOML"),
        ("image-size = 3.5", "image_size"),
    ],
)
def test_a_bad_toml_file_is_refused_with_its_name(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "run.toml"
    file.write_text(text)

    with pytest.raises(ConfigError) as caught:
        read_config_file(file)

    assert "run.toml" in caught.value.message
    assert words in caught.value.message


def test_a_missing_toml_file_is_an_error_and_no_traceback(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml"):
        read_config_file(tmp_path / "none.toml")


@given(st.integers(1, 10_000), st.sampled_from("smh"))
def test_any_whole_time_is_read(number: int, unit: str) -> None:
    assert parse_budget(f"{number}{unit}") == number * {"s": 1, "m": 60, "h": 3600}[unit]
