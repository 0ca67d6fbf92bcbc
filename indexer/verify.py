"""Is a gallery whole? Every part against its checksum, and the parts against each other."""

import hashlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from os import fsdecode
from pathlib import Path

import numpy as np

from indexer import checksums, index_files, schema
from indexer.arrays import read_arrays
from indexer.catalogue import Catalogue
from indexer.folder import GalleryFolder, file_hash
from indexer.layout import MAP_FILE
from indexer.neighbourhoods import NEIGHBOURS_FILE
from indexer.records import Embeddings, Published, State
from indexer.selection import facts_of
from indexer.vectors import VectorIndex
from indexer.wording import shown
from training.errors import EncoderError, GalleryError, Interrupted, LookalikeError, PhotoError
from training.photos import decode, read_file
from training.progress import Progress
from training.wording import quoted

# A photo embedded again, perhaps on another machine and by another version of a decoder.
SAME = 0.999

# Photos that `deep` embeds again: a wrong share of 1.5 % is met with 95 % certainty.
SAMPLE = 200

UPLOADS = "uploads"


@dataclass(frozen=True, slots=True)
class Check:
    """One part of a gallery, looked at."""

    part: str
    problem: str  # empty: it is whole
    found: str  # what was looked at
    repair: str = ""  # the command that helps


def verify(folder: Path) -> list[Check]:
    """Check all files of a gallery; its photos are not looked at.

    Raises:
        GalleryError: there is none, its first build has not finished, or it changed meanwhile.
    """
    place = GalleryFolder(folder)
    place.check()
    try:
        schema.check_version(place.catalogue)
        state = Catalogue(place.catalogue).state()
    except GalleryError as error:
        return [Check("catalogue", error.message, "catalogue.sqlite", error.hint)]
    published = place.published(state)
    checks = [
        _catalogue(place, state),
        _encoder(place, state, published),
        _index(place, state, published),
        *_caches(place, state),
        *_uploads(place),
    ]
    if Catalogue(place.catalogue).state() != state:
        raise GalleryError(
            f"the gallery {shown(folder)} was changed while it was checked",
            hint="run the same command again",
        )
    return checks


def verify_photos(
    folder: Path,
    *,
    photos: Path | None,
    device: str,
    progress: Progress,
    stop: Callable[[], bool] = lambda: False,
    sample: int = SAMPLE,
) -> list[Check]:
    """Read every photo's file again, and embed some again, of a gallery that `verify` found whole.

    Args:
        folder: the gallery.
        photos: where its photos are now, if they moved.
        device: `auto`, `cpu` or `cuda`.
        progress: told of the files.
        stop: asked between files.
        sample: how many photos to embed again.

    Raises:
        Interrupted: `stop` said so.
        GalleryError: the gallery or its encoder is missing or damaged.
    """
    place = GalleryFolder(folder)
    catalogue = Catalogue.open(place.catalogue)
    state = catalogue.state()
    published = place.published(state)
    root = photos or Path(fsdecode(state.photo_root or b""))
    encoder = place.open_encoder(published, device=device)
    embeddings = catalogue.embeddings()
    rows = dict(zip(embeddings.ids.tolist(), embeddings.rows, strict=True))
    facts = facts_of(place.catalogue, rows)
    drawn = set(random.Random(0).sample(sorted(rows), min(sample, len(rows))))
    wrong: list[Path] = []
    apart: list[Path] = []
    progress.start("reading photos", total=len(facts), unit="photos")
    for number, known in facts.items():
        if stop():
            raise Interrupted("stopped between two photos", hint="run the same command again")
        for path in (known.path, *known.other_paths):
            data = _bytes_of(root / fsdecode(path), known.content_hash)
            if data is None:
                wrong.append(root / fsdecode(path))
            elif number in drawn:
                drawn.remove(number)
                image = decode(data, at_least=encoder.spec.preprocessing.at_least).image
                if float(encoder.embed_image(image) @ rows[number]) < SAME:
                    apart.append(root / fsdecode(path))
        progress.advance(1)
    progress.finish()
    update = f"`ssl-index build {quoted(root)} -o {quoted(folder)} --prune`"
    return [
        Check(
            "photos", _named(wrong, "are gone or were changed"), f"{len(facts):,} photos", update
        ),
        Check(
            "embeddings",
            _named(apart, f"have another embedding now (cosine below {SAME})"),
            f"{min(sample, len(rows)):,} photos embedded again",
            _rebuild(place, state),
        ),
    ]


def _catalogue(place: GalleryFolder, state: State) -> Check:
    """SQLite's own structure, then the checksum of every row, then that all belong together."""
    found = f"catalogue.sqlite, generation {state.generation}"
    try:
        with schema.connected(place.catalogue, read_only=True) as connection:
            broken = checksums.check_structure(connection)
            if broken:
                return Check("catalogue", broken[0].splitlines()[0], found, _anew(place, state))
            damaged = checksums.damaged_rows(connection)
            missing = connection.execute(
                "SELECT count(*) FROM photos LEFT JOIN embeddings USING (content_id)"
                " WHERE embeddings.content_id IS NULL"
            ).fetchone()[0]
    except GalleryError as error:
        return Check("catalogue", error.message, found, _anew(place, state))
    problem = ", ".join(f"{count:,} rows of {name} are damaged" for name, count in damaged.items())
    if missing and not problem:
        problem = f"{missing:,} photos have no embedding"
    return Check("catalogue", problem, found, _rebuild(place, state))


def _encoder(place: GalleryFolder, state: State, published: Published) -> Check:
    found = f"encoder.onnx, SHA-256 {published.fingerprint[:12]}"
    try:
        encoder = place.open_encoder(published, device="cpu")
    except (GalleryError, EncoderError) as error:
        return Check("encoder", error.message, found, error.hint)
    said = (encoder.spec.to_json(), encoder.dim)
    problem = "" if said == (published.spec, published.dim) else "not as the catalogue describes it"
    return Check("encoder", problem, found, _rebuild(place, state))


def _index(place: GalleryFolder, state: State, published: Published) -> Check:
    manifest = index_files.read_manifest(place.path)
    repair = _update(place, state)
    found = manifest.rows if manifest else index_files.MANIFEST_FILE
    if manifest and manifest.index:
        found += f", {manifest.index}"
    index = index_files.load(
        place.path, generation=state.generation, encoder=published.fingerprint, rehash=True
    )
    if index is None:
        return Check("index", _why_not_loaded(place, state), found, repair)
    try:
        embeddings = Catalogue(place.catalogue).embeddings()
    except (LookalikeError, ValueError):  # the catalogue's check tells of it
        return Check("index", "cannot be compared with the catalogue", found, repair)
    same = _holds(index, embeddings)
    return Check("index", "" if same else "not the catalogue's embeddings", found, repair)


def _holds(index: VectorIndex, embeddings: Embeddings) -> bool:
    same_ids = np.array_equal(index.ids, embeddings.ids)
    return same_ids and np.array_equal(index.rows, embeddings.rows)


def _why_not_loaded(place: GalleryFolder, state: State) -> str:
    manifest = index_files.read_manifest(place.path)
    if manifest is None:
        return f"{index_files.MANIFEST_FILE} is missing or damaged"
    if manifest.generation != state.generation:
        return f"of generation {manifest.generation}, the catalogue is at {state.generation}"
    if file_hash(place.path / manifest.rows) != manifest.rows_sha256:
        return f"{manifest.rows} is missing, or does not match its checksum"
    if manifest.index and file_hash(place.path / manifest.index) != manifest.index_sha256:
        return f"{manifest.index} is missing, or does not match its checksum"
    return "does not fit the catalogue"


def _caches(place: GalleryFolder, state: State) -> Iterator[Check]:
    """What is old is made again by itself; what is damaged is told."""
    again = f"`ssl-index map {quoted(place.path)} --again`"
    caches = (("map", MAP_FILE, again), ("neighbours", NEIGHBOURS_FILE, _update(place, state)))
    for name, file, repair in caches:
        if (place.path / file).exists():
            problem = "damaged" if read_arrays(place.path / file) is None else ""
            yield Check(name, problem, file, repair)


def _uploads(place: GalleryFolder) -> Iterator[Check]:
    """Uploaded query images are named by their checksum."""
    files = sorted((place.path / UPLOADS).glob("*.jpg"))
    if files:
        damaged = [file for file in files if file_hash(file) != file.stem]
        found = f"{len(files):,} uploaded images"
        remove = f"`rm {quoted(damaged[0])}`" if damaged else ""
        yield Check("uploads", _named(damaged, "are damaged"), found, remove)


def _bytes_of(path: Path, content_hash: str) -> bytes | None:
    try:
        data = read_file(path)
    except PhotoError:
        return None
    return data if hashlib.sha256(data).hexdigest() == content_hash else None


def _named(paths: list[Path], what: str) -> str:
    return f"{len(paths):,} {what}, the first is {shown(paths[0])}" if paths else ""


def _root(state: State) -> str:
    return quoted(fsdecode(state.photo_root or b"PHOTOS"))


def _update(place: GalleryFolder, state: State) -> str:
    return f"`ssl-index build {_root(state)} -o {quoted(place.path)}`"


def _rebuild(place: GalleryFolder, state: State) -> str:
    return f"`ssl-index build {_root(state)} -o {quoted(place.path)} --rebuild`"


def _anew(place: GalleryFolder, state: State) -> str:
    aside = place.path.with_name(place.path.name + ".damaged")
    encoder = quoted(aside / "encoder.onnx")
    return (
        f"`mv {quoted(place.path)} {quoted(aside)}`, then `ssl-index build {_root(state)}"
        f" -o {quoted(place.path)} --encoder {encoder}`"
    )
