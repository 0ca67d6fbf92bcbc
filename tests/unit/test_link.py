from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.link import (
    DEFAULT_RESULTS,
    MAX_EXAMPLES,
    MAX_RESULTS,
    Crop,
    Example,
    Link,
)

UPLOAD = "0123456789abcdef" * 4

edges = st.lists(st.integers(0, 1000), min_size=2, max_size=2, unique=True).map(sorted)
crops = st.tuples(edges, edges).map(
    lambda sides: Crop.from_fractions(
        sides[0][0] / 1000, sides[1][0] / 1000, sides[0][1] / 1000, sides[1][1] / 1000
    )
)
examples = st.builds(
    Example, st.integers(0, 10**17), st.sampled_from([0.25, 0.5, 1.0, 2.0, 4.0, 0.05, 20.0])
)
baskets = st.lists(
    st.tuples(examples, st.booleans()), max_size=8, unique_by=lambda pair: pair[0].photo
)
links = st.builds(
    lambda basket, **rest: Link(
        likes=tuple(example for example, liked in basket if liked),
        unlikes=tuple(example for example, liked in basket if not liked),
        **rest,
    ),
    baskets,
    photo=st.none() | st.integers(0, 10**17),
    crop=crops,
    results=st.integers(1, MAX_RESULTS),
    min_score=st.none() | st.integers(1, 100).map(lambda hundredths: hundredths / 100),
    one_of_alike=st.booleans(),
)


@given(links, st.booleans())
def test_a_link_reads_back_what_it_wrote(link: Link, uploaded: bool) -> None:
    meant = replace(link, photo=None, upload=UPLOAD) if uploaded else link
    assert Link.parse(meant.params()) == meant
    assert Link.parse(meant.params()).problems == ()


@given(
    st.dictionaries(
        st.sampled_from(["q", "u", "crop", "like", "unlike", "k", "min", "alike", "other"]),
        st.text(max_size=30),
    )
)
def test_no_link_is_an_error(params: dict[str, str]) -> None:
    link = Link.parse(params)
    assert 1 <= link.results <= MAX_RESULTS
    assert link.min_score is None or 0 < link.min_score <= 1
    assert link.photo is None or link.upload is None


def test_an_empty_link_is_the_start_page_with_nothing_to_say() -> None:
    link = Link.parse({})
    assert link.is_start
    assert (link.results, link.min_score, link.problems) == (DEFAULT_RESULTS, None, ())
    assert link.params() == {}


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"q": "12; drop table"}, "names no photo"),
        ({"q": "-3"}, "names no photo"),
        ({"q": "9" * 40}, "names no photo"),
        ({"u": "../../etc/passwd"}, "names no upload"),
        ({"u": UPLOAD.upper()}, "names no upload"),
        ({"k": "0"}, "number of results"),
        ({"k": "many"}, "number of results"),
        ({"k": "9" * 5000}, "number of results"),
        ({"k": "٣"}, "number of results"),
        ({"min": "2"}, "score from 0 to 1"),
        ({"min": "nan"}, "score from 0 to 1"),
        ({"min": "high"}, "score from 0 to 1"),
        ({"crop": "1-2-3"}, "thousandths"),
        ({"crop": "500-500-500-900"}, "thousandths"),
        ({"like": "7_eight"}, "photos' numbers"),
        ({"unlike": "7x99"}, "photos' numbers"),
        ({"like": "_".join(map(str, range(100)))}, f"{MAX_EXAMPLES} photos"),
    ],
)
def test_what_a_link_cannot_mean_is_said_in_words(params: dict[str, str], said: str) -> None:
    [problem] = Link.parse(params).problems
    assert said in problem


def test_a_new_query_keeps_the_settings_and_drops_the_old_query() -> None:
    link = Link(
        photo=3,
        crop=Crop(0, 0, 500, 500),
        likes=(Example(4),),
        unlikes=(Example(5),),
        results=24,
        min_score=0.5,
        problems=("k was odd",),
    )
    assert link.for_upload(UPLOAD) == Link(upload=UPLOAD, results=24, min_score=0.5)
    assert link.for_photo(7).params() == {"q": "7", "k": "24", "min": "0.5"}
    assert link.for_start().is_start
    assert link.for_photo(7).problems == ()


def test_a_link_of_today_reads_as_it_always_will() -> None:
    text = {"q": "3", "crop": "250-100-750-600", "like": "7_9x2", "unlike": "11x0.5", "k": "24"}
    link = Link.parse({**text, "min": "0.5", "alike": "one"})
    assert link == Link(
        photo=3,
        crop=Crop(250, 100, 750, 600),
        likes=(Example(7), Example(9, 2.0)),
        unlikes=(Example(11, 0.5),),
        results=24,
        min_score=0.5,
        one_of_alike=True,
    )


def test_a_photo_is_on_one_side_of_the_basket() -> None:
    link = Link(photo=1).with_example(5, liked=True).with_example(5, liked=False, weight=2.0)
    assert (link.likes, link.unlikes) == ((), (Example(5, 2.0),))
    assert link.without_example(5) == Link(photo=1)
    assert Link.parse({"like": "5", "unlike": "5_6"}).unlikes == (Example(6),)


def test_another_weight_leaves_the_order_of_the_basket() -> None:
    link = Link(likes=(Example(1), Example(2), Example(3)))
    changed = link.with_example(2, liked=True, weight=0.5)
    assert changed.likes == (Example(1), Example(2, 0.5), Example(3))


def test_a_full_basket_loses_its_oldest() -> None:
    link = Link()
    for photo_id in range(MAX_EXAMPLES + 2):
        link = link.with_example(photo_id, liked=True)
    assert [example.photo for example in link.likes] == list(range(2, MAX_EXAMPLES + 2))


def test_examples_alone_are_a_search() -> None:
    assert not Link(likes=(Example(1),)).is_start
    assert not Link(unlikes=(Example(1),)).is_start


@given(*[st.floats(allow_nan=True, allow_infinity=True)] * 4)
def test_a_crop_lies_within_the_photo_or_is_none(a: float, b: float, c: float, d: float) -> None:
    crop = Crop.from_fractions(a, b, c, d)
    if crop is not None:
        assert 0 <= crop.left < crop.right <= 1000
        assert 0 <= crop.top < crop.bottom <= 1000


def test_all_of_a_photo_is_no_crop() -> None:
    assert Crop.from_fractions(0, 0, 1, 1) is None
    assert Crop.from_fractions(1, 1, 0.25, 0.5) == Crop(250, 500, 1000, 1000)
