"""The questions of a blind comparison are drawn fairly."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from training.cli import cli
from training.comparison import HITS, CompareRequest, Comparison, ask, compare, compare_page
from training.errors import ConfigError, EncoderError, RunError
from training.evaluate import unit
from training.photos import FoundFile, walk
from training.sides import nearest


@pytest.fixture
def clouds(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return unit(rng.normal(size=(300, 12))), unit(rng.normal(size=(300, 12)))


def test_each_side_shows_what_its_encoder_finds(clouds: tuple[np.ndarray, np.ndarray]) -> None:
    questions, _ = ask(*clouds, count=40, seed=0)

    assert len({question.query for question in questions}) == 40
    for question in questions:
        one, two = (nearest(rows, question.query, HITS) for rows in clouds)
        left, right = (one, two) if question.left_is_first else (two, one)
        np.testing.assert_array_equal(question.left, left)
        np.testing.assert_array_equal(question.right, right)
        assert question.query not in question.left


def test_sides_are_drawn_by_lot(clouds: tuple[np.ndarray, np.ndarray]) -> None:
    questions, _ = ask(*clouds, count=300, seed=0)

    # 150 are expected; 115 or fewer has odds of 1 in 20,000.
    assert 115 < sum(question.left_is_first for question in questions) < 185


def test_swapping_the_encoders_swaps_the_answers_and_nothing_else(
    clouds: tuple[np.ndarray, np.ndarray],
) -> None:
    straight, _ = ask(*clouds, count=20, seed=5)
    swapped, _ = ask(*clouds[::-1], count=20, seed=5)

    for one, two in zip(straight, swapped, strict=True):
        assert one.query == two.query
        np.testing.assert_array_equal(one.left, two.right)


def test_queries_where_both_find_the_same_are_passed_over_and_counted(
    clouds: tuple[np.ndarray, np.ndarray],
) -> None:
    same, _ = clouds

    assert ask(same, same, count=10, seed=0) == ((), 300)


def test_file_names_and_run_names_cannot_break_out_of_the_script(
    tmp_path: Path, make_shape_folder: Callable[..., Path], clouds: tuple[np.ndarray, np.ndarray]
) -> None:
    root = make_shape_folder(tmp_path / "photos")
    paths = tuple(file.path for file in walk(root) if isinstance(file, FoundFile))
    rows = [cloud[: len(paths)] for cloud in clouds]
    questions, same = ask(*rows, count=3, seed=0)

    page = compare_page(
        Comparison(root, paths, ("</script><img src=x>", "b\ud800\n"), questions, same)
    )

    assert page.count("<script>") == page.count("</script>") == 3
    assert "<img src=x>" not in page
    assert not re.search(r"(?:src|href)=[\"']?(?!data:)\w+:", page)
    page.encode()


def test_wrong_input_is_told_in_words(finished_run: object, tmp_path: Path) -> None:
    run: Path = finished_run.folder  # type: ignore[attr-defined]
    around = finished_run.around  # type: ignore[attr-defined]

    def asking(request: CompareRequest) -> None:
        compare(request, progress=around.progress, stop=around.stop)

    with pytest.raises(RunError, match="no run in"):
        asking(CompareRequest(tmp_path / "nowhere", None))
    with pytest.raises(EncoderError, match="no encoder at"):
        asking(CompareRequest(run, tmp_path / "nowhere"))
    with pytest.raises(ConfigError, match="hold the same encoder"):
        asking(CompareRequest(run, run / "encoder.safetensors"))
    lonely = tmp_path / "alone" / "encoder.safetensors"
    lonely.parent.mkdir()
    lonely.write_bytes((run / "start.safetensors").read_bytes())
    with pytest.raises(ConfigError, match="which photos"):
        asking(CompareRequest(lonely, run))


def test_a_page_without_a_place_is_refused_before_any_work(tmp_path: Path) -> None:
    page = tmp_path / "missing" / "compare.html"

    done = CliRunner().invoke(cli, ["compare", str(tmp_path / "nowhere"), "-o", str(page)])

    assert isinstance(done.exception, ConfigError)
    assert f"there is no folder {page.parent}" in done.exception.message
