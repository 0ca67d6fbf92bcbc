"""`ssl-index search`: find photos by examples."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from indexer.commands.shared import (
    Form,
    chosen_filter,
    device_option,
    form_options,
    gallery_argument,
    narrowing_options,
    path_text,
    photos_option,
    print_results,
    print_table,
)
from indexer.duplicates import NEAR, near_groups
from indexer.examples import (
    Crop,
    Example,
    direction,
    embedding_of,
    parse_crop,
    parse_example,
)
from indexer.expansion import pays
from indexer.filters import Filter
from indexer.gallery import Gallery, Hit
from indexer.wording import shown

# Read the examples from stdin.
STDIN = "-"

# With near-copies as one, this many times the wanted hits are looked at first.
LOOK_AHEAD = 4


@dataclass(frozen=True, slots=True)
class Asked:
    """How to search; the same for every image."""

    k: int
    likes: tuple[Example, ...]
    unlikes: tuple[Example, ...]
    crop: Crop | None
    wanted: Filter
    min_score: float | None
    dedup: bool
    expand: bool | None  # None: where it helps


@click.command("search")
@gallery_argument
@click.argument("images", metavar="[IMAGE]...", nargs=-1)
@click.option(
    "--like",
    "likes",
    multiple=True,
    metavar="IMAGE[:WEIGHT]",
    help="Search by several images at once; repeat it. `cat.jpg:2` weighs double.",
)
@click.option(
    "--unlike",
    "unlikes",
    multiple=True,
    metavar="IMAGE[:WEIGHT]",
    help="Push results away from an image; repeat it.",
)
@click.option(
    "--crop",
    metavar="X,Y,W,H",
    help="Search by a part of the one image: left, top, width and height in pixels of "
    "the upright photo, or with % of its sides.",
)
@click.option(
    "-k",
    default=10,
    show_default=True,
    type=click.IntRange(min=1),
    help="How many photos to find for each image.",
)
@narrowing_options
@click.option("--min-score", type=click.FloatRange(-1, 1), help="Leave out photos that score less.")
@click.option("--dedup", is_flag=True, help="Show near-duplicates once.")
@click.option(
    "--expand/--no-expand",
    default=None,
    help="Rank by neighbourhoods: better by category.  [default: where it helps]",
)
@photos_option
@device_option
@form_options
def search_command(
    *,
    gallery: Path,
    images: tuple[str, ...],
    likes: tuple[str, ...],
    unlikes: tuple[str, ...],
    crop: str | None,
    k: int,
    folder: str | None,
    conditions: tuple[str, ...],
    min_score: float | None,
    dedup: bool,
    expand: bool | None,
    photos: Path | None,
    device: str,
    form: Form,
) -> None:
    """Find the photos in GALLERY that look most like each IMAGE.

    IMAGE is a file, `id:17` for a photo of the gallery, or - for a list on stdin, one a line (or
    ended by zero bytes). --like and --unlike are added to each; without an IMAGE they are the
    search.
    """  # fmt: skip
    asked = Asked(
        k=k,
        likes=tuple(map(parse_example, likes)),
        unlikes=tuple(map(parse_example, unlikes)),
        crop=parse_crop(crop) if crop else None,
        wanted=chosen_filter(folder, conditions),
        min_score=min_score,
        dedup=dedup,
        expand=expand,
    )
    named = _named(images)
    _check(asked, named)
    opened = Gallery.open(gallery, photos=photos, device=device)
    among = None if asked.wanted == Filter() else opened.select(asked.wanted)
    searches: list[tuple[Example, ...]] = [(image,) for image in named] or [()]
    results = [
        (_title(image, asked), _hits(opened, (*image, *asked.likes), asked, among))
        for image in searches
    ]
    if opened.encoder.warning:
        click.echo(opened.encoder.warning, err=True)
    print_results(
        form,
        ({"query": title, **_hit(h)} for title, hits in results for h in hits),
        paths=dict.fromkeys(hit.path for _, hits in results for hit in hits),
        table=lambda: _show(results, opened, among),
        document=lambda: [
            {"query": title, "hits": [_hit(h) for h in hits]} for title, hits in results
        ],
    )


def _named(images: Sequence[str]) -> list[Example]:
    """The images on the command line, `-` replaced by those on stdin."""
    named: list[str] = []
    for image in images:
        if image == STDIN:
            text = sys.stdin.buffer.read()
            parts = text.split(b"\0" if b"\0" in text else b"\n")
            named += [_text(part) for part in parts if part.strip()]
        else:
            named.append(image)
    return [parse_example(name) for name in named]


def _text(line: bytes) -> str:
    return line.rstrip(b"\r").decode(sys.getfilesystemencoding(), "surrogateescape")


def _check(asked: Asked, named: Sequence[Example]) -> None:
    """Refuse what cannot be one search.

    Raises:
        click.UsageError: nothing to search by, or a crop of several images.
    """
    if not named and not asked.likes:
        raise click.UsageError("give an IMAGE to search by, or --like")
    if asked.crop and len(named) + len(asked.likes) != 1:
        raise click.UsageError("--crop needs exactly one image to take the part from")


def _title(image: tuple[Example, ...], asked: Asked) -> str:
    """What a search is called: the images it is by."""
    pushes = "".join(f", unlike {example.name}" for example in asked.unlikes)
    return " and ".join(example.name for example in (*image, *asked.likes)) + pushes


def _hits(
    gallery: Gallery, likes: Sequence[Example], asked: Asked, among: np.ndarray | None
) -> list[Hit]:
    """One search. Photos of the gallery that it is made of are not among its own results."""
    query = direction(
        [(embedding_of(gallery, one, asked.crop), one.weight) for one in likes],
        [(embedding_of(gallery, one), one.weight) for one in asked.unlikes],
    )
    own = {one.photo_id for one in (*likes, *asked.unlikes) if one.photo_id is not None}
    many = asked.k
    while True:
        hits = gallery.search(
            query,
            k=many * LOOK_AHEAD if asked.dedup else many,
            min_score=asked.min_score,
            exclude=frozenset(own),
            among=among,
            expand=_expands(gallery, asked),
        )
        kept = _once(gallery, hits) if asked.dedup else hits
        # Fewer than were looked for: there are no more.
        if len(kept) >= asked.k or len(hits) < many * LOOK_AHEAD or not asked.dedup:
            return _shown(gallery, kept[: asked.k], asked.wanted.folder)
        many *= LOOK_AHEAD


def _shown(gallery: Gallery, hits: list[Hit], folder: bytes | None) -> list[Hit]:
    """Hits with their ranks; of a photo's paths the one below the folder that was asked for."""
    paths = {hit.id: hit.path for hit in hits}
    if folder is not None:
        for photo in gallery.photos(paths).values():
            below = [p for p in (photo.path, *photo.other_paths) if p.startswith(folder + b"/")]
            paths[photo.id] = next(iter(below), photo.path)
    return [Hit(h.id, h.score, rank, paths[h.id]) for rank, h in enumerate(hits, start=1)]


def _expands(gallery: Gallery, asked: Asked) -> bool:
    # The scores of an expanded search lie higher: a least score is meant for the plain ones.
    if asked.expand is None:
        return asked.min_score is None and pays(len(gallery))
    return asked.expand


def _once(gallery: Gallery, hits: list[Hit]) -> list[Hit]:
    """The best of every group of near-duplicates."""
    if not hits:
        return []
    rows = np.stack([gallery.embedding(hit.id) for hit in hits])  # (n, d)
    _, first = np.unique(near_groups(rows, threshold=NEAR), return_index=True)
    return [hits[position] for position in sorted(first.tolist())]


def _hit(hit: Hit) -> dict[str, object]:
    return {"rank": hit.rank, "score": hit.score, "id": hit.id, "path": path_text(hit.path)}


def _show(results: list[tuple[str, list[Hit]]], gallery: Gallery, among: np.ndarray | None) -> None:
    for title, hits in results:
        click.echo(f"like {shown(title)}")
        print_table(
            ("rank", "score", "id", "path"), [(h.rank, h.score, str(h.id), h.path) for h in hits]
        )
    if among is not None:
        click.echo(f"searched among {len(among):,} of {len(gallery):,} photos", err=True)
    click.echo(f"paths are below {shown(gallery.photo_root)}", err=True)
