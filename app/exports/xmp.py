"""Labels as XMP sidecars, in a tree of their own: nothing is ever written beside the originals."""

import os
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

from app.exports.folders import new_folder
from app.exports.labelled import LabelledPhoto

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_DC = "http://purl.org/dc/elements/1.1/"
_X = "adobe:ns:meta/"

for _prefix, _uri in (("x", _X), ("rdf", _RDF), ("dc", _DC)):
    ET.register_namespace(_prefix, _uri)


def write_sidecars(photos: Sequence[LabelledPhoto], photo_root: Path, destination: Path) -> int:
    """Write `a/b.jpg.xmp` for `a/b.jpg`, with the label as its one keyword (`dc:subject`).

    The names with both endings keep `b.jpg` and `b.png` apart; digiKam and darktable read them.

    Returns:
        How many were written.

    Raises:
        LabelError: `destination` exists, or lies among the photos.
    """
    written = 0
    with new_folder(destination, photo_root=photo_root) as folder:
        for labelled in photos:
            document = sidecar(labelled.label.name)
            for path in (labelled.photo.path, *labelled.photo.other_paths):
                file = folder / (os.fsdecode(path) + ".xmp")
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(document)
                written += 1
    return written


def sidecar(name: str) -> bytes:
    """An XMP document with one keyword."""
    root = ET.Element(f"{{{_X}}}xmpmeta")
    rdf = ET.SubElement(root, f"{{{_RDF}}}RDF")
    about = ET.SubElement(rdf, f"{{{_RDF}}}Description", {f"{{{_RDF}}}about": ""})
    bag = ET.SubElement(ET.SubElement(about, f"{{{_DC}}}subject"), f"{{{_RDF}}}Bag")
    ET.SubElement(bag, f"{{{_RDF}}}li").text = name
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"
