"""A gallery as a table: what is written comes back, in every format."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from indexer.filters import Filter
from indexer.labels import Labels
from indexer.tables import Table, read_table, write_table
from training.errors import ConfigError


@pytest.fixture
def table(studio: Any) -> Table:
    """The studio with a copy, a formula, a name of no Unicode, and one label."""
    (studio.photos / "z-copy.png").write_bytes((studio.photos / "a.png").read_bytes())
    studio.paint("=1+1.png", "navy")
    studio.paint("odd \udcff, name.png", "plum")
    studio.build()
    gallery = studio.gallery()
    (one,) = gallery.select(Filter(folder=b"sub")).tolist()
    Labels(gallery.catalogue_path).put([one], "=gold", source="search", who="ann")
    return read_table(gallery)


PATHS = [b"=1+1.png", b"a.png", b"b.png", b"c.png", b"odd \xff, name.png", b"sub/d.png",
         b"z-copy.png"]  # fmt: skip


def test_every_file_has_a_row_in_the_order_of_the_paths(table: Table) -> None:
    assert list(table.paths) == PATHS
    assert table.photos[1] == table.photos[6]
    assert (table.rows[1] == table.rows[6]).all()
    assert table.labels == (None, None, None, None, None, "=gold", None)
    assert np.linalg.norm(table.rows, axis=1) == pytest.approx(1, abs=1e-5)


def test_some_photos_alone_can_be_written(studio: Any) -> None:
    studio.build()
    gallery = studio.gallery()
    table = read_table(gallery, among=np.array([2, 99]))
    assert [photo.id for photo in table.photos] == [2]
    assert (table.rows[0] == gallery.embedding(2)).all()
    assert read_table(gallery, among=np.array([], dtype=np.int64)).rows.shape == (0, 16)


def test_parquet_keeps_types_and_embeddings(table: Table, tmp_path: Path) -> None:
    write_table(table, tmp_path / "t.parquet")
    read = pq.read_table(tmp_path / "t.parquet")
    assert (np.stack(read["embedding"].to_numpy()) == table.rows).all()
    assert read["id"].to_pylist() == [photo.id for photo in table.photos]
    assert read["path"].to_pylist()[4] == r"odd \xff, name.png"
    assert read["label"].to_pylist()[5] == "=gold"
    assert read["taken"].to_pylist() == [None] * 7
    assert str(read.schema.field("embedding").type).startswith("fixed_size_list<")
    assert str(read.schema.field("camera").type) == "string"


def test_npz_is_read_without_pickle(table: Table, tmp_path: Path) -> None:
    write_table(table, tmp_path / "t.npz")
    with np.load(tmp_path / "t.npz", allow_pickle=False) as read:
        assert (read["embedding"] == table.rows).all()
        assert [str(path).encode(errors="surrogateescape") for path in read["path"]] == PATHS
        assert read["label"].tolist()[5] == "=gold"
        assert read["id"].dtype == np.int64


def test_csv_keeps_bytes_and_is_no_formula(table: Table, tmp_path: Path) -> None:
    write_table(table, tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["path"] == "./=1+1.png"
    assert rows[4]["path"].encode(errors="surrogateescape") == PATHS[4]
    assert rows[5]["label"] == "'=gold"
    embeddings = np.array([[float(row[f"e{n}"]) for n in range(16)] for row in rows])
    assert embeddings == pytest.approx(table.rows, abs=1e-6)


def test_another_ending_is_refused_and_nothing_is_written(table: Table, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"ends in none of \.parquet, \.npz, \.csv"):
        write_table(table, tmp_path / "t.xlsx")
    assert not (tmp_path / "t.xlsx").exists()
