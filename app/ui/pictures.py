"""The pictures a page shows: `/thumb/<id>` for a tile, `/view/<id>` large, `/upload/<hash>`.

No path ever comes from a browser: an id is looked up in the catalogue, or it is refused.
"""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route

from app.thumbnails import TILE_SIDE, VIEW_SIDE
from app.ui.served import library
from indexer.gallery import Gallery, PhotoFacts
from training.errors import LookalikeError, PhotoError

# SQLite's ids end here; a longer number is no id.
LARGEST_ID = 2**63 - 1

# Under a content's own hash a picture never changes; without one, the browser asks again.
CACHED = {"Cache-Control": "private, max-age=31536000, immutable"}
NOT_CACHED = {"Cache-Control": "no-store"}


def thumb_url(photo: PhotoFacts) -> str:
    """Where a tile's picture is."""
    return f"/thumb/{photo.id}?v={photo.content_hash}"


def view_url(photo: PhotoFacts) -> str:
    """Where the dialog's picture is."""
    return f"/view/{photo.id}?v={photo.content_hash}"


def upload_url(key: str) -> str:
    """Where an upload's picture is."""
    return f"/upload/{key}"


def why_missing(gallery: Gallery, photo: PhotoFacts, *, side: int) -> str:
    """Why a photo cannot be shown; empty where it can, and its picture is then ready."""
    try:
        library().thumbnails.jpeg(gallery, photo.id, content_hash=photo.content_hash, side=side)
    except PhotoError as error:
        return error.message
    return ""


def picture_routes() -> list[BaseRoute]:
    """The routes of all pictures. Mounts: a bare route's miss would fall through to a page."""
    return [
        Mount("/thumb", routes=[Route("/{photo_id:int}", _picture(TILE_SIDE))]),
        Mount("/view", routes=[Route("/{photo_id:int}", _picture(VIEW_SIDE))]),
        Mount("/upload", routes=[Route("/{key}", _upload)]),
    ]


def _picture(side: int) -> Callable[[Request], Response]:
    # A plain function: Starlette runs it in a thread, so that decoding blocks nobody.
    def picture(request: Request) -> Response:
        photo_id: int = request.path_params["photo_id"]
        version = request.query_params.get("v")
        if photo_id > LARGEST_ID:
            return _missing()
        try:
            gallery = library().gallery()
            known = gallery.photo(photo_id).content_hash
            # A page from before a rebuild may mean another photo by this id.
            if version not in (None, known):
                return _missing()
            jpeg = library().thumbnails.jpeg(gallery, photo_id, content_hash=known, side=side)
        except LookalikeError:
            return _missing()
        return _jpeg(jpeg, CACHED if version else NOT_CACHED)

    return picture


def _upload(request: Request) -> Response:
    jpeg = library().uploads.read(request.path_params["key"])
    return _missing() if jpeg is None else _jpeg(jpeg, NOT_CACHED)


def _jpeg(data: bytes, headers: dict[str, str]) -> Response:
    return Response(data, media_type="image/jpeg", headers=headers)


def _missing() -> Response:
    return Response(status_code=404, headers=NOT_CACHED)
