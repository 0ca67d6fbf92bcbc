"""Pages need nothing else and let nothing in."""

import base64
import hashlib
import html
import io
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from training.markup import document, escape, part, picture


@given(st.text())
def test_escaped_text_is_one_text_again_and_never_markup(text: str) -> None:
    shown = escape(text)

    assert not set(shown) & set("<>\"'")
    assert all(character.isprintable() for character in shown)
    if text.isprintable():
        assert html.unescape(shown) == text


def test_bytes_of_no_encoding_are_shown_as_escapes() -> None:
    assert escape(b"caf\xe9<.jpg") == r"caf\xe9&lt;.jpg"


def test_a_picture_is_its_own_address() -> None:
    source = picture(Image.new("RGBA", (20, 10), "crimson"))

    kind, data = source.split(",")
    assert kind == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        assert image.size == (20, 10)


def test_only_the_scripts_of_the_page_may_run() -> None:
    page = document("A <title>", "b{}", "<p>x</p>", ("let a = 1;",))

    digest = base64.b64encode(hashlib.sha256(b"let a = 1;").digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page
    assert "default-src 'none'" in page
    assert "<title>A &lt;title&gt;</title>" in page
    assert "script-src 'none'" in document("t", "", "")


@pytest.mark.parametrize("name", ["look.css", "report.css", "compare.css", "compare.js",
                                  "sign_test.js", "compare.html"])  # fmt: skip
def test_the_parts_are_shipped_and_load_nothing(name: str) -> None:
    text = part(name)

    assert text.strip()
    for word in ("http:", "https:", "@import", "url(", "fetch(", "XMLHttpRequest"):
        assert word not in text


def test_a_document_is_well_formed() -> None:
    class Balanced(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.stack: list[str] = []

        def handle_starttag(self, tag: str, attrs: object) -> None:
            if tag not in ("meta", "img", "br"):
                self.stack.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert self.stack.pop() == tag

    parser = Balanced()
    parser.feed(document("t", "a{}", part("compare.html"), ("let a;",)))
    assert parser.stack == []
