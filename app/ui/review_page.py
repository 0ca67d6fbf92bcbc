"""The Review page: how good the classifier is, where it errs, and what to take away from it."""

from collections.abc import Mapping, Sequence

import streamlit as st

from app.answers import Answers
from app.desk import Action, Answer, agree, take
from app.fewshot.rejection import DEFAULT_SETTING
from app.review import Doubt, Review
from app.review_words import (
    disagreement,
    learning_bars,
    learning_words,
    rejection_words,
    reliability_bars,
    scores,
    share_words,
)
from app.ui import look
from app.ui.address import arrived, find_similar_on_search
from app.ui.components.grid import Wishes, clear_selection, photo_grid
from app.ui.components.matrix import confusion_matrix
from app.ui.exports import exports
from app.ui.label_bar import label_bar
from app.ui.person import who
from app.ui.photo_dialog import show_photo
from app.ui.served import library
from app.ui.tiles import photo_tiles
from indexer.gallery import Gallery
from training.wording import counted

# How often the page looks whether a judgement is ready.
SECONDS_BETWEEN_LOOKS = 1.0

# Photos of a list that are shown at a time.
MOST_SHOWN = 60


def page() -> None:
    """Draw the page."""
    _page(library().gallery())


@st.fragment
def _page(gallery: Gallery) -> None:
    if arrived():
        st.rerun()
    answers = library().labelling.answers()
    review = library().reviews.of(gallery, answers)
    look.heading("Review", detail=_summary(answers, review))
    if library().labelling.judging():
        _watch()
    if review is None:
        _nothing_yet(answers)
    else:
        _scores(review)
        left, right = st.columns([1, 1], gap="large")
        with left:
            _classes(review)
        with right:
            cell = _matrix(review)
        if cell is not None:
            _cell(gallery, review, *cell)
        _progress(review)
        _doubts(gallery, review.doubts(), answers)
    _conflicts(gallery)
    setting = DEFAULT_SETTING if review is None else _rejection(review)
    if answers.labels:
        exports(gallery, answers, setting=setting)


@st.fragment(run_every=SECONDS_BETWEEN_LOOKS)
def _watch() -> None:
    """Say that a judgement is under way, and show it once it is there."""
    if library().labelling.judging():
        look.detail("Being judged anew by your latest labels…")
    else:
        st.rerun()


def _summary(answers: Answers, review: Review | None) -> str:
    if review is None:
        return "How good the classifier is, as soon as there are labels to judge by."
    count = len(review.judgement.shots.ids)
    newer = " until now" if len(answers.labels) != count else ""
    photos = counted(count, "labelled photo")
    return f"Judged on {photos} that it had not seen{newer}: {review.quality.reason}."


def _nothing_yet(answers: Answers) -> None:
    count = len(answers.labels)
    look.notice(
        "There is nothing to judge yet",
        detail=(
            f"{counted(count, 'photo is', 'photos are')} labelled. It takes two classes with two "
            "photos each, and the figures get sharp from 20 photos a class on. The Label page is "
            "the place for it."
        ),
    )


def _scores(review: Review) -> None:
    look.scores([(s.name, s.value, s.detail) for s in scores(review.quality)])


def _classes(review: Review) -> None:
    look.heading("Class by class", level=2)
    look.table(
        ("Class", "Labels", "Right when it says so", "Found of those there are"),
        [
            (
                of.name,
                f"{of.labels:,}",
                share_words(of.precision, of.labels),
                share_words(of.recall, of.labels),
            )
            for of in review.quality.per_class
        ],
    )
    if review.quality.fewest < 20:
        look.detail("High, medium, low: percentages come from 20 labels in a class on.")


def _matrix(review: Review) -> tuple[int, int] | None:
    look.heading("What it takes for what", level=2)
    return confusion_matrix(review.quality.classes, review.quality.confusion, key="confusion")


def _progress(review: Review) -> None:
    """Whether more labels would help, and whether its certainty can be believed."""
    quality = review.quality
    with st.container(key="progress"):
        left, right = st.columns([1, 1], gap="large")
        with left:
            look.heading("Would more labels help?", detail=learning_words(quality), level=2)
            if quality.learning is not None and quality.enough:
                look.measured(("Learned from", "Macro-F1"), learning_bars(quality.learning))
        with right:
            look.heading(
                "Can its certainty be believed?",
                detail="How many answers were right, by how certain they were; at best a bar ends "
                "in its frame."
                if quality.reliability
                else "That shows from 20 labels in every class on.",
                level=2,
            )
            if quality.reliability:
                look.measured(
                    ("Said with", "Were right", "Answers"), reliability_bars(quality.reliability)
                )


def _cell(gallery: Gallery, review: Review, row: int, column: int) -> None:
    classes = review.quality.classes
    if max(row, column) >= len(classes):
        return
    ids = review.in_cell(row, column)
    with st.container(key="cell-photos"):
        look.heading(
            f"Labelled {classes[row]}, answered {classes[column]}",
            detail=""
            if library().read_only
            else "Select those that are labelled wrongly, and say what they are.",
            level=2,
        )
        _correct(gallery, ids, source="cell", key="cell")


def _doubts(gallery: Gallery, doubts: Sequence[Doubt], answers: Answers) -> None:
    # One that was relabelled since the judgement is settled.
    open_ones = [
        doubt
        for doubt in doubts
        if (now := answers.labels.get(doubt.photo_id)) is not None and now.name == doubt.name
    ]
    with st.container(key="doubts"):
        _agreed()
        if not open_ones:
            return
        look.heading(
            counted(len(open_ones), "label that looks wrong", "labels that look wrong"),
            detail="The model, learned from the other labels, is sure of another class.",
            level=2,
        )
        notes = {d.photo_id: (f"{d.name}, or {d.likely}?",) for d in open_ones}
        chosen = _correct(gallery, list(notes), source="review", key="doubts", notes=notes)
        if library().read_only:
            return
        likely = {d.photo_id: d.likely for d in open_ones[:MOST_SHOWN]}
        if chosen:
            likely = {photo_id: likely[photo_id] for photo_id in chosen if photo_id in likely}
        what = f"the {len(likely):,} selected" if chosen else f"all {len(likely):,}"
        st.button(f"The model is right about {what}", key="agree", on_click=_agree, args=(likely,))


def _agree(likely: Mapping[int, str]) -> None:
    st.session_state["agreed"] = agree(library().labels, likely, who=who())
    clear_selection("doubts-grid")


def _agreed() -> None:
    """What became of that; it stays until the next action."""
    answer: Answer | None = st.session_state.get("agreed")
    if answer is None:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        look.strong(answer.text)
        if not answer.refused:
            st.button("Undo", key="agree-undo", on_click=_disagree)


def _disagree() -> None:
    del st.session_state["agreed"]
    take(library().labels, Action("undo"), who=who())


def _conflicts(gallery: Gallery) -> None:
    conflicts = library().labels.conflicts()
    if not conflicts:
        return
    with st.container(key="conflicts"):
        look.heading(
            f"{counted(len(conflicts), 'photo')} on which people disagree",
            detail="The latest label counts until a review settles it.",
            level=2,
        )
        notes = {
            c.photo_id: (disagreement([(label.who, label.name) for label in c.labels]),)
            for c in conflicts
        }
        _correct(gallery, list(notes), source="review", key="conflicts", notes=notes)


def _correct(
    gallery: Gallery,
    ids: Sequence[int],
    *,
    source: str,
    key: str,
    notes: Mapping[int, tuple[str, ...]] | None = None,
) -> tuple[int, ...]:
    """Photos whose labels can be corrected, a selection at a time; gives what is selected."""
    labels = library().labels.of(ids)
    named = notes or {i: (label.name,) for i, label in labels.items()}
    bar = st.container()
    chosen = photo_grid(
        photo_tiles(gallery, ids[:MOST_SHOWN], notes=named),
        key=f"{key}-grid",
        label="Photos to correct",
        wishes=Wishes(similar=find_similar_on_search),
        selectable=not library().read_only,  # only to correct
    )
    if chosen.opened is not None:
        show_photo(chosen.opened, find_similar=find_similar_on_search)
    if library().read_only:
        return ()
    with bar:
        count = len(chosen.selection)
        look.detail(
            f"The {count:,} selected are" if count else "Select photos, then say what they are"
        )
        label_bar(
            chosen.selection, source=source, key=key, done=lambda: clear_selection(f"{key}-grid")
        )
    return chosen.selection


def _rejection(review: Review) -> float:
    """The slider from strict to complete, and what its setting does."""
    with st.container(key="rejection"):
        look.heading(
            "When it should rather say none of these",
            detail="Strict: only what it is sure of keeps a class. Complete: everything does.",
            level=2,
        )
        st.session_state.setdefault("rejection-setting", DEFAULT_SETTING)
        setting = st.slider(
            "From strict (0) to complete (1)", 0.0, 1.0, step=0.01, key="rejection-setting"
        )
        look.strong(rejection_words(review.outlook(setting)))
        look.detail(
            "Counted on all your photos. How many are right is told by labelled photos that it had "
            "not seen; those that are like many unlabelled ones count more. Photos of a kind that "
            "nobody labelled, not even as none of these, are not in it."
        )
    return setting
