"""Labels for other programs: tables, folders, COCO, sidecars."""

import csv
import io
import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image

from app.exports.coco import as_coco
from app.exports.image_folder import HowToCopy, folder_names, write_image_folder
from app.exports.labelled import labelled_photos
from app.exports.location import location_free
from app.exports.tables import as_csv, as_json_lines
from app.exports.xmp import sidecar, write_sidecars
from app.imports import read_csv, store
from indexer.labels import NONE, Labels
from training.errors import LabelError, PhotoError

# Everything that a name may be made of, and what a class may be called.
ODD = {
    "=cmd|'calc'!A0.png": "=HYPERLINK(1)",
    "-minus.png": "+plus",
    "@at.png": "@at",
    "'quoted.png": "'tis",
    "'=both.png": NONE,
    "comma,\"quote\".png": "comma,",
    "new\nline.png": "a/b",
    "carriage\rreturn.png": "A/b",
    " spaces .png": "..",
    "latin-\udce9.png": "größe",
    "sub/写真.png": "hat",
}  # fmt: skip


@pytest.fixture
def odd(studio: Any) -> Any:
    """A gallery whose photos and classes have difficult names; sub/写真.png has a copy."""
    for path in list(studio.photos.rglob("*.png")):
        path.unlink()
    for number, name in enumerate(ODD):
        studio.paint(name, (number * 20, 250 - number * 20, 90))
    (studio.photos / "copy.png").write_bytes((studio.photos / "sub/写真.png").read_bytes())
    studio.build()
    labels = Labels(studio.folder / "catalogue.sqlite")
    gallery = studio.gallery()
    for photo_id in gallery.embeddings()[0].tolist():
        paths = [gallery.photo(photo_id).path, *gallery.photo(photo_id).other_paths]
        name = next(ODD[n] for p in paths if (n := p.decode("utf-8", "surrogateescape")) in ODD)
        labels.put([photo_id], name, source="random", who="anna")
    return studio


def catalogue(studio: Any) -> Path:
    return Path(studio.folder / "catalogue.sqlite")


def test_no_cell_of_the_csv_is_a_formula(odd: Any) -> None:
    data = as_csv(labelled_photos(catalogue(odd)))
    rows = list(csv.reader(io.StringIO(data.decode("utf-8", "surrogateescape"), newline="")))
    assert len(rows) == 1 + len(ODD) + 1
    assert rows[0][:3] == ["path", "label", "source"]
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@"))]
    assert b"latin-\xe9.png," in data


def test_exported_labels_come_back_by_import_as_they_were(odd: Any, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_bytes(as_csv(labelled_photos(catalogue(odd))))
    labels = Labels(catalogue(odd))
    before = {i: (label.name, label.source) for i, label in labels.current().items()}
    labels.put(list(before), None, source="search", who="anna")

    found = read_csv(tmp_path / "labels.csv", catalogue(odd), photo_root=odd.photos)
    report = store(found, labels, who="ben")

    assert report.problems == ()
    assert report.labelled == len(ODD)
    assert {i: (label.name, label.source) for i, label in labels.current().items()} == before


def test_training_reads_what_was_exported(odd: Any, tmp_path: Path) -> None:
    from training.labels import read_labels  # noqa: PLC0415

    (tmp_path / "labels.csv").write_bytes(as_csv(labelled_photos(catalogue(odd))))
    paths = tuple(sorted(n.encode("utf-8", "surrogateescape") for n in ODD if n != " spaces .png"))
    read = read_labels(tmp_path / "labels.csv", paths)
    found = {path: read.names[code] for path, code in zip(paths, read.codes, strict=True)}
    wanted = {n.encode("utf-8", "surrogateescape"): name for n, name in ODD.items()}
    assert found == {path: wanted[path] for path in paths}


def test_json_lines_hold_one_object_a_path(odd: Any) -> None:
    data = as_json_lines(labelled_photos(catalogue(odd)))
    records = [json.loads(line) for line in data.splitlines()]
    assert {r["path"]: r["label"] for r in records} == {**ODD, "copy.png": "hat"}
    assert all(r["source"] == "random" and r["who"] == "anna" for r in records)
    assert all((r["width"], r["height"]) == (40, 40) for r in records)


def test_coco_numbers_images_and_categories_and_joins_them(odd: Any) -> None:
    document = json.loads(as_coco(labelled_photos(catalogue(odd))))
    files = {image["id"]: image["file_name"] for image in document["images"]}
    names = {category["id"]: category["name"] for category in document["categories"]}
    found = {files[a["image_id"]]: names[a["category_id"]] for a in document["annotations"]}
    assert found == {**ODD, "copy.png": "hat"}
    assert document["annotations"][0]["bbox"] == [0, 0, 40, 40]


def test_sidecars_lie_in_a_tree_of_their_own(odd: Any, tmp_path: Path) -> None:
    before = sorted(odd.photos.rglob("*"))
    write_sidecars(labelled_photos(catalogue(odd)), odd.photos, tmp_path / "xmp")
    assert sorted(odd.photos.rglob("*")) == before
    for name, label in {**ODD, "copy.png": "hat"}.items():
        assert keywords((tmp_path / "xmp" / f"{name}.xmp").read_bytes()) == [label]
    assert len(list((tmp_path / "xmp").rglob("*.xmp"))) == len(ODD) + 1


def keywords(document: bytes) -> list[str | None]:
    rdf = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
    dc = "{http://purl.org/dc/elements/1.1/}"
    path = f"{rdf}RDF/{rdf}Description/{dc}subject/{rdf}Bag/{rdf}li"
    return [item.text for item in ET.fromstring(document).findall(path)]


def test_a_sidecar_escapes_what_xml_would_read() -> None:
    assert keywords(sidecar("<b>&\"'")) == ["<b>&\"'"]


@pytest.mark.parametrize("copy", [False, True])
def test_an_image_folder_has_every_photo_in_its_class(copy: bool, odd: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    labelled = labelled_photos(catalogue(odd))
    report = write_image_folder(labelled, odd.photos, out, HowToCopy(copy=copy))
    assert (report.written, report.skipped) == (len(ODD), ())
    files = list(out.rglob("*.png"))
    assert len(files) == len(ODD)
    assert all(path.is_symlink() != copy for path in files)
    assert {path.parent.parent for path in files} == {out}
    by_name = {path.name: path for path in files}
    for name in ODD:
        own = "copy.png" if name.startswith("sub/") else name
        assert by_name[own].read_bytes() == (odd.photos / name).read_bytes()


def test_photos_of_one_name_in_one_class_do_not_replace_each_other(
    studio: Any, tmp_path: Path
) -> None:
    studio.paint("sub/A.PNG", "white")
    studio.paint("other/a.png", "black")
    studio.build()
    labels = Labels(catalogue(studio))
    labels.put(studio.gallery().embeddings()[0].tolist(), "hat", source="search", who="anna")
    report = write_image_folder(
        labelled_photos(catalogue(studio)), studio.photos, tmp_path / "out", HowToCopy()
    )
    names = sorted(path.name for path in (tmp_path / "out" / "hat").iterdir())
    assert report.written == len(names) == 6
    assert len({name.casefold() for name in names}) == 6


def test_folders_of_classes_are_possible_and_distinct() -> None:
    names = folder_names(["a/b", "A_b", "..", "hat", "Hat", "x:y"])
    assert names["hat"] == "hat"
    assert len({name.casefold() for name in names.values()}) == 6
    assert not [n for n in names.values() if "/" in n or n in ("", ".", "..")]


def test_nothing_is_written_into_a_folder_that_exists(odd: Any, tmp_path: Path) -> None:
    labelled = labelled_photos(catalogue(odd))
    (tmp_path / "out").mkdir()
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("out", "link"):
        with pytest.raises(LabelError, match="there already"):
            write_sidecars(labelled, odd.photos, tmp_path / name)
        with pytest.raises(LabelError, match="there already"):
            write_image_folder(labelled, odd.photos, tmp_path / name, HowToCopy())
    assert list((tmp_path / "out").iterdir()) == []


def test_nothing_is_written_among_the_originals(odd: Any) -> None:
    before = sorted(odd.photos.rglob("*"))
    with pytest.raises(LabelError, match="among the photos"):
        write_sidecars(labelled_photos(catalogue(odd)), odd.photos, odd.photos / "sub" / "xmp")
    assert sorted(odd.photos.rglob("*")) == before


def test_a_photo_that_changed_since_is_skipped_with_its_reason(odd: Any, tmp_path: Path) -> None:
    odd.paint("-minus.png", "white")
    (odd.photos / "@at.png").unlink()
    labelled = labelled_photos(catalogue(odd))
    report = write_image_folder(labelled, odd.photos, tmp_path / "out", HowToCopy(copy=True))
    reasons = {skip.path: skip.reason for skip in report.skipped}
    assert set(reasons) == {b"-minus.png", b"@at.png"}
    assert "has changed" in reasons[b"-minus.png"]
    assert report.written == len(ODD) - 2


# The place where a photo was taken


def located(image_format: str, *, xmp: bytes = b"") -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.Model] = "a camera"
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(
        {1: "N", 2: (52.0, 31.0, 12.25), 3: "E", 4: (13.0, 24.0, 18.5)}
    )
    buffer = io.BytesIO()
    extra = {"xmp": xmp} if xmp else {}
    Image.new("RGB", (32, 24), "teal").save(buffer, image_format, exif=exif, **extra)
    return buffer.getvalue()


def position(data: bytes) -> dict[int, Any]:
    with Image.open(io.BytesIO(data)) as image:
        return dict(image.getexif().get_ifd(ExifTags.IFD.GPSInfo))


def test_a_copy_loses_its_position_and_nothing_else() -> None:
    data = located("JPEG", xmp=b"<x exif:GPSLatitude='52,31.2N'/><exif:GPSLongitude>13E</exif>")
    assert position(data)

    free = location_free(data)

    assert not position(free)
    assert b"52,31.2N" not in free
    assert b">13E<" not in free
    assert len(free) == len(data)
    with Image.open(io.BytesIO(free)) as image, Image.open(io.BytesIO(data)) as original:
        assert image.getexif()[ExifTags.Base.Model] == "a camera"
        assert image.tobytes() == original.tobytes()


def test_a_photo_without_a_position_is_copied_byte_for_byte(encoded: Any, draw_shape: Any) -> None:
    data = encoded(draw_shape(), "JPEG")
    assert location_free(data) == data


def test_a_position_that_cannot_be_taken_out_is_told() -> None:
    with pytest.raises(PhotoError, match="GPS position") as raised:
        location_free(located("PNG"))
    assert "--with-location" in raised.value.hint


@given(places=st.lists(st.tuples(st.integers(0, 250), st.integers(0, 255)), max_size=6))
def test_damaged_exif_does_not_slip_through(places: list[tuple[int, int]]) -> None:
    data = bytearray(located("JPEG"))
    start = data.index(b"Exif\0\0") + 6
    for place, value in places:
        data[start + place] = value
    try:
        free = location_free(bytes(data))
    except PhotoError:
        return
    assert location_free(free) == free  # which looks for a position, and found none
