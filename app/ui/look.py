"""How every page looks: icon, style, brand, and the plain blocks that Streamlit lacks."""

from collections.abc import Mapping, Sequence
from html import escape

import streamlit as st
from PIL import Image, ImageDraw

from app.review_words import Bar
from app.ui.components.beside import beside

# Two overlapping frames, one like the other; page.css draws the same mark.
BLUE = "#1f5fd0"
PALE = "#8ab4ff"

_STYLES = ("page.css", "page_search.css", "page_review.css", "page_parts.css")


def dress(title: str) -> None:
    """Set up the page: title, icon, width and style; first thing in every page."""
    # An icon by name would be fetched from a font server; an image is sent from here.
    st.set_page_config(page_title=f"{title} · Lookalike", page_icon=_icon(), layout="wide")
    st.html(f"<style>{beside(*_STYLES)}</style>")


def brand() -> None:
    """The mark and the name, at the head of every page."""
    st.html(
        '<span class="ll-brand"><span class="ll-mark"></span>'
        '<span class="ll-name">Lookalike</span></span>',
        width="content",
    )


def chip(text: str, *, why: str) -> None:
    """A quiet word at the head of every page, with what it means."""
    st.html(f'<span class="ll-chip" title="{escape(why)}">{escape(text)}</span>', width="content")


def link(text: str, to: str) -> None:
    """A quiet link that leaves the pages, at the head of every page."""
    st.html(
        f'<a class="ll-link" href="{escape(to)}" target="_self">{escape(text)}</a>', width="content"
    )


def gallery_facts(text: str) -> None:
    """What the header says of the gallery; nothing where `text` is empty."""
    if text:
        st.html(f'<span class="ll-facts">{escape(text)}</span>', width="content")


def heading(text: str, *, detail: str = "", level: int = 1) -> None:
    """A heading with a quieter line below it."""
    below = f'<p class="ll-detail">{escape(detail)}</p>' if detail else ""
    st.html(f'<div class="ll-heading"><h{level}>{escape(text)}</h{level}>{below}</div>')


def detail(text: str) -> None:
    """A quiet line."""
    st.html(f'<p class="ll-detail">{escape(text)}</p>')


def strong(text: str) -> None:
    """A short text that matters, on a line with others."""
    st.html(f'<strong class="ll-strong">{escape(text)}</strong>', width="content")


def facts(rows: Mapping[str, str]) -> None:
    """A list of facts, each with its name."""
    drawn = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in rows.items())
    st.html(f'<dl class="ll-facts-list">{drawn}</dl>')


def counts(numbers: Mapping[str, int]) -> None:
    """Numbers side by side, each over its name; those of nothing are quiet."""
    drawn = "".join(
        f"<div{'' if number else ' class=ll-quiet'}>"
        f"<dd>{number:,}</dd><dt>{escape(name)}</dt></div>"
        for name, number in numbers.items()
    )
    st.html(f'<dl class="ll-counts">{drawn}</dl>')


def scores(rows: Sequence[tuple[str, str, str]]) -> None:
    """Figures side by side: each a name, the figure, and what it means."""
    drawn = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd><p>{escape(means)}</p></div>"
        for name, value, means in rows
    )
    st.html(f'<dl class="ll-scores">{drawn}</dl>')


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table: the first column names its row."""
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    lines = "".join(
        f'<tr><th scope="row">{escape(first)}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        + "</tr>"
        for first, *cells in rows
    )
    st.html(
        f'<div class="ll-table"><table><thead><tr>{heads}</tr></thead>'
        f"<tbody>{lines}</tbody></table></div>"
    )


def measured(head: Sequence[str], rows: Sequence[Bar]) -> None:
    """Shares as bars with their intervals: a table that says in words what the bars show.

    Args:
        head: what the names, the bars and, where there are any, the counts are.
        rows: one a line.
    """
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    lines = "".join(
        f'<tr><th scope="row">{escape(row.name)}</th>'
        f'<td><span class="ll-track" aria-hidden="true">{_track(row)}</span>{escape(row.said)}</td>'
        f"{'' if row.of is None else f'<td>{row.of:,}</td>'}</tr>"
        for row in rows
    )
    st.html(
        f'<div class="ll-table ll-measured"><table><thead><tr>{heads}</tr></thead>'
        f"<tbody>{lines}</tbody></table></div>"
    )


def size(size_bytes: int) -> str:
    """Bytes as people say them: `640 bytes`, `36 KB`, `4.2 MB`."""
    if size_bytes < 1000:
        return f"{size_bytes} bytes"
    if size_bytes < 1_000_000:
        return f"{size_bytes / 1000:.0f} KB"
    return f"{size_bytes / 1_000_000:.1f} MB"


def bars(counts: Sequence[int], *, low: float, said: str) -> None:
    """A histogram over [0, 1]; what lies below `low` is pale.

    Args:
        counts: one a bar, equal steps.
        low: where the pale part ends.
        said: the histogram in words.
    """
    most = max(counts, default=0) or 1
    drawn = "".join(
        # The root lets a bar of one be seen beside one of a thousand.
        f'<i style="height:{100 * (count / most) ** 0.5:.1f}%"'
        f"{' class=ll-below' if (at + 1) / len(counts) <= low else ''}></i>"
        for at, count in enumerate(counts)
    )
    st.html(f'<div class="ll-bars" role="img" aria-label="{escape(said)}">{drawn}</div>')


def notice(text: str, *, detail: str = "") -> None:
    """Something that did not work, in words, and what to do about it."""
    st.html(
        f'<div class="ll-notice" role="alert"><strong>{escape(text)}</strong>'
        f"<span>{escape(detail)}</span></div>"
    )


def photo(url: str, *, name: str) -> None:
    """A photo, whole: page_search.css bounds its height where it stands."""
    st.html(f'<figure class="ll-photo"><img src="{escape(url)}" alt="{escape(name)}"></figure>')


def placeholder(text: str) -> None:
    """What stands where a photo should be."""
    st.html(f'<div class="ll-placeholder">{escape(text)}</div>')


def _track(bar: Bar) -> str:
    """The bar, its interval, and the frame in which it ought to end."""
    parts = [("ll-ought", *bar.ought)] if bar.ought else []
    if bar.value is not None:
        whisker = ("ll-spread", bar.value.low, bar.value.high)
        parts = [("ll-fill", 0.0, bar.value.value), *parts, whisker]
    return "".join(
        f'<i class="{name}" style="left:{100 * low:.1f}%;width:{100 * (high - low):.1f}%"></i>'
        for name, low, high in parts
    )


def _icon() -> Image.Image:
    """The mark at 64 x 64 pixels, smoothed."""
    scale = 8
    large = Image.new("RGBA", (32 * scale, 32 * scale))
    draw = ImageDraw.Draw(large)
    for box, radius, fill in (
        ((2, 2, 21, 21), 5, PALE),
        ((11, 11, 30, 30), 5, BLUE),
        ((11, 11, 21, 21), 2, "white"),
    ):
        left, top, right, bottom = (edge * scale for edge in box)
        draw.rounded_rectangle((left, top, right, bottom), radius=radius * scale, fill=fill)
    return large.resize((64, 64), Image.Resampling.LANCZOS)
