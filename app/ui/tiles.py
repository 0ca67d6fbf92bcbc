"""Photos of the gallery as tiles of a grid, and their paths as text."""

import os
from collections.abc import Mapping, Sequence

from app.ui.components.grid import Tile
from app.ui.pictures import thumb_url
from indexer.gallery import Gallery
from training.console import readable


def photo_tiles(
    gallery: Gallery,
    ids: Sequence[int],
    *,
    scores: Mapping[int, float] | None = None,
    notes: Mapping[int, tuple[str, ...]] | None = None,
) -> list[Tile]:
    """Tiles in the order of `ids`; photos that left the gallery meanwhile are left out.

    Args:
        gallery: where the photos are.
        ids: the photos.
        scores: a cosine by id, shown where there is one.
        notes: short texts by id, shown on the photo.
    """
    photos = gallery.photos(ids)
    return [
        Tile(
            id=photo_id,
            src=thumb_url(photos[photo_id]),
            name=readable(photos[photo_id].path),
            aspect=photos[photo_id].width / photos[photo_id].height,
            score=(scores or {}).get(photo_id),
            notes=(notes or {}).get(photo_id, ()),
        )
        for photo_id in ids
        if photo_id in photos
    ]


def paths_text(gallery: Gallery, ids: Sequence[int]) -> str:
    """The full paths of photos, one a line, in the order of `ids`."""
    photos = gallery.photos(ids)
    found = [photos[photo_id].path for photo_id in ids if photo_id in photos]
    return "\n".join(readable(str(gallery.photo_root / os.fsdecode(path))) for path in found)
