"""One HTML file that needs nothing else: escaped text, pictures inside, a policy that says so."""

import base64
import hashlib
import html
import io
from importlib.resources import files

from PIL import Image

from training.console import readable


def escape(text: str | bytes) -> str:
    """Text of any origin as HTML: markup, quotes, control characters and broken bytes made safe."""
    return html.escape(readable(text), quote=True)


def picture(image: Image.Image, *, quality: int = 82) -> str:
    """An image as the address of itself, a JPEG in a data URI."""
    stored = io.BytesIO()
    image.convert("RGB").save(stored, "JPEG", quality=quality)
    return "data:image/jpeg;base64," + base64.b64encode(stored.getvalue()).decode()


def part(name: str) -> str:
    """A style sheet or script that is shipped beside this package."""
    return files("training").joinpath("pages", name).read_text(encoding="utf-8")


def document(title: str, style: str, body: str, scripts: tuple[str, ...] = ()) -> str:
    """A whole page. It may load nothing, and run only the scripts that it was written with.

    Args:
        title: of the window; escaped here.
        style: CSS.
        body: HTML, its texts escaped already.
        scripts: JavaScript, each in an element of its own.
    """
    allowed = " ".join(f"'sha256-{_digest(script)}'" for script in scripts) or "'none'"
    policy = (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src {allowed}; base-uri 'none'; form-action 'none'"
    )
    loaded = "\n".join(f"<script>{script}</script>" for script in scripts)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(title)}</title>
<style>
{style}
</style>
</head>
<body>
{body}
{loaded}
</body>
</html>
"""


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
