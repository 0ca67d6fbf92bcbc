"""Which photos are meant: by folder, date, size, camera, label. And the words that say so."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from os import fsencode
from pathlib import PurePath

from indexer.wording import shown
from training.errors import ConfigError

GRAMMAR = (
    "conditions are joined by `and`: date >= 2021-05, date = 2020, side >= 1000 (pixels, the "
    'shorter one), size < 2MB, camera = "EOS R5", label = cat, unlabelled'
)

_TOKEN = re.compile(r"""\s*(?:(?P<op><=|>=|<|>|=)|"(?P<quoted>[^"]*)"|(?P<word>[^\s<>="]+))""")
_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9}


@dataclass(frozen=True, slots=True)
class Filter:
    """What a photo must be, all of it; a field that is None asks nothing."""

    folder: bytes | None = None  # relative to the photo root; some path lies below it
    taken_from: str | None = None  # ISO date or date and time, inclusive
    taken_to: str | None = None  # the same, exclusive
    min_side: int | None = None  # pixels of the shorter side, inclusive
    max_side: int | None = None
    min_bytes: int | None = None  # of the file, inclusive
    max_bytes: int | None = None
    camera: str | None = None  # part of the name, in any case
    label: str | None = None  # the class a photo is labelled with
    unlabelled: bool = False  # True: only photos without a label

    def within(self, folder: PurePath | str) -> "Filter":
        """The same, below a folder of the photo root.

        Raises:
            ConfigError: it is absolute or leads out of the photo root.
        """
        parts = PurePath(folder).parts
        if ".." in parts or PurePath(folder).is_absolute():
            raise ConfigError(
                f"{shown(str(folder))} is not a folder below the photo root",
                hint="name it relative to the photo root, as the paths in the results are",
            )
        return replace(self, folder=fsencode(PurePath(*parts)) if parts else None)


def parse_where(text: str, given: Filter | None = None) -> Filter:
    """The filter that words ask for.

    Args:
        text: such as `date >= 2021-05 and side >= 1000`.
        given: what is asked for already; both must hold.

    Raises:
        ConfigError: the words are no conditions; the message points at the place.
    """
    tokens = _tokens(text)
    wanted = given or Filter()
    while True:
        wanted = _condition(tokens, wanted)
        joint = tokens.next()
        if joint is None:
            return wanted
        if joint.text.lower() != "and" or joint.kind != "word":
            raise tokens.error(f"expected `and` before {joint.text!r}", joint.at)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # op, quoted or word
    text: str
    at: int  # its place in the text, from 0


class _Tokens:
    """The words of a text, one after the other."""

    def __init__(self, text: str, tokens: list[_Token]) -> None:
        self._text = text
        self._tokens = tokens

    def next(self) -> _Token | None:
        """The next word; None at the end."""
        return self._tokens.pop(0) if self._tokens else None

    def expect(self, kinds: tuple[str, ...], what: str) -> _Token:
        """The next word, which must be of one of these kinds."""
        token = self.next()
        if token is None:
            raise self.error(f"expected {what} at the end", len(self._text))
        if token.kind not in kinds:
            raise self.error(f"expected {what}, found {token.text!r}", token.at)
        return token

    def error(self, message: str, at: int) -> ConfigError:
        """What is wrong, with the place marked in the text."""
        marked = f"{self._text[:at]}>>>{self._text[at:]}"
        return ConfigError(f"{message}: {shown(marked)}", hint=GRAMMAR)


def _tokens(text: str) -> _Tokens:
    found, at = [], 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            raise _Tokens(text, []).error("a quotation mark is not closed", at)
        kind = match.lastgroup or ""
        found.append(_Token(kind, match[kind], match.start(kind)))
        at = match.end()
    return _Tokens(text, found)


def _condition(tokens: _Tokens, given: Filter) -> Filter:
    field = tokens.expect(("word",), "a condition")
    name = field.text.lower()
    if name == "unlabelled":
        return replace(given, unlabelled=True)
    read = _FIELDS.get(name)
    if read is None:
        raise tokens.error(f"there is no field {field.text!r}", field.at)
    op = tokens.expect(("op",), "one of = < <= > >=")
    value = tokens.expect(("quoted", "word"), "a value")
    try:
        return read(given, op.text, value.text)
    except ValueError as error:
        raise tokens.error(str(error), value.at) from None


def _on_date(given: Filter, op: str, value: str) -> Filter:
    first, after = _period(value)
    start = {"=": first, ">=": first, ">": after}.get(op)
    end = {"=": after, "<=": after, "<": first}.get(op)
    return replace(
        given,
        taken_from=max(filter(None, (given.taken_from, start)), default=None),
        taken_to=min(filter(None, (given.taken_to, end)), default=None),
    )


def _on_side(given: Filter, op: str, value: str) -> Filter:
    low, high = _range(op, _whole(value, {"": 1, "PX": 1}, "a number of pixels"))
    return replace(
        given,
        min_side=_tighter(max, given.min_side, low),
        max_side=_tighter(min, given.max_side, high),
    )


def _on_size(given: Filter, op: str, value: str) -> Filter:
    low, high = _range(op, _whole(value, _UNITS, "a size such as 500KB or 2MB"))
    return replace(
        given,
        min_bytes=_tighter(max, given.min_bytes, low),
        max_bytes=_tighter(min, given.max_bytes, high),
    )


def _on_camera(given: Filter, op: str, value: str) -> Filter:
    _only_equal(op, "camera", given.camera)
    return replace(given, camera=value)


def _on_label(given: Filter, op: str, value: str) -> Filter:
    _only_equal(op, "label", given.label)
    return replace(given, label=value)


_FIELDS: dict[str, Callable[[Filter, str, str], Filter]] = {
    "date": _on_date,
    "side": _on_side,
    "size": _on_size,
    "camera": _on_camera,
    "label": _on_label,
}


def _only_equal(op: str, name: str, before: str | None) -> None:
    if op != "=":
        raise ValueError(f"{name} is compared with = only")
    if before is not None:
        raise ValueError(f"{name} is asked for twice")


def _period(value: str) -> tuple[str, str]:
    """The first day of a year, month or day, and the day after its last."""
    parts = value.split("-")
    try:
        if not 1 <= len(parts) <= 3 or len(parts[0]) != 4:
            raise ValueError
        year, month, day = [*map(int, parts), 1, 1][:3]
        first = date(year, month, day)
        after = (
            date(year + 1, 1, 1),
            date(year + month // 12, month % 12 + 1, 1),
            date.fromordinal(first.toordinal() + 1),
        )[len(parts) - 1]
    except (ValueError, OverflowError):
        raise ValueError(f"{value!r} is no date such as 2021, 2021-05 or 2021-05-30") from None
    return first.isoformat(), after.isoformat()


def _range(op: str, number: int) -> tuple[int | None, int | None]:
    """The least and the greatest number that an operator allows."""
    low = {"=": number, ">=": number, ">": number + 1}.get(op)
    high = {"=": number, "<=": number, "<": number - 1}.get(op)
    return low, high


def _tighter(choose: Callable[[list[int]], int], before: int | None, now: int | None) -> int | None:
    numbers = [number for number in (before, now) if number is not None]
    return choose(numbers) if numbers else None


def _whole(value: str, units: dict[str, int], what: str) -> int:
    match = re.fullmatch(r"(\d{1,12}(?:\.\d{1,6})?)([A-Za-z]*)", value)
    if match is None or match[2].upper() not in units:
        raise ValueError(f"{value!r} is not {what}")
    return round(float(match[1]) * units[match[2].upper()])
