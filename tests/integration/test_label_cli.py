"""ssl-label as people call it: files in, files out, and what it says."""

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from app.label_cli import cli
from indexer.labels import NONE
from training.errors import ConfigError, GalleryError, LabelError

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def run(*arguments: object) -> Result:
    """A command that must succeed."""
    result = CliRunner().invoke(cli, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def refused(*arguments: object) -> Exception:
    """What a command raises for `run_command` to tell."""
    result = CliRunner().invoke(cli, [str(a) for a in arguments])
    assert isinstance(result.exception, Exception)
    return result.exception


@pytest.fixture
def classifier(wardrobe: Any, tmp_path: Path) -> Path:
    run("fit", wardrobe.folder, "-o", tmp_path / "classifier.onnx")
    return tmp_path / "classifier.onnx"


def test_fit_writes_a_classifier_and_says_how_good_it_is(wardrobe: Any, tmp_path: Path) -> None:
    out = tmp_path / "new" / "c.onnx"
    report = json.loads(run("fit", wardrobe.folder, "-o", out, "--json").stdout)
    assert out.stat().st_size == report["size_bytes"]
    assert report["classes"] == {"blue": 12, "red": 12}
    assert report["macro_f1"]["low"] <= report["macro_f1"]["value"] <= report["macro_f1"]["high"]
    assert report["parity"] < 1e-4
    assert [found["name"] for found in report["per_class"]] == ["blue", "red"]


def test_fit_for_people_gives_bands_while_labels_are_few(wardrobe: Any, tmp_path: Path) -> None:
    text = run("fit", wardrobe.folder, "-o", tmp_path / "c.onnx").stdout
    assert "24 labels in 2 classes" in text
    assert "macro-F1 by cross-validation: high" in text
    assert "%" not in "\n".join(line for line in text.splitlines() if "rejection at" not in line)
    assert "photos (" in text  # how many get a class is counted, however few the labels


def test_fit_learns_from_a_csv_without_storing_it(wardrobe: Any, tmp_path: Path) -> None:
    shots = tmp_path / "shots.csv"
    shots.write_text("path,label\nred-00.png,warm\nblue-00.png,cold\nnowhere.png,warm\n")
    before = wardrobe.labels.revision()
    result = run("fit", wardrobe.folder, "--shots", shots, "-o", tmp_path / "c.onnx")
    assert "2 labels in 2 classes" in result.stdout
    assert "line 4: the gallery has no photo nowhere.png" in result.stderr
    assert wardrobe.labels.revision() == before


def test_predict_says_what_new_files_are(wardrobe: Any, classifier: Path, tmp_path: Path) -> None:
    new = tmp_path / "new photos"
    new.mkdir()
    (new / "=1.png").write_bytes((wardrobe.photos / "red-20.png").read_bytes())
    (new / "broken.png").write_bytes(b"no image")
    result = run("predict", classifier, new)
    rows = {Path(r["path"]).name: r for r in csv.DictReader(io.StringIO(result.stdout))}
    assert rows["=1.png"]["likely"] == "red"
    assert rows["broken.png"]["label"] == ""
    assert "not an image" in rows["broken.png"]["note"]
    assert "2 files" in result.stderr

    run("predict", classifier, new, "--format", "jsonl", "-o", tmp_path / "p.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text().splitlines()]
    assert {Path(line["path"]).name for line in lines} == {"=1.png", "broken.png"}


def test_predict_on_a_gallery_needs_no_file_and_can_be_imported(
    wardrobe: Any, tmp_path: Path
) -> None:
    out = tmp_path / "predictions.csv"
    run("predict", wardrobe.folder, "--rejection", 1, "-o", out)
    result = run("import", wardrobe.folder, out, "--who", "machine", "--json")
    report = json.loads(result.stdout)
    assert (report["labelled"], report["unchanged"], report["problems"]) == (24, 24, [])
    assert {c.name: c.count for c in wardrobe.labels.classes()} == {"blue": 24, "red": 24, NONE: 0}


def test_a_classifier_alone_has_nothing_to_predict(classifier: Path) -> None:
    error = refused("predict", classifier)
    assert isinstance(error, ConfigError)
    assert "FOLDER" in error.hint


@pytest.mark.parametrize("form", ["csv", "jsonl", "coco"])
def test_tables_go_to_stdout_or_to_a_file(form: str, wardrobe: Any, tmp_path: Path) -> None:
    printed = run("export", wardrobe.folder, "--format", form).stdout_bytes
    run("export", wardrobe.folder, "--format", form, "-o", tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == printed
    assert b"red-00.png" in printed


@pytest.mark.parametrize("form", ["imagefolder", "xmp"])
def test_folders_are_made_and_never_written_over(form: str, wardrobe: Any, tmp_path: Path) -> None:
    assert isinstance(refused("export", wardrobe.folder, "--format", form), ConfigError)
    out = tmp_path / "out"
    assert "24" in run("export", wardrobe.folder, "--format", form, "-o", out).stderr
    again = refused("export", wardrobe.folder, "--format", form, "-o", out)
    assert isinstance(again, LabelError)


def test_an_exported_image_folder_imports_again(wardrobe: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run("export", wardrobe.folder, "--format", "imagefolder", "--copy", "-o", out)
    ids = list(wardrobe.labels.current())
    wardrobe.labels.put(ids, None, source="review", who="anna")
    assert "labelled 24 photos" in run("import", wardrobe.folder, out).stdout
    assert list(wardrobe.labels.current()) == ids


def test_stats_count_by_class_source_and_person(wardrobe: Any) -> None:
    wardrobe.labels.put([1], "green", source="random", who="ben")
    facts = json.loads(run("stats", wardrobe.folder, "--json").stdout)
    assert (facts["photos"], facts["labelled"]) == (48, 24)
    assert facts["people"] == {"anna": 23, "ben": 1}
    assert facts["sources"] == {"search": 23, "random": 1}
    assert facts["conflicts"] == [1]
    text = run("stats", wardrobe.folder).stdout
    assert "24 of 48 photos are labelled" in text
    assert "people disagree on 1 photo" in text


@pytest.mark.parametrize("command", ["fit", "predict", "export", "stats"])
def test_a_folder_without_a_gallery_is_told(command: str, tmp_path: Path) -> None:
    assert isinstance(refused(command, tmp_path), GalleryError)


def test_an_import_without_a_gallery_is_told(tmp_path: Path) -> None:
    assert isinstance(refused("import", tmp_path, tmp_path / "labels.csv"), GalleryError)


def test_the_readmes_example_runs_on_onnxruntime_and_pillow_alone(
    wardrobe: Any, classifier: Path
) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(example.strip().splitlines()) <= 16
    blocked = "import sys\nfor n in ('torch', 'onnx', 'sklearn', 'app', 'indexer', 'training'):\n"
    script = blocked + "    sys.modules[n] = None\n" + example
    command = [sys.executable, "-c", script, str(wardrobe.photos / "red-20.png")]
    done = subprocess.run(
        command, cwd=classifier.parent, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    predicted = run("predict", classifier, wardrobe.photos).stdout
    row = next(r for r in csv.DictReader(io.StringIO(predicted)) if "red-20" in r["path"])
    label, share = done.stdout.rsplit(maxsplit=1)
    assert label == row["label"]
    assert float(share) == pytest.approx(float(row["confidence"]), abs=2e-3)
