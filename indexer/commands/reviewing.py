"""`ssl-index duplicates` and `ssl-index outliers`: photos to look at again. Nothing is changed."""

from pathlib import Path

import click

from indexer.commands.shared import (
    Form,
    form_options,
    gallery_argument,
    path_text,
    photos_option,
    print_results,
    print_table,
)
from indexer.duplicates import NEAR, Copy, DuplicateGroup, find_duplicates, wasted_bytes
from indexer.gallery import Gallery
from indexer.outliers import NEIGHBOURS, Outlier, find_outliers
from training.wording import counted


@click.command("duplicates")
@gallery_argument
@click.option(
    "--threshold",
    type=click.FloatRange(0.5, 1.0),
    default=NEAR,
    show_default=True,
    help="The least score of a near-duplicate with the photo to keep.",
)
@click.option("--exact", is_flag=True, help="Only files that are byte for byte the same.")
@photos_option
@form_options
def duplicates_command(
    *,
    gallery: Path,
    threshold: float,
    exact: bool,
    photos: Path | None,
    form: Form,
) -> None:
    """List photos of GALLERY that are there more than once, and which to keep.

    Nothing is ever deleted. -0 prints the files beside the one to keep.
    """
    opened = Gallery.open(gallery, photos=photos, device="cpu")
    groups = find_duplicates(opened, threshold=threshold, exact_only=exact)
    print_results(
        form,
        map(_group, groups),
        paths=(copy.path for group in groups for copy in group.others),
        table=lambda: _show(groups),
    )


@click.command("outliers")
@gallery_argument
@click.option(
    "-n",
    "--count",
    default=20,
    show_default=True,
    type=click.IntRange(min=1),
    help="How many photos to list.",
)
@click.option(
    "--neighbours",
    default=NEIGHBOURS,
    show_default=True,
    type=click.IntRange(min=1),
    help="How many of a photo's nearest count.",
)
@photos_option
@form_options
def outliers_command(
    *,
    gallery: Path,
    count: int,
    neighbours: int,
    photos: Path | None,
    form: Form,
) -> None:
    """List the photos of GALLERY that look like no other, the most alone first."""
    opened = Gallery.open(gallery, photos=photos, device="cpu")
    found = find_outliers(opened, count=count, neighbours=neighbours)
    rows = [(one.score, str(one.id), one.path) for one in found]
    print_results(
        form,
        map(_outlier, found),
        paths=(one.path for one in found),
        table=lambda: print_table(("score", "id", "path"), rows),
    )


def _show(groups: list[DuplicateGroup]) -> None:
    rows: list[tuple[object, ...]] = []
    for number, group in enumerate(groups, start=1):
        rows.append((number, f"keep: {group.reason}", *_cells(group.keeper)))
        rows += [
            (number, "exact copy" if copy.exact else f"near, {copy.score:.3f}", *_cells(copy))
            for copy in group.others
        ]
    print_table(("group", "what", "pixels", "bytes", "path"), rows)
    files = counted(sum(len(group.others) for group in groups), "file")
    wasted = sum(map(wasted_bytes, groups))
    click.echo(
        f"{counted(len(groups), 'group')}; {files} beside those to keep, {wasted:,} bytes",
        err=True,
    )


def _cells(copy: Copy) -> tuple[object, ...]:
    return f"{copy.width} x {copy.height}", copy.size_bytes, copy.path


def _group(group: DuplicateGroup) -> dict[str, object]:
    return {
        "keep": _copy(group.keeper),
        "reason": group.reason,
        "others": [_copy(copy) for copy in group.others],
    }


def _copy(copy: Copy) -> dict[str, object]:
    return {
        "id": copy.id,
        "path": path_text(copy.path),
        "score": copy.score,
        "exact": copy.exact,
        "width": copy.width,
        "height": copy.height,
        "size_bytes": copy.size_bytes,
    }


def _outlier(outlier: Outlier) -> dict[str, object]:
    return {"id": outlier.id, "path": path_text(outlier.path), "score": outlier.score}
