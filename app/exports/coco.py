"""Labels as COCO JSON: each photo one annotation whose box is the whole picture."""

import json
from collections.abc import Sequence

from app.exports.labelled import LabelledPhoto, classes_in


def as_coco(photos: Sequence[LabelledPhoto]) -> bytes:
    """COCO's `images`, `categories` and `annotations`, numbered from 1, categories by name.

    COCO has no labels of whole pictures; a box around everything is how its tools read one.
    """
    categories = {name: number for number, name in enumerate(classes_in(photos), start=1)}
    paths = [(labelled, path) for labelled in photos for path in labelled.paths]
    numbered = list(enumerate(paths, start=1))
    document = {
        "info": {"description": "labels from Lookalike"},
        "images": [_image(number, path, labelled) for number, (labelled, path) in numbered],
        "categories": [{"id": number, "name": name} for name, number in categories.items()],
        "annotations": [
            _annotation(number, categories[labelled.label.name], labelled)
            for number, (labelled, _) in numbered
        ],
    }
    return (json.dumps(document, indent=1) + "\n").encode("ascii")


def _image(number: int, path: str, labelled: LabelledPhoto) -> dict[str, object]:
    photo = labelled.photo
    return {"id": number, "file_name": path, "width": photo.width, "height": photo.height}


def _annotation(number: int, category: int, labelled: LabelledPhoto) -> dict[str, object]:
    width, height = labelled.photo.width, labelled.photo.height
    return {
        "id": number,
        "image_id": number,
        "category_id": category,
        "bbox": [0, 0, width, height],
        "area": width * height,
        "iscrowd": 0,
    }
