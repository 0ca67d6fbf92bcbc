"""The report of a run as one HTML page: every function here turns values into markup."""

import os
from typing import Any

import numpy as np
from PIL import Image

from training.charts import COLOURS, Line, line_chart, scatter
from training.config import EXPORTS
from training.finish import METHOD_NAMES
from training.markup import document, escape, part, picture
from training.progress import duration
from training.report_content import Look, ReportContent
from training.runs import VIEWS_FILE
from training.sides import thumbnail

# Rows of skipped files on the page; all of them are in skipped.csv.
SKIPPED_SHOWN = 200

FIGURES = {
    "retrieval": ("other view found first", 100, "%"),
    "rank": ("effective rank", 1, ""),
    "projection_rank": ("effective rank of the projection", 1, ""),
    "spread": ("spread (0 is collapse)", 1, ""),
    "projection_spread": ("spread of the projection", 1, ""),
    "alignment": ("alignment of two views (lower is closer)", 1, ""),
    "uniformity": ("uniformity (lower is more even)", 1, ""),
    "knn": ("k-NN accuracy", 100, "%"),
    "five_shot": ("5-shot accuracy", 100, "%"),
    "precision_at_10": ("P@10", 100, "%"),
    "mean_average_precision": ("mAP", 100, "%"),
    "linear": ("linear probe", 100, "%"),
    "finetune": ("trained on labels", 100, "%"),
}


def report_page(content: ReportContent) -> str:
    """The whole page."""
    sections = [
        _head(content),
        _section("Figures", _figures(content)),
        _section("Curves", _curves(content.metrics)),
        _section("Judged by labels", _evaluation(content.evaluation)),
        *_look(content),
        _section("What training saw", _views(content)),
        _section("The plan", _plan(content.plan)),
        _section("Skipped files", _skipped(content.skipped)),
    ]
    body = f"<main>{''.join(sections)}</main>"
    title = f"Report of {os.fspath(content.run.path)}"
    return document(title, part("look.css") + part("report.css"), body)


def _section(title: str, inside: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{inside}</section>" if inside else ""


def _head(content: ReportContent) -> str:
    report = content.report
    facts = {
        "photos": f"{report['photos']:,}",
        "method": METHOD_NAMES.get(report["method"], str(report["method"])),
        "backbone": str(report["backbone"]),
        "epochs": f"{report['epochs']:g}",
        "time": duration(report["seconds"]),
        "exported": str(report["exported"]),
        "skipped files": f"{report['skipped']:,}",
    }
    listed = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        for name, value in facts.items()
    )
    return (
        f"<header><h1>{escape(os.fspath(content.run.path))}</h1>"
        f'<p class="verdict">{escape(report["verdict"])}</p>'
        f'<dl class="facts">{listed}</dl>'
        f'<p class="soft small">Why these weights are exported: {escape(report["why"])}.</p>'
        "</header>"
    )


def _figures(content: ReportContent) -> str:
    """A row a figure, a column for each of the weights, and what changed."""
    quality, search = content.report["quality"], content.report.get("search", {})
    weights = [name for name in EXPORTS if name in quality]
    if not weights:
        return ""
    changes = content.report.get("changes", {}).get(content.report["exported"], {})
    changes = changes or content.report.get("changes", {}).get("trained", {})
    rows = []
    for name, (label, factor, unit) in FIGURES.items():
        values = [quality[w].get(name, search.get(w, {}).get(name)) for w in weights]
        if all(value is None for value in values):
            continue
        cells = "".join(f"<td>{_number(value, factor, unit)}</td>" for value in values)
        rows.append(f"<tr><td>{escape(label)}</td>{cells}{_change(changes.get(name), factor)}</tr>")
    heads = "".join(f"<th>{escape(w)}</th>" for w in weights)
    changed = "<th>change from the start, 95 % interval</th>" if changes else ""
    return (
        "<p>On held-out photos, which training never saw; k-NN and what follows by classes, of "
        'labels or folders, where there are any.</p><div class="wide"><table>'
        f"<tr><th></th>{heads}{changed}</tr>{''.join(rows)}</table></div>"
    )


def _change(change: dict[str, Any] | None, factor: float) -> str:
    if change is None:
        return ""
    value, low, high = (factor * change[key] for key in ("value", "low", "high"))
    word = "clear" if low > 0 or high < 0 else "not clear"
    return f"<td>{value:+.3g} ({low:+.3g} to {high:+.3g}), {word}</td>"


def _curves(metrics: list[dict[str, Any]]) -> str:
    training = [line for line in metrics if line["group"] == "train"]
    quality = [line for line in metrics if line["group"] == "quality"]
    charts = [
        line_chart("loss", [_line("loss", training, "loss")]),
        line_chart("learning rate", [_line("learning rate", training, "lr")]),
    ]
    for name, (label, factor, unit) in FIGURES.items():
        known = [line for line in quality if name in line]
        if known:
            title = f"{label}, {unit}" if unit else label
            charts.append(line_chart(title, [_line(label, known, name, factor, dots=True)]))
    return f'<div class="charts">{"".join(charts)}</div>' if any(charts) else ""


def _line(
    label: str, lines: list[dict[str, Any]], name: str, factor: float = 1, *, dots: bool = False
) -> Line:
    steps = [float(line["step"]) for line in lines]
    return Line(label, steps, [factor * float(line[name]) for line in lines], dots)


def _evaluation(found: dict[str, Any] | None) -> str:
    """The figures of `ssl-train eval`."""
    if found is None:
        return ""
    figures = [n for n in FIGURES if any(r["figure"] == n for r in found["results"])]
    weights = list(dict.fromkeys(r["weights"] for r in found["results"]))
    cell = {(r["weights"], r["figure"]): r for r in found["results"]}
    rows = "".join(
        f"<tr><td>{escape(w)}</td>{''.join(_judged(cell.get((w, f))) for f in figures)}</tr>"
        for w in weights
    )
    heads = "".join(f"<th>{escape(FIGURES[name][0])}</th>" for name in figures)
    return (
        f"<p>{found['photos']:,} photos in {len(found['classes'])} classes; {found['train']:,} to "
        f"learn labels from, {found['test']:,} to test by. Per cent, with 95 % intervals; an arrow "
        "where the difference from the start is clear.</p>"
        f'<div class="wide"><table><tr><th></th>{heads}</tr>{rows}</table></div>'
    )


def _judged(result: dict[str, Any] | None) -> str:
    if result is None:
        return "<td></td>"
    value, low, high = (100 * result[key] for key in ("value", "low", "high"))
    against, arrow = result["against_start"], ""
    if against and against["low"] > 0:
        arrow = ' <span class="up" title="better than the start">&#9650;</span>'
    elif against and against["high"] < 0:
        arrow = ' <span class="down" title="worse than the start">&#9660;</span>'
    return f'<td>{value:.1f} <span class="soft">({low:.1f}-{high:.1f})</span>{arrow}</td>'


def _look(content: ReportContent) -> list[str]:
    look = content.look
    if look is None:
        return [_section("Neighbours and maps", f"<p>{escape(content.look_missing)}.</p>")]
    return [
        _section("Nearest photos before and after", _neighbours(look)),
        _section("Maps of the collection", _maps(look)),
    ]


def _neighbours(look: Look) -> str:
    before, after = look.sides[0], look.sides[1]
    shown: dict[int, str] = {}

    def tile(index: int, *, same: bool = False) -> str:
        if index not in shown:
            shown[index] = picture(thumbnail(look.root, look.paths[index]))
        name, mark = escape(look.paths[index]), ' class="same"' if same else ""
        return f'<img src="{shown[index]}" alt="{name}" title="{name}"{mark}>'

    def hits(query: int, found: np.ndarray) -> str:
        labels = look.labels
        tiles = (
            tile(int(i), same=labels is not None and bool(labels[i] == labels[query]))
            for i in found
        )
        return f'<div class="hits">{"".join(tiles)}</div>'

    rows = "".join(
        f'<div class="row">{tile(query)}{hits(query, one)}{hits(query, two)}</div>'
        for query, (one, two) in zip(look.queries, look.hits, strict=True)
    )
    framed = " A green frame: the same class." if look.labels is not None else ""
    return (
        f"<p>Each row: a photo, what the {escape(before)} weights find nearest to it, and what the "
        f"{escape(after)} weights find, among {len(look.paths):,} photos.{framed}</p>"
        f'<div class="neighbours"><div class="row heads"><span>photo</span>'
        f"<span>{escape(before)}</span><span>{escape(after)}</span></div>{rows}</div>"
    )


def _maps(look: Look) -> str:
    if not look.maps:
        return "<p>There are too few photos for a map.</p>"
    names = [os.fsdecode(path) for path in look.paths]
    charts = "".join(
        scatter(side, points, look.codes, names)
        for side, points in zip(look.sides, look.maps, strict=True)
    )
    legend = "".join(
        f'<span><i class="key c{code % COLOURS}"></i>{escape(name)}</span>'
        for code, name in enumerate(look.names)
    )
    colours = "classes by folder" if look.names else f"clusters of the {look.sides[1]} embeddings"
    return (
        f"<p>Every point is a photo; near points have similar embeddings (t-SNE, so distances "
        f"between far groups mean nothing). Colours: {escape(colours)}.</p>"
        f'<p class="legend">{legend}</p><div class="maps">{charts}</div>'
    )


def _views(content: ReportContent) -> str:
    file = content.run.path / VIEWS_FILE
    if not file.is_file():
        return ""
    with Image.open(file) as image:
        source = picture(image)
    return (
        "<p>A row a photo: the photo itself, then random views of it. Their embeddings are pulled "
        f'together.</p><img class="views" src="{source}" alt="Photos and random views of them">'
    )


def _plan(plan: dict[str, Any]) -> str:
    reasons = "".join(f"<li>{escape(str(reason))}</li>" for reason in plan.get("reasons", ()))
    flat = {k: v for k, v in plan.items() if k not in ("reasons", "network") and v is not None}
    rows = "".join(
        f"<tr><td>{escape(name.replace('_', ' '))}</td><td>{escape(_plain(value))}</td></tr>"
        for name, value in {**plan.get("network", {}), **flat}.items()
    )
    return (
        f"<ul>{reasons}</ul><details><summary>Every value</summary>"
        f'<div class="columns"><table>{rows}</table></div></details>'
    )


def _skipped(skipped: list[tuple[str, str]]) -> str:
    if not skipped:
        return "<p>None: every file was used.</p>"
    rows = "".join(
        f'<tr><td class="path">{escape(path)}</td><td>{escape(reason)}</td></tr>'
        for path, reason in skipped[:SKIPPED_SHOWN]
    )
    more = len(skipped) - SKIPPED_SHOWN
    rest = f"<p>And {more:,} more, all of them in skipped.csv.</p>" if more > 0 else ""
    return f'<div class="wide"><table>{rows}</table></div>{rest}'


def _number(value: float | None, factor: float, unit: str) -> str:
    if value is None:
        return ""
    return f"{factor * value:.1f} {unit}".strip() if factor != 1 else f"{value:.3g}"


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
