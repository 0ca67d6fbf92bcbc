"""ssl-train eval: a real run judged by real labels, and what it says to wrong input."""

import itertools
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from training.checkpoint import load_encoder
from training.cli import cli
from training.errors import CollectionError, Interrupted, RunError
from training.eval_cli import table
from training.eval_report import JUDGEMENTS, EvalReport, EvalRequest, with_earlier
from training.evaluation import evaluate


@pytest.fixture(scope="module")
def report(kept_run: Any, tmp_path_factory: pytest.TempPathFactory) -> EvalReport:
    folder = tmp_path_factory.mktemp("judged") / "run"
    shutil.copytree(kept_run.folder, folder)
    return evaluate(EvalRequest(folder, kept_run.photos, epochs=2), kept_run.around)


@pytest.mark.slow
def test_every_weight_gets_every_figure_with_a_range(report: EvalReport) -> None:
    found = {(r.weights, r.figure): r for r in report.results}

    for weights in ("start", "trained"):
        for figure in (
            "knn", "precision_at_10", "mean_average_precision", "linear", "finetune",
        ):  # fmt: skip
            interval = found[weights, figure].interval
            assert 0 <= interval.low <= interval.value <= interval.high <= 1
            assert (found[weights, figure].against_start is None) == (weights == "start")
    assert ("supervised", "finetune") in found
    assert ("supervised", "knn") not in found
    assert report.exported == "exported" or ("exported", "knn") not in found
    assert (report.photos, report.train + report.test, report.skipped) == (60, 60, 1)
    assert len(report.classes) == 4


@pytest.mark.slow
def test_the_run_keeps_the_figures_and_the_baseline(report: EvalReport) -> None:
    run = report.request.run

    assert json.loads((run / "evaluation.json").read_text()) == report.to_json()
    assert "supervised" in load_encoder(run / "supervised.safetensors").spec.origin


@pytest.mark.slow
def test_the_table_says_what_is_clear_and_what_is_not(report: EvalReport) -> None:
    shown = table(report)

    assert "60 photos in 4 classes; 1 file could not be read" in shown
    assert "supervised from scratch" in shown
    assert "not clearly different than" not in shown
    assert re.search("(better than|worse than|not clearly different from) the start", shown)
    assert "Supervised from scratch" in shown.splitlines()[-1]
    assert max(map(len, shown.splitlines())) < 160


@pytest.mark.slow
def test_the_command_prints_json_of_what_was_asked_only(
    finished_run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    words = ["eval", finished_run.folder, finished_run.photos, "--only", "knn", "--json"]

    done = CliRunner().invoke(cli, [str(word) for word in words])

    assert done.exit_code == 0, done.output
    figures = {result["figure"] for result in json.loads(done.stdout)["results"]}
    assert figures == {"knn", "precision_at_10", "mean_average_precision"}


def test_figures_that_were_not_measured_again_stay_where_they_compare() -> None:
    asked = {"labelled": "here", "seed": 0}
    before = [{"weights": "start", "figure": figure, "value": 0.5} for figure in ("knn", "linear")]
    knn = {"weights": "start", "figure": "knn", "value": 0.75}

    kept = with_earlier({**asked, "results": [knn]}, {**asked, "results": before})
    other = with_earlier({**asked, "results": [knn]}, {**asked, "seed": 1, "results": before})

    assert kept == {**asked, "results": [knn, before[1]]}
    assert other == {**asked, "results": [knn]}
    assert with_earlier(other, None) == other


@pytest.mark.slow
def test_a_stop_is_followed_and_writes_nothing(finished_run: Any) -> None:
    asked = itertools.count()
    around = replace(finished_run.around, stop=lambda: next(asked) >= 1)

    with pytest.raises(Interrupted):
        evaluate(EvalRequest(finished_run.folder, finished_run.photos, only=("knn",)), around)

    assert not (finished_run.folder / "evaluation.json").exists()


def test_wrong_input_is_told_in_words(finished_run: Any, tmp_path: Path) -> None:
    def judge(run: Path, labelled: Path) -> None:
        evaluate(EvalRequest(run, labelled, only=("knn",)), finished_run.around)

    with pytest.raises(RunError, match="no run in"):
        judge(tmp_path / "nowhere", finished_run.photos)
    with pytest.raises(CollectionError, match="no folder"):
        judge(finished_run.folder, tmp_path / "nowhere")
    shutil.copytree(finished_run.photos / "circle", tmp_path / "one" / "circle")
    with pytest.raises(CollectionError, match="only the class 'circle'"):
        judge(finished_run.folder, tmp_path / "one")
    (finished_run.folder / "report.json").unlink()
    with pytest.raises(RunError, match="not finished"):
        judge(finished_run.folder, finished_run.photos)


def test_an_unknown_judgement_names_the_known_ones() -> None:
    done = CliRunner().invoke(cli, ["eval", "run", "labelled", "--only", "knn,magic"])

    assert done.exit_code == 1
    for name in JUDGEMENTS:
        assert name in done.exception.hint  # type: ignore[union-attr]
