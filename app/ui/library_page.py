"""The Library page: what is in the gallery, and what could not be used."""

from app.ui import look
from app.ui.served import library


def page() -> None:
    """Draw the page."""
    info = library().gallery().info()
    look.heading("Library", detail=f"{info.photos:,} photos in {info.photo_root}")
