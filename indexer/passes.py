"""Which encoder a build embeds with, and how a new one becomes the gallery's.

The first build, and `--rebuild`, are a first pass: all photos go through the encoder as it came,
their rows wait in the catalogue's `staged` table, and what the gallery had before stays in use.
When the pass is complete, the centring is learned from the rows and the encoder is published.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from indexer.catalogue import Catalogue
from indexer.centring import Centring, CentringPlan, fit_centring, with_centring, without_centring
from indexer.encoder import FULL_PRECISION, OnnxEncoder, read_encoder
from indexer.folder import GalleryFolder, file_hash
from indexer.foreign import adapted, is_foreign
from indexer.pipeline import embedding_threads
from indexer.precision import CHECK_PHOTOS, RANGE_PHOTOS, Agreement, reduced
from indexer.records import Pending, Published
from indexer.sampling import sample_photos
from indexer.sources import EncoderSource, find_source
from indexer.wording import shown
from training.errors import EncoderError, GalleryError
from training.files import atomic_write
from training.progress import Progress


@dataclass(frozen=True)
class EncoderRequest:
    """What a build was asked to embed with."""

    photos: Path  # the folder
    source: EncoderSource | None  # None: the gallery's own encoder
    precision: str | None  # None: full precision, or what the gallery has
    device: str  # `auto`, `cpu` or `cuda`


@dataclass(frozen=True, eq=False)
class Pass:
    """An encoder to embed with, and where its rows go."""

    encoder: OnnxEncoder
    staged: bool  # whether this is the encoder's first pass over the photos
    notes: tuple[str, ...] = ()


def continue_gallery(folder: GalleryFolder, published: Published, asked: EncoderRequest) -> Pass:
    """Embed what is new with the gallery's own encoder.

    Args:
        folder: the gallery's.
        published: its encoder, as the catalogue names it.
        asked: the encoder that was asked for.

    Raises:
        GalleryError: another encoder or precision was asked for, or the gallery's encoder is gone
            or changed.
    """
    source = asked.source
    if source is not None and source.sha256 != published.source:
        raise GalleryError(
            f"the gallery was built with encoder {published.source[:12]}; "
            f"{shown(source.path)} holds {source.sha256[:12]}",
            hint=f"{folder.rebuild_command(source.path)} embeds every photo with it",
        )
    encoder = folder.open_encoder(published, device=asked.device, threads=embedding_threads())
    if asked.precision not in (None, encoder.precision):
        run = source.path if source else Path("RUN")
        raise GalleryError(
            f"the gallery was built in {encoder.precision}, asked for is {asked.precision}",
            hint=f"{folder.rebuild_command(run, precision=asked.precision)} embeds every photo "
            "in it",
        )
    return Pass(encoder, staged=False)


def start_first_pass(
    folder: GalleryFolder, catalogue: Catalogue, asked: EncoderRequest, *, progress: Progress
) -> Pass:
    """Embed everything with an encoder that the gallery does not have yet, or go on doing so.

    Args:
        folder: the gallery's.
        catalogue: the gallery's.
        asked: the encoder that was asked for; without a source goes on with the one under way, or
            rebuilds with the gallery's own.
        progress: told of the export, which takes some seconds.

    Raises:
        EncoderError: there is no encoder to take, it cannot be read, or not be turned into the
            precision.
        CollectionError: a precision must be measured on photos, and there is none.
    """
    state = catalogue.state()
    if _under_way(folder, state.pending, asked):
        encoder = OnnxEncoder.open(
            folder.base_encoder, device=asked.device, threads=embedding_threads()
        )
        return Pass(encoder, staged=True, notes=("went on with the build begun earlier",))
    source = asked.source
    if source is None and state.published is None:
        raise no_encoder()
    if source is None:
        assert state.published is not None
        folder.open_encoder(state.published, device="cpu")  # refuses what is not the gallery's
        source = find_source(folder.encoder)
    notes = _take(source, folder.base_encoder, progress)
    notes += _reduce(folder.base_encoder, source, asked, folder.precision(state), progress)
    encoder = OnnxEncoder.open(
        folder.base_encoder, device=asked.device, threads=embedding_threads()
    )
    catalogue.start_pending(Pending(encoder.fingerprint, source.sha256))
    return Pass(encoder, staged=True, notes=notes)


def publish_encoder(
    folder: GalleryFolder, catalogue: Catalogue, encoder: OnnxEncoder, plan: CentringPlan
) -> str:
    """End a first pass: learn the centring, bake it into the file, transform the rows.

    The new file lies ready before the transaction that names it, and takes the old one's place
    after: whenever this stops, the catalogue's rows and the encoder it names fit each other.

    Returns:
        A sentence that says what was done.
    """
    pending = catalogue.state().pending
    assert pending is not None
    sample = catalogue.staged_sample(most=plan.fit_photos, seed=plan.seed)
    centring = fit_centring(sample.rows, photos=sample.photos, plan=plan)
    model = folder.base_encoder.read_bytes()
    if centring is not None:
        model = with_centring(model, centring)
    atomic_write(folder.new_encoder, model)
    published = Published(
        fingerprint=hashlib.sha256(model).hexdigest(),
        source=pending.source,
        spec=OnnxEncoder.open(folder.new_encoder, device="cpu").spec.to_json(),
        dim=encoder.dim if centring is None else centring.dim,
        photos=sample.photos,
    )
    catalogue.publish(published, centre=centring.apply if centring else lambda rows: rows)
    folder.tidy(catalogue.state())
    catalogue.compact()
    return _told(centring, photos=sample.photos, dim=encoder.dim, plan=plan)


def no_encoder() -> EncoderError:
    """The error of a first build without an encoder."""
    return EncoderError(
        "there is no encoder: neither a run in ./run nor a gallery to go on with",
        hint="train one with `ssl-train PHOTOS`, or name one with --encoder",
    )


def _under_way(folder: GalleryFolder, pending: Pending | None, asked: EncoderRequest) -> bool:
    """Whether a first pass with this encoder was begun and its file is still there."""
    source = asked.source
    if pending is None or (source is not None and source.sha256 != pending.source):
        return False
    if file_hash(folder.base_encoder) != pending.fingerprint:
        return False
    begun = OnnxEncoder.open(folder.base_encoder, device="cpu").precision
    return asked.precision in (None, begun)


def _take(source: EncoderSource, destination: Path, progress: Progress) -> tuple[str, ...]:
    """Bring an encoder into the gallery, as one uncentred ONNX file."""
    if source.is_onnx:
        model = read_encoder(source.path)
        foreign = is_foreign(model)
        atomic_write(destination, adapted(source.path) if foreign else without_centring(model))
        return ("took an encoder made elsewhere",) if foreign else ()
    # The one border to torch, crossed only when weights must be exported: searching, and building
    # from an ONNX file, work without it.
    from indexer.export import export_encoder  # noqa: PLC0415

    progress.say("exporting the encoder to ONNX")
    report = export_encoder(source.path, destination)
    return (f"exported the encoder; PyTorch and ONNX agree to within {report.parity:.0e}",)


def _reduce(
    base: Path, source: EncoderSource, asked: EncoderRequest, kept: str | None, progress: Progress
) -> tuple[str, ...]:
    """Turn the encoder at `base` into the precision that was asked for, or that a rebuild keeps."""
    encoder = OnnxEncoder.open(base, device="cpu")
    precision = asked.precision or kept
    if precision in (None, encoder.precision):
        return ()
    if encoder.precision != FULL_PRECISION:
        if asked.precision is None:
            return ()  # it came so
        raise EncoderError(
            f"{shown(source.path)} is in {encoder.precision}, which cannot be turned into "
            f"{precision}",
            hint="name the run or the weights that it was exported from with --encoder",
        )
    progress.say(f"measuring {precision} on some of the photos")
    pixels = sample_photos(
        asked.photos, encoder.spec.preprocessing, most=RANGE_PHOTOS + CHECK_PHOTOS
    )
    result = reduced(base.read_bytes(), precision, pixels, device=asked.device)
    atomic_write(base, result.model)
    return (_told_precision(precision, result.agreement),)


def _told_precision(precision: str, agreement: Agreement) -> str:
    return (
        f"{precision} embeds {agreement.speed:.1f} times as fast as {FULL_PRECISION} here; cosine "
        f"to its embeddings {agreement.mean:.4f} on average, {agreement.worst:.3f} at worst, on "
        f"{agreement.photos:,} photos"
    )


def _told(centring: Centring | None, *, photos: int, dim: int, plan: CentringPlan) -> str:
    if centring is None:
        reason = (
            f"centring is learned from {plan.centre_from:,} distinct photos on"
            if photos < plan.centre_from
            else "the photos are nearly the same"
        )
        return f"embeddings of {dim:,} numbers, not centred: {reason}"
    learned = f"centred on the mean of {photos:,} photos"
    if centring.components is None:
        return f"embeddings of {dim:,} numbers, {learned}"
    return f"embeddings {learned} and reduced from {dim:,} to {centring.dim} numbers"
