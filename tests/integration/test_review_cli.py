"""ssl-index update, duplicates, outliers, export and doctor as people and scripts use them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest


@pytest.fixture
def built(studio: Any) -> Any:
    """Fourteen photos, two of them the same, and their gallery."""
    studio.paint_many(9)
    (studio.photos / "copy of a.png").write_bytes((studio.photos / "a.png").read_bytes())
    studio.build()
    return studio


def test_an_update_needs_only_the_gallery(ssl_index: Any, built: Any) -> None:
    built.paint("new.png", "navy")
    (built.photos / "b.png").unlink()
    planned = json.loads(ssl_index("update", built.folder, "--dry-run", "--json").out)
    assert (planned["added"], planned["missing"], planned["removed"]) == (1, 1, 0)
    done = json.loads(ssl_index("update", built.folder, "--json").out)
    del planned["seconds"], done["seconds"]
    assert done == planned
    pruned = ssl_index("update", built.folder, "--prune")
    assert "14 files seen: 14 unchanged, 1 removed" in pruned.out


def test_half_a_collection_vanishing_is_refused_with_the_way_on(ssl_index: Any, built: Any) -> None:
    for path in built.photos.glob("many-*.png"):
        path.unlink()
    refused = ssl_index("update", built.folder)
    assert refused.code == 1
    assert "9 of the 14 photos" in refused.err
    assert "--prune" in refused.err
    assert ssl_index("update", built.folder, "--prune").code == 0


def test_duplicates_name_the_one_to_keep_and_delete_nothing(ssl_index: Any, built: Any) -> None:
    (group,) = json.loads(ssl_index("duplicates", built.folder, "--exact", "--json").out)
    assert group["keep"]["path"] == "a.png"
    assert group["reason"] == "the shortest path"
    assert [other["path"] for other in group["others"]] == ["copy of a.png"]
    assert ssl_index("duplicates", built.folder, "--exact", "-0").out == "copy of a.png\0"
    table = ssl_index("duplicates", built.folder, "--exact")
    assert "keep: the shortest path" in table.out
    assert "1 group; 1 file beside those to keep" in table.err
    assert (built.photos / "copy of a.png").exists()


def test_outliers_come_as_lines_of_json(ssl_index: Any, built: Any) -> None:
    lines = ssl_index("outliers", built.folder, "-n", 3, "--jsonl").out.splitlines()
    assert [set(json.loads(line)) for line in lines] == [{"id", "path", "score"}] * 3


def test_an_export_is_written_once_and_only_what_was_asked_for(
    ssl_index: Any, built: Any, tmp_path: Path
) -> None:
    out = tmp_path / "e.npz"
    foreseen = ssl_index("export", built.folder, "-o", out, "--in", "sub", "--dry-run")
    assert foreseen.out.startswith("would write 1 photo of")
    assert not out.exists()
    done = ssl_index("export", built.folder, "-o", out, "--in", "sub", "--json")
    assert json.loads(done.out)["photos"] == 1
    with np.load(out) as written:
        assert written["path"].tolist() == ["sub/d.png"]
    again = ssl_index("export", built.folder, "-o", out)
    assert (again.code, "--force" in again.err) == (1, True)
    assert ssl_index("export", built.folder, "-o", out, "--force").code == 0


def test_the_doctor_speaks_to_people_and_to_programs(ssl_index: Any, built: Any) -> None:
    told = ssl_index("doctor", built.folder)
    assert told.code == 0, told.err
    assert "photo formats" in told.out
    findings = json.loads(ssl_index("doctor", "--json").out)
    assert {"what", "found", "advice", "serious"} == set(findings[0])
