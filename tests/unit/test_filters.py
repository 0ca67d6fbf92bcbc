"""What `--where` understands, and how it says what it does not."""

import pytest

from indexer.filters import Filter, parse_where
from training.errors import ConfigError


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("date = 2020", Filter(taken_from="2020-01-01", taken_to="2021-01-01")),
        ("date = 2020-12", Filter(taken_from="2020-12-01", taken_to="2021-01-01")),
        ("date = 2020-02-29", Filter(taken_from="2020-02-29", taken_to="2020-03-01")),
        ("date > 2020-05", Filter(taken_from="2020-06-01")),
        ("date >= 2020-05", Filter(taken_from="2020-05-01")),
        ("date < 2020-05", Filter(taken_to="2020-05-01")),
        ("date <= 2020-05-31", Filter(taken_to="2020-06-01")),
        ("side >= 1000", Filter(min_side=1000)),
        ("side<1000px", Filter(max_side=999)),
        ("side = 640", Filter(min_side=640, max_side=640)),
        ("size > 2MB", Filter(min_bytes=2_000_001)),
        ("size <= 1.5kb", Filter(max_bytes=1500)),
        ('camera = "EOS R5"', Filter(camera="EOS R5")),
        ("label = cat", Filter(label="cat")),
        ('label = "a and b"', Filter(label="a and b")),
        ("unlabelled", Filter(unlabelled=True)),
        ("Date >= 2019 AND date < 2021 and side > 9 and side > 4",
         Filter(taken_from="2019-01-01", taken_to="2021-01-01", min_side=10)),
    ],
)  # fmt: skip
def test_conditions_become_a_filter(words: str, expected: Filter) -> None:
    assert parse_where(words) == expected


def test_a_second_text_narrows_the_first() -> None:
    first = parse_where("date >= 2019 and side <= 900")
    assert parse_where("date >= 2018 and side <= 500", first) == Filter(
        taken_from="2019-01-01", max_side=500
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "expected a condition at the end: >>>"),
        ("date", "expected one of = < <= > >= at the end: date>>>"),
        ("date >=", "expected a value at the end: date >=>>>"),
        ("date >= 20x", "'20x' is no date such as 2021, 2021-05 or 2021-05-30: date >= >>>20x"),
        ("date = 2021-13", "is no date"),
        ("date = 2021-02-30", "is no date"),
        ("date = 9999", "is no date"),
        ("side > big", "'big' is not a number of pixels: side > >>>big"),
        ("size > 2TB", "'2TB' is not a size such as 500KB or 2MB"),
        ("year = 2020", "there is no field 'year': >>>year = 2020"),
        ("side > 5 or side < 2", "expected `and` before 'or': side > 5 >>>or side < 2"),
        ("side > 5 and", "expected a condition at the end"),
        ("camera > Canon", "camera is compared with = only"),
        ("label = a and label = b", "label is asked for twice: label = a and label = >>>b"),
        ('camera = "EOS', "a quotation mark is not closed"),
        ("= 5", "expected a condition, found '='"),
    ],
)
def test_what_is_no_condition_is_pointed_at(words: str, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse_where(words)
    assert message in raised.value.message
    assert "date >= 2021-05" in raised.value.hint


def test_a_folder_is_named_relative_to_the_photo_root() -> None:
    assert Filter().within("a/b/").folder == b"a/b"
    assert Filter().within("./a").folder == b"a"
    assert Filter().within(".").folder is None
    for outside in ("../a", "a/../../b", "/a"):
        with pytest.raises(ConfigError, match="not a folder below the photo root"):
            Filter().within(outside)
