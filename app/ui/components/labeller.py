"""The labelling desk: keys, classes, one photo after another or a wall of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import streamlit as st

from app.desk import Action, Answer, ClassRow
from app.ui.components.beside import beside

Mode = Literal["queue", "grid"]


@dataclass(frozen=True, slots=True)
class Card:
    """A photo to label."""

    id: int
    src: str  # a small picture of it
    view: str  # a large one
    name: str  # for people
    aspect: float  # width over height
    label: str | None  # its class now
    guess: str | None  # what it may be; None: no idea
    sure: str  # how sure that is, as the beginning of a sentence: "Probably"
    why: str  # why it is shown, as a sentence
    source: str  # how its label will have come about


@dataclass(frozen=True, slots=True)
class Desk:
    """What a desk shows."""

    mode: Mode
    cards: Sequence[Card]
    classes: Sequence[ClassRow]
    about: str  # said above a wall
    end: str  # said after the last photo
    generation: str  # another one starts the desk anew
    fresh: bool = True  # no better suggestions are on their way; else the desk asks for them
    known: float | None = None  # the share of the gallery that is known, while that grows
    coming: str = ""  # said of what is on its way, or does not come; empty: nothing
    read_only: bool = False  # nothing can be labelled


def labeller(desk: Desk, *, key: str, take: Callable[[Action], Answer | None]) -> None:
    """Draw the desk. What was done at it is taken before the run in which it is drawn again.

    Args:
        desk: what it shows.
        key: the widget's key on the page.
        take: takes an action, each once and in order; what it returns is told to the person.
    """
    _desk(
        key=key,
        data={
            "mode": desk.mode,
            "photos": [asdict(card) for card in desk.cards],
            "classes": [asdict(row) for row in desk.classes],
            "about": desk.about,
            "end": desk.end,
            "generation": desk.generation,
            "stored": st.session_state.get(_stored_key(key)),
            "readOnly": desk.read_only,
            "fresh": desk.fresh,
            "known": desk.known,
            "coming": desk.coming,
        },
        on_actions_change=lambda: _take_all(key, take),
        on_looked_change=_nothing,
    )


def _take_all(key: str, take: Callable[[Action], Answer | None]) -> None:
    """Take what was not taken yet. Runs before the page does, and even where it is cut short."""
    sent = (st.session_state.get(key) or {}).get("actions")
    if not sent:
        return
    known = st.session_state.get(_stored_key(key)) or {}
    stored = int(known["number"]) if known.get("sid") == sent["sid"] else 0
    answers: dict[str, dict[str, object]] = dict(known.get("answers", {})) if stored else {}
    for action in sent["list"]:
        number = int(action["number"])
        if number <= stored:
            continue
        answer = take(_action(action))
        stored = number
        if answer is not None:
            answers[str(number)] = asdict(answer)
        kept = dict(list(answers.items())[-_ANSWERS_KEPT:])
        # After each: should the next one fail, this one is not taken again.
        st.session_state[_stored_key(key)] = {
            "sid": sent["sid"],
            "number": stored,
            "answers": kept,
        }


def _nothing() -> None:
    """The run that follows answers with what is known then."""


# The desk has asked for all answers by the time that it sends so many more actions.
_ANSWERS_KEPT = 50


def _action(sent: Mapping[str, object]) -> Action:
    ids, seen = sent.get("ids") or [], sent.get("seen") or {}
    assert isinstance(ids, list)
    assert isinstance(seen, dict)
    return Action(
        does=str(sent["does"]),
        ids=tuple(int(photo_id) for photo_id in ids),
        name=str(sent.get("name") or ""),
        was=str(sent.get("was") or ""),
        seen={int(photo_id): name for photo_id, name in seen.items()},
        source=str(sent.get("source") or ""),
    )


def _stored_key(key: str) -> str:
    return f"{key}-stored"


_STYLES = (
    "announcer.css",
    "labeller.css",
    "labeller_classes.css",
    "labeller_queue.css",
    "labeller_wall.css",
)

_SCRIPTS = (
    "labeller.js",
    "labeller_classes.js",
    "labeller_queue.js",
    "labeller_wall.js",
    "walls.js",
    "elements.js",
)

_desk = st.components.v2.component(
    "lookalike_labeller",
    html=beside("labeller.html"),
    css=beside(*_STYLES),
    js=beside(*_SCRIPTS),
)
