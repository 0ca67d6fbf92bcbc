"""ssl-train preview: the sheet that a run would begin with, without a run."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from training.cli import cli
from training.errors import CollectionError, ConfigError


@pytest.fixture
def photos(tmp_path: Path, make_shape_folder: Callable[..., Path]) -> Path:
    folder = make_shape_folder(tmp_path / "shapes", per_class=3)
    (folder / "circle" / "a.txt").write_text("no photo")
    return folder


def run(*options: str | Path) -> Result:
    return CliRunner().invoke(cli, ["preview", *map(str, options)])


def drawn(*options: str | Path) -> np.ndarray:
    done = run(*options)
    assert done.exit_code == 0, done.output
    return np.asarray(Image.open(json.loads(done.stdout)["picture"]))


def test_the_sheet_has_a_row_a_photo_and_seven_columns(photos: Path, tmp_path: Path) -> None:
    picture = tmp_path / "views.png"

    done = run(photos, "-o", picture, "--count", "5", "--image-size", "40", "--json")

    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == {"picture": str(picture), "photos": 5}
    with Image.open(picture) as image:
        assert image.size == (7 * 44 + 4, 5 * 44 + 4)


def test_fewer_photos_than_asked_are_all_shown(photos: Path, tmp_path: Path) -> None:
    done = run(photos, "-o", tmp_path / "v.png", "--count", "50", "--json")

    assert json.loads(done.stdout)["photos"] == 12


def test_options_change_the_views_and_a_seed_repeats_them(photos: Path, tmp_path: Path) -> None:
    common = (photos, "-o", tmp_path / "v.png", "--json", "--image-size", "48")
    first = drawn(*common)

    assert np.array_equal(first, drawn(*common))
    for options in (["--seed", "1"], ["--views", "any-orientation"], ["--method", "simclr"],
                    ["--strength", "1"], ["--crop-min", "0.9"]):  # fmt: skip
        assert not np.array_equal(first, drawn(*common, *options)), options


def test_a_config_file_is_what_the_run_will_have(photos: Path, tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text('views = "shapes"\nimage-size = 48\n')
    common = (photos, "-o", tmp_path / "v.png", "--json")

    assert np.array_equal(
        drawn(*common, "--config", file), drawn(*common, "--views", "shapes", "--image-size", "48")
    )


def test_a_folder_without_photos_and_another_kind_of_picture_are_refused(
    photos: Path, tmp_path: Path
) -> None:
    (tmp_path / "none").mkdir()

    assert isinstance(run(tmp_path / "none", "-o", tmp_path / "v.png").exception, CollectionError)
    assert isinstance(run(tmp_path / "no", "-o", tmp_path / "v.png").exception, CollectionError)
    assert isinstance(run(photos, "-o", tmp_path / "v.jpg").exception, ConfigError)


def test_a_picture_without_a_place_is_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()

    for name in ("missing/v.png", "folder.png"):
        done = run(tmp_path / "no photos", "-o", tmp_path / name)

        assert isinstance(done.exception, ConfigError)
        assert f"-o {tmp_path / name}" in done.exception.message
