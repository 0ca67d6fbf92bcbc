"""The errors a user can cause: one root, and the drawn tree tells the truth."""

import inspect
import re

import pytest

from training import errors
from training.errors import LookalikeError, PhotoError

ALL = [
    value
    for _, value in inspect.getmembers(errors, inspect.isclass)
    if issubclass(value, Exception) and value.__module__ == errors.__name__
]


def test_the_drawn_tree_names_every_error() -> None:
    drawn = re.findall(r"── (\w+)", errors.__doc__ or "")

    assert sorted(drawn) == sorted(kind.__name__ for kind in ALL if kind is not LookalikeError)


@pytest.mark.parametrize("kind", ALL)
def test_every_error_has_the_one_root(kind: type[LookalikeError]) -> None:
    error = kind("what was found", hint="what to do")

    assert isinstance(error, LookalikeError)
    assert (error.message, error.hint, str(error)) == (
        "what was found",
        "what to do",
        "what was found",
    )


def test_a_hint_may_be_left_out() -> None:
    assert PhotoError("the file is empty (0 bytes)").hint == ""
