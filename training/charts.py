"""Charts as SVG, for pages: they follow the page's colours, in light and in dark."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.markup import escape

WIDTH, HEIGHT = 360, 210
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 12, 10, 30

MAP_SIZE = 420
COLOURS = 12  # the style sheet has as many, `c0` to `c11`


@dataclass(frozen=True)
class Line:
    """One curve; NaN breaks it."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    dots: bool = False  # a mark at every value, for few of them


def line_chart(title: str, lines: Sequence[Line], *, x_label: str = "step") -> str:
    """Curves over a common axis, with a legend where there are several."""
    known = [line for line in lines if len(line.x)]
    if not known:
        return ""
    xs = np.concatenate([np.asarray(line.x, float) for line in known])
    ys = np.concatenate([np.asarray(line.y, float) for line in known])
    ys = ys[np.isfinite(ys)]
    if not len(ys):
        return ""
    x_ticks, y_ticks = _ticks(xs.min(), xs.max(), 4), _ticks(ys.min(), ys.max(), 4)
    frame = _Frame((xs.min(), max(xs.max(), xs.min() + 1e-9)), (y_ticks[0], y_ticks[-1]))
    parts = [
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(title)}">',
        *(_y_tick(frame, tick) for tick in y_ticks),
        *(_x_tick(frame, tick) for tick in x_ticks if xs.min() <= tick <= xs.max()),
        f'<text class="tick" x="{WIDTH - _RIGHT}" y="{HEIGHT - 2}" text-anchor="end">'
        f"{escape(x_label)}</text>",
        *(_curve(frame, line, number) for number, line in enumerate(known)),
        "</svg>",
    ]
    legend = "".join(
        f'<span><i class="key c{number}"></i>{escape(line.name)}</span>'
        for number, line in enumerate(known)
        if len(known) > 1
    )
    return (
        f'<figure><figcaption>{escape(title)}<span class="legend">{legend}</span></figcaption>'
        f"{''.join(parts)}</figure>"
    )


def scatter(title: str, points: np.ndarray, codes: np.ndarray, names: Sequence[str]) -> str:
    """Points `(n, 2)` in colours by `(n,)` codes; `names` is what a point shows under the mouse."""
    low, high = points.min(axis=0), points.max(axis=0)
    placed = 10 + (points - low) / np.maximum(high - low, 1e-9) * (MAP_SIZE - 20)
    dots = "".join(
        f'<circle class="c{int(code) % COLOURS}" cx="{x:.1f}" cy="{y:.1f}" r="3.4">'
        f"<title>{escape(name)}</title></circle>"
        for (x, y), code, name in zip(placed, codes, names, strict=True)
    )
    return (
        f"<figure><figcaption>{escape(title)}</figcaption>"
        f'<svg class="map" viewBox="0 0 {MAP_SIZE} {MAP_SIZE}" role="img" '
        f'aria-label="{escape(title)}">{dots}</svg></figure>'
    )


@dataclass(frozen=True)
class _Frame:
    """Where values lie in the picture."""

    x_range: tuple[float, float]
    y_range: tuple[float, float]

    def x(self, value: float) -> float:
        low, high = self.x_range
        return _LEFT + (value - low) / (high - low) * (WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        low, high = self.y_range
        return HEIGHT - _BOTTOM - (value - low) / (high - low) * (HEIGHT - _TOP - _BOTTOM)


def _curve(frame: _Frame, line: Line, number: int) -> str:
    """The curve as pieces between the values that are not known."""
    pieces: list[list[tuple[float, float]]] = [[]]
    for x, y in zip(line.x, line.y, strict=True):
        if math.isfinite(y):
            pieces[-1].append((frame.x(x), frame.y(y)))
        elif pieces[-1]:
            pieces.append([])
    drawn = "".join(
        f'<polyline class="curve c{number}" points="'
        f'{" ".join(f"{x:.1f},{y:.1f}" for x, y in piece)}"/>'
        for piece in pieces
        if piece
    )
    if line.dots:
        drawn += "".join(
            f'<circle class="c{number}" cx="{x:.1f}" cy="{y:.1f}" r="2.6"/>'
            for piece in pieces
            for x, y in piece
        )
    return drawn


def _y_tick(frame: _Frame, value: float) -> str:
    y = frame.y(value)
    return (
        f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text class="tick" x="{_LEFT - 6}" y="{y + 3.5:.1f}" text-anchor="end">'
        f"{_short(value)}</text>"
    )


def _x_tick(frame: _Frame, value: float) -> str:
    return (
        f'<text class="tick" x="{frame.x(value):.1f}" y="{HEIGHT - _BOTTOM + 15}" '
        f'text-anchor="middle">{_short(value)}</text>'
    )


def _short(value: float) -> str:
    """A number in few characters: 1250, 0.725, 2.5e-4."""
    if not value or 1e-3 <= abs(value) < 1e5:
        return f"{value:g}"
    mantissa, exponent = f"{value:.2e}".split("e")
    return f"{float(mantissa):g}e{int(exponent)}"


def _ticks(low: float, high: float, wanted: int) -> list[float]:
    """Round numbers that enclose a range, about as many as wanted."""
    if high - low <= max(1e-9 * max(abs(low), abs(high)), 1e-30):
        high = low + (abs(low) if abs(low) > 1e-9 else 1.0) * 0.1
    rough = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * min((m for m in (1, 2, 2.5, 5, 10)), key=lambda m: abs(m * power - rough))
    first = math.floor(low / step)
    last = math.ceil(high / step - 1e-9)
    return [round(i * step, 10) for i in range(first, last + 1)]
