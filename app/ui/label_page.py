"""The Label page: name classes, answer photo after photo or a wall at a time, see it learn."""

from collections.abc import Sequence

import streamlit as st

from app.desk import WHY, Action, Answer, ClassRow, class_rows, sureness, take, words_above
from app.labelling import Answers, source_of
from app.suggest import Suggestion
from app.ui import look
from app.ui.components.labeller import Card, Desk, Mode, labeller
from app.ui.person import person_field, who
from app.ui.pictures import thumb_url, view_url
from app.ui.served import library
from indexer.gallery import Gallery
from indexer.labels import NONE
from training.console import readable

DESK = "desk"
QUEUE, WALL = "One by one", "A wall"

# Photos that are sent ahead: nobody presses so many keys before the page answers.
AHEAD = 80
PER_WALL = 30

# What a wall shows where it shows no class's guesses.
MIXED = "All kinds"

# An order that stays: what is shown, how often the page was turned, the gallery's generation.
_WallKey = tuple[str, int, int]


def page() -> None:
    """Draw the page."""
    _page(library().gallery())


@st.fragment
def _page(gallery: Gallery) -> None:
    rows = class_rows(library().labels)
    answers = library().labelling.answers()
    mode = _head(sum(row.count for row in rows))
    shows = _wall_choice(rows, answers) if mode == "grid" else MIXED
    desk = Desk(
        mode=mode,
        cards=_queue(gallery) if mode == "queue" else _wall(gallery, shows),
        classes=rows,
        about=_about(shows, rows) if mode == "grid" else words_above(rows),
        end=_end(gallery, answers),
        generation=f"{mode}-{shows}-{_turned()}",
    )
    labeller(desk, key=DESK, take=_take)


def _head(labelled: int) -> Mode:
    with st.container(horizontal=True, vertical_alignment="bottom", key="label-head"):
        with st.container(width="stretch"):
            look.heading("Label", detail=_said(labelled))
        mode = st.segmented_control(
            "Show", [QUEUE, WALL], default=QUEUE, key="desk-mode", required=True
        )
        person_field()
    return "queue" if mode == QUEUE else "grid"


def _said(labelled: int) -> str:
    if not labelled:
        return "Name what you want to tell apart, and show a few examples of each."
    photos = "1 photo" if labelled == 1 else f"{labelled:,} photos"
    return f"{photos} labelled. Every answer changes what is asked next."


def _wall_choice(rows: Sequence[ClassRow], answers: Answers) -> str:
    """Which guesses the wall shows."""
    known = answers.scored.head.classes if answers.scored is not None else ()
    classes = [row.name for row in rows if row.name in known]
    if len(classes) < 2:
        return MIXED
    return str(
        st.segmented_control(
            "Guessed to be", [MIXED, *classes], default=classes[0], key="wall-shows", required=True
        )
    )


def _queue(gallery: Gallery) -> list[Card]:
    asked = library().labelling.suggest(count=AHEAD, who=who())
    return _cards(gallery, asked, guesses=True)


def _wall(gallery: Gallery, shows: str) -> list[Card]:
    """A page of photos in an order that stays until the next page is asked for."""
    wanted: _WallKey = (shows, _turned(), gallery.generation)
    kept: tuple[_WallKey, list[Suggestion]] | None = st.session_state.get("wall")
    if kept is None or kept[0] != wanted:
        name = None if shows == MIXED else shows
        asked = library().labelling.suggest(count=PER_WALL, who=who(), name=name)
        kept = st.session_state["wall"] = (wanted, asked)
    return _cards(gallery, kept[1], guesses=shows != MIXED)


def _cards(gallery: Gallery, asked: Sequence[Suggestion], *, guesses: bool) -> list[Card]:
    ids = [suggestion.photo_id for suggestion in asked]
    photos, labels = gallery.photos(ids), library().labels.of(ids)
    return [
        Card(
            id=suggestion.photo_id,
            src=thumb_url(photo),
            view=view_url(photo),
            name=readable(photo.path),
            aspect=round(min(2.4, max(0.5, photo.width / photo.height)), 4),
            label=labels[suggestion.photo_id].name if suggestion.photo_id in labels else None,
            guess=suggestion.name if guesses else None,
            sure=sureness(suggestion.confidence or 0.0),
            why=WHY[suggestion.why],
            source=source_of(suggestion),
        )
        for suggestion in asked
        if (photo := photos.get(suggestion.photo_id)) is not None
    ]


def _about(shows: str, rows: Sequence[ClassRow]) -> str:
    if shows == MIXED:
        return words_above(rows) or "Click photos of one kind, then press the key of their class."
    what = "none of your classes" if shows == NONE else f"“{shows}”"
    return f"Guessed to be {what}, the surest first. Correct what is wrong, accept the rest."


def _end(gallery: Gallery, answers: Answers) -> str:
    left = len(gallery) - len(answers.labels)
    if left <= 0:
        return "Every photo has a label. The Review page tells how good the model is."
    return f"You have skipped the {left:,} photos that have no label."


def _turned() -> int:
    """How often the next wall was asked for."""
    return int(st.session_state.get("wall-turned", 0))


def _take(action: Action) -> Answer | None:
    if action.does == "skip":
        library().labelling.reject(action.ids, who=who())
        return None
    if action.does == "next":
        st.session_state["wall-turned"] = _turned() + 1
        return None
    return take(library().labels, action, who=who())
