"""What is known of a classifier, in words: for the Review page and for `ssl-label`."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.fewshot.intervals import ENOUGH, in_words
from app.fewshot.learning import LearningCurve
from app.fewshot.quality import Quality, SourceAccuracy
from app.fewshot.rejection import Outlook
from app.fewshot.reliability import Stretch
from training.bootstrap import Interval
from training.wording import counted

# How labels came about, as people say it.
SOURCE_WORDS = {
    "cell": "relabelled from the matrix",
    "cluster": "labelled by cluster",
    "import": "imported",
    "lasso": "drawn around on the map",
    "random": "drawn at random",
    "review": "reviewed",
    "search": "searched for",
    "suggested": "suggested",
}


@dataclass(frozen=True, slots=True)
class Score:
    """One figure, with what it is of and how sure it is."""

    name: str
    value: str
    detail: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A share as a bar, with what is said beside it."""

    name: str
    value: Interval | None  # None: there are too few photos for a bar
    said: str
    of: int | None = None  # how many photos it is known from, where that differs from bar to bar
    ought: tuple[float, float] | None = None  # where it ought to end


def scores(quality: Quality) -> list[Score]:
    """The figures at the top: over all classes, on random draws, and on other labels."""
    fewest = quality.fewest
    found = [
        Score(
            "Over all classes",
            in_words(quality.macro_f1.value, fewest),
            f"Macro-F1{_between(quality.macro_f1, fewest)}: how often it is right, every class "
            "counting the same.",
        ),
        _audited(quality.audit),
    ]
    return found + [
        Score(
            SOURCE_WORDS.get(source.source, source.source).capitalize(),
            in_words(source.accuracy.value, source.labels),
            f"{_right_on(source.labels, source.accuracy)}. "
            "Chosen, not drawn: it says little of the rest.",
        )
        for source in quality.by_source
    ]


def rejection_words(outlook: Outlook) -> str:
    """What a setting does, in a sentence."""
    kept = (
        f"{outlook.kept:,} of all {outlook.photos:,} photos ({_percent(outlook.coverage)}) get a "
        "class"
    )
    if outlook.precision is None:
        return f"{kept}. How many rightly, no labelled photo tells."
    right = in_words(outlook.precision.value, outlook.judged)
    if outlook.judged < ENOUGH:
        return f"{kept}, with {right} precision."
    return f"{kept}, about {right} of them rightly{_between(outlook.precision, outlook.judged)}."


def learning_words(quality: Quality) -> str:
    """Whether more labels would help, in a sentence."""
    curve = quality.learning
    if curve is None:
        return (
            "Whether more labels help can be told from 5 labels in every class on. Before, they do."
        )
    half, whole = curve.steps[-2:]
    doubling = f"from {half.labels:,} to {whole.labels:,} labels"
    if not quality.enough:
        return {
            "rising": f"Going {doubling} made it better: more labels will still help.",
            "level": f"Going {doubling} made it no better: it has levelled off.",
            "unclear": f"Going {doubling} tells too little yet: label more, and it will be known.",
        }[curve.outlook]
    points = round(100 * curve.gain.value)
    changed = f"{'lost' if points < 0 else 'gained'} {counted(abs(points), 'point')}"
    between = f"between {round(100 * curve.gain.low)} and {round(100 * curve.gain.high)}"
    return (
        f"The last doubling, {doubling}, {changed} ({between}): "
        + {
            "rising": "more labels will still help.",
            "level": "it has levelled off, more labels of these classes will hardly help.",
            "unclear": "whether more labels help cannot be told yet.",
        }[curve.outlook]
    )


def learning_bars(curve: LearningCurve) -> list[Bar]:
    """Macro-F1 by how many labels it was learned from."""
    return [
        Bar(
            counted(step.labels, "label"),
            step.macro_f1,
            f"{_percent(step.macro_f1.value)}{_between(step.macro_f1, ENOUGH)}",
        )
        for step in curve.steps
    ]


def reliability_bars(stretches: Sequence[Stretch]) -> list[Bar]:
    """How many answers were right, by how certain they were; the most certain first."""
    return [
        Bar(
            f"{_percent(of.low)} to {_percent(of.high)}"
            if of.low
            else f"below {_percent(of.high)}",
            of.right,
            "too few to tell"
            if of.right is None
            else f"{_percent(of.right.value)}{_between(of.right, of.answers)}",
            of.answers,
            (of.low, of.high),
        )
        for of in reversed(stretches)
        if of.answers
    ]


def share_words(share: float | None, labels: int) -> str:
    """A class's figure: a percentage, a band, or a dash where there is none."""
    return "–" if share is None else in_words(share, labels)  # noqa: RUF001 - a dash


def disagreement(names: Sequence[tuple[str, str]]) -> str:
    """What people said of one photo: pairs of who and which class."""
    return ", ".join(f"{who}: {name}" for who, name in names)


def _audited(audit: SourceAccuracy | None) -> Score:
    name = "Drawn at random"
    if audit is None:
        return Score(
            name,
            "–",  # noqa: RUF001 - a dash
            "Nothing of this kind is labelled yet. The Label page asks about some photos at "
            "random: only those tell how good it is on all your photos.",
        )
    return Score(
        name,
        in_words(audit.accuracy.value, audit.labels),
        f"{_right_on(audit.labels, audit.accuracy)}. Nobody chose "
        "them, so this holds for all your photos.",
    )


def _right_on(count: int, interval: Interval) -> str:
    return f"right on {counted(count, 'photo')}{_between(interval, count)}"


def _between(interval: Interval, count: int) -> str:
    """The interval in words, where there are enough photos for one to be shown."""
    if count < ENOUGH:
        return ""
    return f", between {_percent(interval.low)} and {_percent(interval.high)}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
