"""Charts: every value is drawn where it belongs, names are text."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.charts import HEIGHT, MAP_SIZE, WIDTH, Line, line_chart, scatter


def svg(figure: str) -> ElementTree.Element:
    return ElementTree.fromstring(re.search(r"<svg.*</svg>", figure, re.S).group())  # type: ignore[union-attr]


def points(figure: str) -> list[tuple[float, float]]:
    found = re.findall(r"(-?[\d.]+),(-?[\d.]+)", " ".join(re.findall(r'points="([^"]*)"', figure)))
    return [(float(x), float(y)) for x, y in found]


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20))
def test_every_value_lies_inside_the_picture_and_higher_values_higher(values: list[float]) -> None:
    figure = line_chart("loss", [Line("loss", range(len(values)), values)])

    placed = points(figure)
    assert len(placed) == len(values)
    for (x, y), value in zip(placed, values, strict=True):
        assert 0 <= x <= WIDTH
        assert 0 <= y <= HEIGHT
        for (_, other), less in zip(placed, values, strict=True):
            assert y <= other or value < less or np.isclose(y, other, atol=0.2)
    svg(figure)


def test_unknown_values_break_the_curve() -> None:
    figure = line_chart("a", [Line("a", [0, 1, 2, 3], [1.0, float("nan"), 2.0, 3.0])])

    assert figure.count("<polyline") == 2


@pytest.mark.parametrize("values", [[], [float("nan")]])
def test_nothing_known_draws_nothing(values: list[float]) -> None:
    assert line_chart("a", [Line("a", range(len(values)), values)]) == ""


def test_several_curves_have_a_legend_and_one_has_none() -> None:
    one, two = Line("<one>", [0, 1], [0.0, 1.0]), Line("two", [0, 1], [1.0, 0.0])

    assert "&lt;one&gt;" in line_chart("t", [one, two])
    assert "&lt;one&gt;" not in line_chart("t", [one])


def test_a_map_shows_every_point_once_in_the_colour_of_its_class() -> None:
    spots = np.array([[0.0, 0.0], [1.0, 5.0], [2.0, 1.0]])

    drawn = svg(scatter("map", spots, np.array([0, 1, 13]), ["a", "<b>", "c"]))

    circles = list(drawn)
    assert [circle.get("class") for circle in circles] == ["c0", "c1", "c1"]
    assert [circle[0].text for circle in circles] == ["a", "<b>", "c"]
    for circle in circles:
        assert 0 < float(circle.get("cx") or 0) < MAP_SIZE
        assert 0 < float(circle.get("cy") or 0) < MAP_SIZE
