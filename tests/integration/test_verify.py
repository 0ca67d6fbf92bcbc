"""`ssl-index verify` finds every kind of damage in every file of a gallery."""

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from indexer.catalogue import Catalogue
from indexer.cli import cli
from indexer.encoder import read_encoder
from indexer.layout import drawn
from indexer.verify import verify, verify_photos
from training.errors import GalleryError
from training.progress import Silent

CACHES = ("map.npz", "neighbours.npz")  # where one does not fit, it is made again
FILES = ("catalogue.sqlite", "encoder.onnx", "vectors-*.rows", "vectors.json", *CACHES)


@pytest.fixture
def whole(studio: Any) -> Any:
    """A gallery with everything that a gallery may hold."""
    studio.paint_many(20)
    (studio.photos / "none.jpg").write_bytes(b"not a photo")
    studio.build()
    drawn(studio.folder)
    return studio


def problems(folder: Path) -> set[str]:
    """The parts that are not whole."""
    try:
        return {check.part for check in verify(folder) if check.problem}
    except GalleryError:
        return {"refused"}


def logical(path: Path) -> list[tuple[Any, ...]] | None:
    """All that a catalogue says; None where SQLite cannot read it."""
    try:
        connection = sqlite3.connect(path)
        connection.text_factory = bytes
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        names = sorted(row[0].decode() for row in tables)
        return [row for name in names for row in connection.execute(f"SELECT * FROM {name}")]
    except (sqlite3.DatabaseError, UnicodeDecodeError):
        return None
    finally:
        connection.close()


def the_file(folder: Path, name: str) -> Path:
    (path,) = folder.glob(name)
    return path


def damage(folder: Path, *changes: str) -> None:
    """Change rows as damage does: no trigger takes their checksum away."""
    connection = sqlite3.connect(folder / "catalogue.sqlite")
    triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
    found = triggers.fetchall()
    for name, _ in found:
        connection.execute(f"DROP TRIGGER {name}")
    for change in changes:
        connection.execute(change)
    for _, definition in found:
        connection.execute(definition)
    connection.commit()
    connection.close()


def test_a_whole_gallery_has_no_problem(whole: Any) -> None:
    assert problems(whole.folder) == set()
    assert [check.part for check in verify(whole.folder)] == [
        "catalogue", "encoder", "index", "map", "neighbours",
    ]  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_a_truncated_file_is_found(name: str, whole: Any) -> None:
    path = the_file(whole.folder, name)
    data = path.read_bytes()
    for size in (0, 10, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:size])
        assert problems(whole.folder), f"{name} cut to {size} bytes"
    path.write_bytes(data)
    assert not problems(whole.folder)


@pytest.mark.parametrize("name", [name for name in FILES if name not in CACHES])
def test_a_missing_file_is_found(name: str, whole: Any) -> None:
    the_file(whole.folder, name).unlink()
    assert problems(whole.folder)


@pytest.mark.parametrize("name", FILES)
def test_the_file_of_another_gallery_is_found(
    name: str, whole: Any, make_encoder: Callable[[int], Path]
) -> None:
    other = whole.folder.with_name("other")
    whole.paint("extra.png", "white")
    whole.build(gallery=other, encoder=make_encoder(3))
    drawn(other)
    shutil.copyfile(the_file(other, name), the_file(whole.folder, name))
    assert problems(whole.folder) or name in CACHES


@pytest.mark.parametrize("name", ["encoder.onnx", "vectors-*.rows"])
def test_a_flipped_bit_anywhere_is_found(name: str, whole: Any, rng: np.random.Generator) -> None:
    path = the_file(whole.folder, name)
    data = path.read_bytes()
    for place in rng.integers(0, len(data), 12).tolist():
        damaged = bytearray(data)
        damaged[place] ^= 1 << int(rng.integers(0, 8))
        path.write_bytes(damaged)
        assert problems(whole.folder), f"{name} at {place}"


def test_a_flipped_bit_in_any_used_byte_of_the_catalogue_is_found(
    whole: Any, rng: np.random.Generator
) -> None:
    path = whole.folder / "catalogue.sqlite"
    data, before = path.read_bytes(), logical(path)
    used = 0
    for place in rng.integers(0, len(data), 400).tolist():
        damaged = bytearray(data)
        damaged[place] ^= 1 << int(rng.integers(0, 8))
        path.write_bytes(damaged)
        for beside in ("-wal", "-shm"):
            Path(f"{path}{beside}").unlink(missing_ok=True)
        if logical(path) != before:  # else it is free space, or a byte that nothing depends on
            used += 1
            assert problems(whole.folder), f"at byte {place}"
    assert used > 20


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE embeddings SET vector = (SELECT vector FROM embeddings WHERE content_id = 2)"
        " WHERE content_id = 1",
        "UPDATE photos SET content_id = 3 WHERE content_id = 4",
        "UPDATE photos SET mtime_ns = mtime_ns + 1",
        "UPDATE contents SET width = width + 1 WHERE id = 3",
        "UPDATE contents SET camera = 'Pinhole'",
        "UPDATE skipped SET reason = 'none'",
        "UPDATE meta SET value = value + 1 WHERE key = 'generation'",
        "DELETE FROM embeddings WHERE content_id = 5",
    ],
)
def test_rows_that_were_changed_behind_our_back_are_found(change: str, whole: Any) -> None:
    damage(whole.folder, change)
    assert problems(whole.folder)


def test_a_damaged_gallery_is_repaired_by_the_command_that_is_named(whole: Any) -> None:
    damage(
        whole.folder,
        "UPDATE embeddings SET vector = zeroblob(24) WHERE content_id = 2",
        "UPDATE photos SET mtime_ns = 7 WHERE content_id = 5",
        "UPDATE contents SET width = 99 WHERE id = 7",
    )
    (check,) = [check for check in verify(whole.folder) if check.part == "catalogue"]
    assert check.repair.endswith("--rebuild`")

    whole.build(rebuild=True)

    assert problems(whole.folder) == set()
    assert whole.gallery().photo(7).width == 40
    assert len(whole.gallery()) == 24


def test_a_damaged_index_is_repaired_by_a_build(whole: Any) -> None:
    the_file(whole.folder, "vectors-*.rows").write_bytes(b"damaged")
    assert problems(whole.folder) == {"index"}
    whole.build()
    assert problems(whole.folder) == set()


def test_a_damaged_encoder_is_refused_before_anything_parses_it(whole: Any) -> None:
    encoder = whole.folder / "encoder.onnx"
    encoder.write_bytes(read_encoder(encoder)[:-1] + b"?")
    assert problems(whole.folder) == {"encoder"}
    with pytest.raises(GalleryError, match="expected SHA-256"):
        whole.gallery()
    with pytest.raises(GalleryError, match="expected SHA-256"):
        whole.build(encoder=None)
    with pytest.raises(GalleryError, match="expected SHA-256"):
        whole.build(encoder=None, rebuild=True)


def deep(studio: Any) -> dict[str, str]:
    checks = verify_photos(studio.folder, photos=None, device="cpu", progress=Silent())
    return {check.part: check.problem for check in checks}


def test_deep_reads_the_photos_and_embeds_them_again(whole: Any) -> None:
    assert deep(whole) == {"photos": "", "embeddings": ""}
    with (whole.photos / "many-003.png").open("ab") as file:
        file.write(b"x")
    (whole.photos / "many-004.png").unlink()
    found = deep(whole)
    assert found["photos"].startswith("2 are gone or were changed, the first is ")
    assert found["embeddings"] == ""


def test_deep_finds_embeddings_that_are_not_those_of_their_photos(whole: Any) -> None:
    catalogue = whole.folder / "catalogue.sqlite"
    connection = sqlite3.connect(catalogue)
    rows = dict(connection.execute("SELECT content_id, vector FROM embeddings").fetchall())
    connection.execute("UPDATE embeddings SET vector = ? WHERE content_id = 1", (rows[9],))
    connection.commit()
    connection.close()
    whole.paint("new.png", "white")
    whole.build()  # seals the row: its checksum is right, and yet it is the wrong one
    assert problems(whole.folder) == set()
    assert deep(whole)["embeddings"].startswith("1 have another embedding now")


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def test_the_command_prints_a_table_or_json(whole: Any) -> None:
    done = invoke("verify", whole.folder, "--deep", "--device", "cpu")
    assert done.exit_code == 0, done.output
    parts = ("catalogue", "encoder", "index", "map", "neighbours", "photos", "embeddings")
    assert [line.split()[:2] for line in done.stdout.splitlines()] == [
        [part, "whole"] for part in parts
    ]
    checks = json.loads(invoke("verify", whole.folder, "--json").stdout)
    assert {check["problem"] for check in checks} == {""}


def test_the_command_fails_with_the_command_that_repairs(whole: Any) -> None:
    (whole.folder / "vectors.json").write_text("{}")
    command = [sys.executable, "-m", "indexer.cli", "verify", str(whole.folder)]
    script = "from indexer.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", script, *command[3:]], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "vectors.json is missing or damaged" in done.stdout
    assert "error: 1 of 5 checks failed" in done.stderr
    assert f"hint: `ssl-index build {whole.photos} -o {whole.folder}` repairs it" in done.stderr


def test_a_folder_without_a_gallery_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GalleryError, match="no gallery"):
        verify(tmp_path)


def test_a_catalogue_from_before_checksums_gets_them(whole: Any) -> None:
    path = whole.folder / "catalogue.sqlite"
    connection = sqlite3.connect(path)
    for kind, name in connection.execute(
        "SELECT type, name FROM sqlite_master WHERE name LIKE '%_unsealed' OR name LIKE '%_changed'"
    ).fetchall():
        connection.execute(f"DROP {kind} {name}")
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    for (name,) in tables:
        connection.execute(f"ALTER TABLE {name} DROP COLUMN checksum")
    connection.execute("PRAGMA user_version = 3")
    connection.commit()
    connection.close()
    assert problems(whole.folder) == {"catalogue"}, "made by an older version"

    Catalogue.create(path)

    assert problems(whole.folder) == set()
    connection = sqlite3.connect(path)
    for (name,) in tables:
        assert not connection.execute(f"SELECT 1 FROM {name} WHERE checksum IS NULL").fetchall()
    connection.close()
