"""What the Search page found: settings, the grid, and what can be done with a selection."""

import streamlit as st

from app.link import RESULT_CHOICES, Link
from app.narrowing import ANY
from app.query import Answer
from app.ui import look
from app.ui.address import arrived, find_similar, go, here
from app.ui.components.clipboard import copy_button
from app.ui.components.grid import Wishes, photo_grid
from app.ui.filters import filters
from app.ui.photo_dialog import show_photo
from app.ui.selection import selection_bar
from app.ui.served import library
from app.ui.tiles import photo_tiles
from indexer.gallery import Gallery
from training.wording import counted

GRID = "hits"


def results(gallery: Gallery, link: Link, found: Answer) -> None:
    """Draw the results' column."""
    with st.container(horizontal=True, key="found-head", vertical_alignment="top"):
        with st.container(width="stretch"):
            _heading(gallery, link, found)
        copy_button("Copy link", key="link", done="Link copied")
    _settings(gallery, link, found)
    if found.hits:
        _grid(gallery, found)
    elif found.best_score is not None:
        everything = link.with_settings(results=link.results, min_score=None)
        st.button("Show it without a minimum", on_click=go, args=(everything,))
    elif link.narrowing.count:
        st.button("Search without filters", on_click=go, args=(link.with_narrowing(ANY),))


def _heading(gallery: Gallery, link: Link, found: Answer) -> None:
    if found.hits:
        look.heading("Most similar photos", detail=_summary(gallery, link, found))
    elif found.best_score is not None:
        look.heading(
            f"No photo reaches a score of {link.min_score:.2f}",
            detail=f"The most similar one has {found.best_score:.2f}.",
        )
    elif link.narrowing.count:
        look.heading("No photo passes the filters", detail="Take one of them away.")
    else:
        look.heading("There is no other photo", detail="The gallery holds only this one.")


def _summary(gallery: Gallery, link: Link, found: Answer) -> str:
    alike = sum(found.alike.values())
    folded = f" and {counted(alike, 'near-duplicate')} of them" if alike else ""
    of = f"{len(gallery):,} photos"
    if link.narrowing.count:
        of = f"{found.candidates:,} photos that pass the filters"
    if link.min_score is not None:
        of = f"{found.reaching:,} that reach {link.min_score:.2f}"
    return f"{len(found.hits):,}{folded} of {of}, in {1000 * found.seconds:.0f} ms"


def _settings(gallery: Gallery, link: Link, found: Answer) -> None:
    # The link decides what the controls show, and the controls write the link.
    st.session_state["results"] = link.results
    st.session_state["min_score"] = link.min_score or 0.0
    st.session_state["one_of_alike"] = link.one_of_alike
    with st.container(horizontal=True, key="settings", vertical_alignment="bottom", gap="medium"):
        with st.container(width=260, gap=None, key="scores"):
            look.detail("Minimum score")
            look.bars(found.bars, low=link.min_score or 0.0, said=_scores_said(found))
            st.slider(
                "Minimum score",
                0.0,
                1.0,
                step=0.01,
                key="min_score",
                on_change=_settings_changed,
                label_visibility="collapsed",
            )
        st.segmented_control(
            "Results",
            sorted({*RESULT_CHOICES, link.results}),
            key="results",
            required=True,
            on_change=_settings_changed,
        )
        st.toggle(
            "One of near-duplicates",
            key="one_of_alike",
            on_change=_settings_changed,
            help="Photos that are nearly the same are shown once, the most similar one of them.",
        )
        filters(gallery, link.narrowing)


def _scores_said(found: Answer) -> str:
    """The histogram for those who do not see it."""
    per_tenth = len(found.bars) // 10
    tenths = [sum(found.bars[i : i + per_tenth]) for i in range(0, len(found.bars), per_tenth)]
    said = [f"{count:,} from {i / 10:.1f}" for i, count in enumerate(tenths) if count]
    return f"Scores of the photos: {', '.join(reversed(said))}"


def _settings_changed() -> None:
    state = st.session_state
    go(
        here().with_settings(
            results=state["results"],
            min_score=state["min_score"] or None,
            one_of_alike=state["one_of_alike"],
        )
    )


@st.fragment
def _grid(gallery: Gallery, found: Answer) -> None:
    """The hits. A selection draws this part anew, and searches nothing."""
    if arrived():
        st.rerun()
    chosen = photo_grid(
        photo_tiles(
            gallery,
            [hit.id for hit in found.hits],
            scores={hit.id: hit.score for hit in found.hits},
            notes=_notes(found),
        ),
        key=GRID,
        label="Most similar photos",
        wishes=Wishes(similar=find_similar, like=_like, unlike=_unlike),
        selectable=True,
    )
    selection_bar(gallery, chosen.selection, grid=GRID)
    if chosen.opened is not None:
        show_photo(chosen.opened, find_similar=find_similar)


def _notes(found: Answer) -> dict[int, tuple[str, ...]]:
    """What stands on the photos beside the score: the label, and how many are alike."""
    labels = library().labels.of(hit.id for hit in found.hits)
    notes: dict[int, tuple[str, ...]] = {
        photo_id: (label.name,) for photo_id, label in labels.items()
    }
    for photo_id, count in found.alike.items():
        notes[photo_id] = (*notes.get(photo_id, ()), f"+{count} alike")
    return notes


def _like(photo_id: int) -> None:
    go(here().with_example(photo_id, liked=True))


def _unlike(photo_id: int) -> None:
    go(here().with_example(photo_id, liked=False))
