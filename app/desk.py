"""What the labelling desk shows and does: classes with keys, photos with reasons, actions taken.

It knows nothing of Streamlit: the Label page draws what this says.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from app.colours import GREY, colour_of
from app.labelling import Standing
from indexer.labels import NONE, Labels, NewLabel, Undone
from training.errors import LookalikeError
from training.wording import counted

# Keys for the classes in the order they were made; 0 is for none of them.
KEYS = "123456789"

# How sure a guess is, as the beginning of a sentence; from so large a share of the probability.
SURE = ((0.9, "Almost surely"), (0.6, "Probably"), (0.35, "Perhaps"), (0.0, "At a guess,"))

# Why a photo is shown, by what the suggestions call it.
WHY = {
    "typical": "Many of your photos look like this one, and none of them is labelled yet.",
    "unsure": "The model cannot tell what this is: your answer teaches it most.",
    "sure": "The model feels sure about this one. Accept it, or say what it is.",
    "audit": "Drawn at random: such photos measure how good the model really is.",
}


# What is said of a class whose adding, renaming or removal was taken back.
_UNDONE_CLASS = {
    "add": "Took back the new class {}.",
    "rename": "{} has its name back.",
    "remove": "{} is back.",
}


@dataclass(frozen=True, slots=True)
class ClassRow:
    """A class as the desk lists it."""

    name: str
    key: str  # what is pressed for it; empty: none
    colour: str  # as CSS has it
    count: int
    fixed: bool = False  # whether it cannot be renamed


@dataclass(frozen=True, slots=True)
class Action:
    """Something a person did at the desk."""

    does: str  # label, skip, undo, add, rename or next
    ids: tuple[int, ...] = ()
    name: str = ""  # the class
    was: str = ""  # its name before
    seen: Mapping[int, str | None] = field(default_factory=dict)  # each photo's class on the screen
    source: str = "suggested"


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said of an action once it was taken."""

    text: str
    refused: bool = False


def class_rows(labels: Labels) -> list[ClassRow]:
    """The classes with their keys, colours and counts."""
    rows = []
    for number, of in enumerate(labels.classes()):
        if of.name == NONE:
            rows.append(ClassRow(of.name, "0", GREY, of.count, fixed=True))
        else:
            key = KEYS[number] if number < len(KEYS) else ""
            rows.append(ClassRow(of.name, key, colour_of(number), of.count))
    return rows


def take(labels: Labels, action: Action, *, who: str) -> Answer | None:
    """Store what a person did; what should be told them comes back, None where all is plain.

    An action that cannot be stored is answered too, never raised: those after it still count.
    """
    try:
        return _take(labels, action, who=who)
    except LookalikeError as error:
        return _not_stored(error)


def agree(labels: Labels, likely: Mapping[int, str], *, who: str) -> Answer:
    """Give photos the classes that the model takes them for, in one action for one undo.

    Args:
        labels: where they are stored.
        likely: the model's class by photo.
        who: whose action it is.
    """
    new = [NewLabel(photo_id, name, "review") for photo_id, name in likely.items()]
    try:
        labels.put_each(new, who=who)
    except LookalikeError as error:
        return _not_stored(error)
    return Answer(f"Took the model's class for {counted(len(new), 'photo')}.")


def sureness(confidence: float) -> str:
    """How sure a guess is, in words."""
    return next(words for least, words in SURE if confidence >= least)


def coming(standing: Standing) -> str:
    """What is said of better suggestions that are on their way, or do not come."""
    if standing.failure is not None:
        return (
            "Your labels are stored, but there are no new suggestions: "
            f"{standing.failure.message}. {standing.failure.hint}".strip()
        )
    if standing.known is None:
        return ""
    return (
        f"Getting to know your photos: {100 * standing.known:.0f} %. Until then they are drawn at "
        "random; the most typical ones follow."
    )


def _not_stored(error: LookalikeError) -> Answer:
    return Answer(f"Not stored: {error.message}. {error.hint}".strip(), refused=True)


def _take(labels: Labels, action: Action, *, who: str) -> Answer | None:
    if action.does == "label":
        others = _changed_meanwhile(labels, action, who)
        labels.put(action.ids, action.name, source=action.source, who=who)
        return others
    if action.does == "undo":
        return _undone(labels.undo(who=who))
    if action.does == "add":
        added = labels.add_class(action.name, who=who)
        return None if added else Answer(f"There is a class “{action.name}” already.")
    if action.does == "rename":
        labels.rename_class(action.was, action.name, who=who)
    return None


def _changed_meanwhile(labels: Labels, action: Action, who: str) -> Answer | None:
    """What somebody else said of these photos since they were drawn on this person's screen."""
    now = labels.of(action.ids)
    others = [
        label
        for photo_id, label in now.items()
        if label.who != who and label.name not in (action.seen.get(photo_id), action.name)
    ]
    if not others:
        return None
    first, more = others[0], len(others) - 1
    also = f" and {more} more" if more else ""
    return Answer(
        f"{first.who} called this photo{also} “{first.name}” meanwhile; you said “{action.name}”. "
        "Both are kept: the Review page lists what you disagree on.",
        refused=False,
    )


def _undone(undone: Undone | None) -> Answer:
    if undone is None:
        return Answer("There is nothing of yours to take back.")
    if undone.kind != "label":
        named = ", ".join(f"“{name}”" for name in undone.classes) or "a class that is in use"
        return Answer(_UNDONE_CLASS[undone.kind].format(named))
    said = f"Took back what you said of {counted(len(undone.photos), 'photo')}."
    if undone.left:
        said += f" {counted(len(undone.left), 'photo was', 'photos were')} labelled again since."
    return Answer(said)


def words_above(rows: Sequence[ClassRow]) -> str:
    """What to do next on a wall of photos."""
    named = [row for row in rows if not row.fixed]
    if len(named) < 2:
        return "First name two classes on the left: what do you want to tell apart?"
    thin = [row for row in named if row.count < 2]
    if thin:
        return f"Click some photos of “{thin[0].name}”, then press {thin[0].key or 'its name'}."
    return ""
