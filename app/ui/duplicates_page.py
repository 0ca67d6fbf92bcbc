"""The Duplicates page: what is there twice, which to keep and why, and what is like nothing else.

It only ever lists. Nothing is deleted, moved or changed from here.
"""

import os
from collections.abc import Sequence

import streamlit as st

from app.lists import csv_bytes
from app.ui import look
from app.ui.address import find_similar_on_search
from app.ui.components.clipboard import copy_button
from app.ui.components.grid import Tile, Wishes, photo_grid
from app.ui.photo_dialog import show_photo
from app.ui.pictures import thumb_url
from app.ui.served import library
from app.ui.task_panel import preparing
from app.ui.tiles import photo_tiles
from indexer.duplicates import Copy, DuplicateGroup, wasted_bytes
from indexer.gallery import Gallery
from training.console import readable
from training.wording import counted

# How alike two photos must be to be listed together, by name.
STRICTNESS = {"Exact copies": 1.0, "Strict": 0.98, "Normal": 0.95, "Loose": 0.9}
DEFAULT = "Normal"

GROUPS_A_PAGE = 12

# Of the list to download.
COLUMNS = ("group", "keep", "path", "score", "exact", "width", "height", "bytes", "why")

# Each grid is a widget of its own; a group of a hundred is told by its first ones.
SHOWN_OF_A_GROUP = 12


def page() -> None:
    """Draw the page."""
    gallery = library().gallery()
    look.heading(
        "Duplicates",
        detail="Photos that are there more than once, and which one to keep. This page only "
        "lists: nothing is ever deleted.",
    )
    with st.container(horizontal=True, vertical_alignment="bottom", key="duplicates-settings"):
        strictness = st.segmented_control(
            "How alike",
            list(STRICTNESS),
            default=DEFAULT,
            key="alike",
            bind="query-params",
            required=True,
        )
        groups = _groups(gallery, strictness or DEFAULT)
        _export(gallery, groups or ())
    if groups is None:
        preparing(library().comparing, key="comparing")
    elif groups:
        _listed(gallery, groups)
    else:
        look.heading(
            "No duplicates",
            detail="No two files are this alike. Looser settings may find some.",
            level=2,
        )
    _outliers(gallery)


def _outliers(gallery: Gallery) -> None:
    """The photos that are most alone, to look at: often the ones that do not belong."""
    look.heading(
        "Unlike all others",
        detail="The photos that are most alone, these first; the score is the mean of the ten most "
        "similar ones. Often they do not belong here, or are the only ones of their kind.",
        level=2,
    )
    found = library().outliers(gallery)
    if found is None:
        preparing(library().singling_out, key="singling-out")
        return
    chosen = photo_grid(
        photo_tiles(
            gallery, [one.id for one in found], scores={one.id: one.score for one in found}
        ),
        key="outliers",
        label="Photos unlike all others",
        wishes=Wishes(similar=find_similar_on_search),
    )
    if chosen.opened is not None:
        show_photo(chosen.opened, find_similar=find_similar_on_search)


def _groups(gallery: Gallery, strictness: str) -> Sequence[DuplicateGroup] | None:
    return library().duplicates(
        gallery, threshold=STRICTNESS[strictness], exact_only=strictness == "Exact copies"
    )


def _listed(gallery: Gallery, groups: Sequence[DuplicateGroup]) -> None:
    files = sum(len(group.others) for group in groups)
    size = look.size(sum(wasted_bytes(group) for group in groups))
    look.strong(f"{counted(len(groups), 'group')}: {counted(files, 'file')} ({size}) could go")
    pages = -(-len(groups) // GROUPS_A_PAGE)
    number = 1
    if pages > 1:
        number = st.pagination(pages, key="group-page", bind="query-params")
    first = (number - 1) * GROUPS_A_PAGE
    for at, group in enumerate(groups[first : first + GROUPS_A_PAGE], start=first):
        _group(gallery, group, at)


def _group(gallery: Gallery, group: DuplicateGroup, at: int) -> None:
    with st.container(key=f"group-{at}"):
        look.detail(
            f"Keep {readable(group.keeper.path)}: {group.reason}. "
            f"{len(group.others):,} more, {look.size(wasted_bytes(group))}."
        )
        chosen = photo_grid(
            _tiles(gallery, group),
            key=f"group-grid-{at}",
            label=f"Duplicates of {readable(group.keeper.path)}",
            wishes=Wishes(similar=find_similar_on_search),
        )
        hidden = len(group.others) + 1 - SHOWN_OF_A_GROUP
        if hidden > 0:
            look.detail(f"and {hidden:,} more, all of them in the list to download")
    if chosen.opened is not None:
        show_photo(chosen.opened, find_similar=find_similar_on_search)


def _tiles(gallery: Gallery, group: DuplicateGroup) -> list[Tile]:
    copies = [group.keeper, *group.others][:SHOWN_OF_A_GROUP]
    photos = gallery.photos([copy.id for copy in copies])
    return [
        Tile(
            id=copy.id,
            src=thumb_url(photos[copy.id]),
            name=readable(copy.path),
            aspect=copy.width / copy.height,
            score=None if copy is group.keeper else copy.score,
            notes=_notes(copy, keeper=copy is group.keeper),
        )
        for copy in copies
        if copy.id in photos
    ]


def _notes(copy: Copy, *, keeper: bool) -> tuple[str, ...]:
    facts = f"{copy.width} × {copy.height}, {look.size(copy.size_bytes)}"  # noqa: RUF001
    if keeper:
        return ("keep", facts)
    return ("exact copy",) if copy.exact else (facts,)


def _export(gallery: Gallery, groups: Sequence[DuplicateGroup]) -> None:
    """The list to take along; nothing where there is none."""
    if not groups:
        return
    rows = [
        row
        for number, group in enumerate(groups, start=1)
        for row in (
            _row(number, group.keeper, why=group.reason),
            *(_row(number, copy) for copy in group.others),
        )
    ]
    st.download_button(
        "Download the list",
        csv_bytes(COLUMNS, rows),
        file_name="duplicates.csv",
        mime="text/csv",
        on_click="ignore",
    )
    extra = [copy.path for group in groups for copy in group.others]
    copy_button(
        "Copy paths that could go",
        key="copy-extra",
        done=f"{counted(len(extra), 'path')} copied",
        text="\n".join(readable(str(gallery.photo_root / os.fsdecode(path))) for path in extra),
    )


def _row(group: int, copy: Copy, *, why: str = "") -> tuple[object, ...]:
    """A file's line of the list; `why` is told of keepers."""
    return (
        group,
        "yes" if why else "no",
        os.fsdecode(copy.path),
        round(copy.score, 4),
        "yes" if copy.exact else "no",
        copy.width,
        copy.height,
        copy.size_bytes,
        why,
    )
