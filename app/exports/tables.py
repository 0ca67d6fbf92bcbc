"""Labels as a table: CSV for people and spreadsheets, JSON lines for programs."""

import json
from collections.abc import Sequence

from app.exports.labelled import LabelledPhoto
from training.cells import table

# The first two are what an import and `ssl-train --labels` read.
COLUMNS = ("path", "label", "source", "who", "at", "width", "height", "sha256")


def as_csv(photos: Sequence[LabelledPhoto]) -> bytes:
    """One row a path, copies too: no formula runs, undecodable names come back on import."""
    return table([COLUMNS, *(map(str, record.values()) for record in _records(photos))])


def as_json_lines(photos: Sequence[LabelledPhoto]) -> bytes:
    """One object a path, in ASCII; undecodable bytes of a path become lone surrogates."""
    return "".join(json.dumps(record) + "\n" for record in _records(photos)).encode("ascii")


def _records(photos: Sequence[LabelledPhoto]) -> list[dict[str, str | int]]:
    return [
        {
            "path": path,
            "label": labelled.label.name,
            "source": labelled.label.source,
            "who": labelled.label.who,
            "at": labelled.label.at,
            "width": labelled.photo.width,
            "height": labelled.photo.height,
            "sha256": labelled.photo.content_hash,
        }
        for labelled in photos
        for path in labelled.paths
    ]
