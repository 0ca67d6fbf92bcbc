"""The Label page: name classes, answer photo after photo or a wall at a time, see it learn."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from app.answers import Answers
from app.desk import (
    WHY,
    Action,
    Answer,
    ClassRow,
    class_rows,
    coming,
    sureness,
    take,
    words_above,
)
from app.fewshot.suggest import Suggestion
from app.labelling import Standing, source_of
from app.ui import look
from app.ui.components.labeller import Card, Desk, Mode, labeller
from app.ui.person import person_field, who
from app.ui.pictures import thumb_url, view_url
from app.ui.served import library
from indexer.gallery import Gallery
from indexer.labels import NONE
from training.console import readable
from training.wording import counted

DESK = "desk"
QUEUE, WALL = "One by one", "A wall"

# Photos that are sent ahead: nobody presses so many keys before the page answers.
AHEAD = 80
PER_WALL = 30

# What a wall shows where it shows no class's guesses.
MIXED = "All kinds"


@dataclass(frozen=True, slots=True)
class _Wall:
    """Photos in an order that stays until other ones are asked for."""

    shows: str
    turned: int  # how often the next photos were asked for
    generation: int  # of the gallery
    asked: Sequence[Suggestion]


@dataclass(frozen=True, slots=True, eq=False)
class _Queue:
    """Photos in the order in which they are asked about, and what that order is by."""

    standing: Standing
    aside: frozenset[int]
    cards: Sequence[Card]


def page() -> None:
    """Draw the page."""
    _page(library().gallery())


@st.fragment
def _page(gallery: Gallery) -> None:
    rows = class_rows(library().labels)
    # Queue and wall begin with what is known now. Later runs acknowledge what was stored a moment
    # ago: they wait for no refit.
    shown = "wall" if st.session_state.get("desk-mode") == WALL else "queue"
    standing = library().labelling.standing(wait=shown not in st.session_state)
    mode = _head(sum(row.count for row in rows))
    if mode == "queue":
        cards, about, generation = _queue(gallery, standing), words_above(rows), QUEUE
    else:
        wall = _wall(gallery, standing, _wall_choice(rows, standing.answers))
        cards, about = _cards(gallery, wall.asked, guesses=wall.shows != MIXED), _about(wall, rows)
        generation = f"{WALL}-{wall.shows}-{wall.turned}"
    desk = Desk(
        mode=mode,
        cards=cards,
        classes=rows,
        about=about,
        end=_end(gallery, standing.answers),
        generation=generation,
        fresh=standing.settled,
        known=None if standing.known is None else round(standing.known, 2),
        coming=coming(standing),
        read_only=library().read_only,
    )
    labeller(desk, key=DESK, take=_take)


def _head(labelled: int) -> Mode:
    with st.container(horizontal=True, vertical_alignment="bottom", key="label-head"):
        with st.container(width="stretch"):
            look.heading("Label", detail=_said(labelled))
        if library().read_only:
            return "grid"  # one by one there would be nothing to do
        mode = st.segmented_control(
            "Show", [QUEUE, WALL], default=QUEUE, key="desk-mode", required=True
        )
        person_field()
    return "queue" if mode == QUEUE else "grid"


def _said(labelled: int) -> str:
    if library().read_only:
        return "What the classifier takes your photos for. Nobody can label here: read-only."
    if not labelled:
        return "Name what you want to tell apart, and show a few examples of each."
    return f"{counted(labelled, 'photo')} labelled. Every answer changes what is asked next."


def _wall_choice(rows: Sequence[ClassRow], answers: Answers) -> str:
    """Which guesses the wall shows."""
    known = answers.scored.head.classes if answers.scored is not None else ()
    classes = [row.name for row in rows if row.name in known]
    if len(classes) < 2:
        return MIXED
    # Somebody may be about to click on a wall of all kinds when its first answers are learned from.
    wall: _Wall | None = st.session_state.get("wall")
    stands = wall is not None and (wall.shows, wall.turned) == (MIXED, _turned())
    return str(
        st.segmented_control(
            "Guessed to be",
            [MIXED, *classes],
            default=MIXED if stands else classes[0],
            key="wall-shows",
            required=True,
        )
    )


def _queue(gallery: Gallery, standing: Standing) -> Sequence[Card]:
    """The photos to ask about; the same ones as long as nothing more is known."""
    aside = library().labelling.set_aside(who())
    kept: _Queue | None = st.session_state.get("queue")
    if (
        kept is None
        or kept.standing.answers is not standing.answers
        or kept.standing.regions is not standing.regions
        or kept.aside != aside
    ):
        asked = _suggested(standing, count=AHEAD)
        cards = _cards(gallery, asked, guesses=True)
        kept = st.session_state["queue"] = _Queue(standing, aside, cards)
    return kept.cards


def _wall(gallery: Gallery, standing: Standing, shows: str) -> _Wall:
    """A page of photos in an order that stays until the next page is asked for."""
    wanted = (shows, _turned(), gallery.generation)
    kept: _Wall | None = st.session_state.get("wall")
    if kept is None or (kept.shows, kept.turned, kept.generation) != wanted:
        # The next page knows of all that was said on this one, which stays until then.
        since = int(st.session_state.get("wall-since", 0))
        waits = standing.answers.revision < since and standing.failure is None
        if kept is None or kept.shows != shows or not waits:
            name = None if shows == MIXED else shows
            kept = _Wall(*wanted, _suggested(standing, count=PER_WALL, name=name))
            st.session_state["wall"] = kept
    return kept


def _suggested(standing: Standing, *, count: int, name: str | None = None) -> list[Suggestion]:
    """Suggestions as far as it is known, without photos that were labelled since."""
    asked = library().labelling.suggest(count=count, who=who(), name=name, standing=standing)
    labelled = library().labels.of(suggestion.photo_id for suggestion in asked)
    return [suggestion for suggestion in asked if suggestion.photo_id not in labelled]


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


def _about(wall: _Wall, rows: Sequence[ClassRow]) -> str:
    if wall.shows == MIXED and library().read_only:
        return "Photos without a label"
    if wall.shows == MIXED:
        return words_above(rows) or "Click photos of one kind, then press the key of their class."
    what = "none of your classes" if wall.shows == NONE else f"“{wall.shows}”"
    said = f"Guessed to be {what}, the surest first."
    return said if library().read_only else f"{said} Correct what is wrong, accept the rest."


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
        st.session_state["wall-since"] = library().labels.revision()
        return None
    return take(library().labels, action, who=who())
