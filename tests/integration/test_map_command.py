"""`ssl-index map`, as a person calls it."""

import json
from typing import Any

from click.testing import CliRunner

from indexer.cli import cli
from indexer.layout import MAP_FILE


def run(*arguments: object) -> Any:
    return CliRunner().invoke(cli, ["map", *map(str, arguments)])


def test_a_map_is_drawn_once_per_generation(studio: Any) -> None:
    studio.paint_many(20)
    studio.build()
    report = json.loads(run(studio.folder, "--json").stdout)
    assert (report["photos"], report["method"]) == (24, "neighbours")
    kept = (studio.folder / MAP_FILE).stat().st_mtime_ns
    assert run(studio.folder).exit_code == 0
    assert (studio.folder / MAP_FILE).stat().st_mtime_ns == kept
    assert run(studio.folder, "--again").exit_code == 0
    assert (studio.folder / MAP_FILE).stat().st_mtime_ns > kept
    studio.paint("new.png", "purple")
    studio.build()
    assert "25 photos" in run(studio.folder).stdout


def test_without_a_gallery_there_is_no_map(tmp_path: Any) -> None:
    ended = run(tmp_path / "nothing")
    assert "there is no gallery" in str(ended.exception)
    assert not (tmp_path / "nothing").exists()
