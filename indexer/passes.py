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
from indexer.encoder import OnnxEncoder, read_encoder
from indexer.folder import GalleryFolder, file_hash
from indexer.foreign import adapted, is_foreign
from indexer.records import Pending, Published
from indexer.sources import EncoderSource, find_source
from indexer.wording import shown
from training.errors import EncoderError, GalleryError
from training.files import atomic_write
from training.progress import Progress


@dataclass(frozen=True, eq=False)
class Pass:
    """An encoder to embed with, and where its rows go."""

    encoder: OnnxEncoder
    staged: bool  # whether this is the encoder's first pass over the photos
    notes: tuple[str, ...] = ()


def continue_gallery(
    folder: GalleryFolder, published: Published, source: EncoderSource | None, *, device: str
) -> Pass:
    """Embed what is new with the gallery's own encoder.

    Args:
        folder: the gallery's.
        published: its encoder, as the catalogue names it.
        source: the encoder that was asked for; None for the gallery's own.
        device: `auto`, `cpu` or `cuda`.

    Raises:
        GalleryError: another encoder was asked for, or the gallery's is gone or changed.
    """
    if source is not None and source.sha256 != published.source:
        raise GalleryError(
            f"the gallery was built with encoder {published.source[:12]}; "
            f"{shown(source.path)} holds {source.sha256[:12]}",
            hint=f"{folder.rebuild_command(source.path)} embeds every photo with it",
        )
    return Pass(folder.open_encoder(published, device=device), staged=False)


def start_first_pass(
    folder: GalleryFolder,
    catalogue: Catalogue,
    source: EncoderSource | None,
    *,
    device: str,
    progress: Progress,
) -> Pass:
    """Embed everything with an encoder that the gallery does not have yet, or go on doing so.

    Args:
        folder: the gallery's.
        catalogue: the gallery's.
        source: the encoder that was asked for; None goes on with the one under way, or rebuilds
            with the gallery's own.
        device: `auto`, `cpu` or `cuda`.
        progress: told of the export, which takes some seconds.

    Raises:
        EncoderError: there is no encoder to take, or it cannot be read.
    """
    state = catalogue.state()
    if _under_way(folder, state.pending, source):
        encoder = OnnxEncoder.open(folder.base_encoder, device=device)
        return Pass(encoder, staged=True, notes=("went on with the build begun earlier",))
    if source is None and state.published is None:
        raise no_encoder()
    if source is None:
        assert state.published is not None
        folder.open_encoder(state.published, device="cpu")  # refuses what is not the gallery's
        source = find_source(folder.encoder)
    notes = _take(source, folder.base_encoder, progress)
    encoder = OnnxEncoder.open(folder.base_encoder, device=device)
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


def _under_way(
    folder: GalleryFolder, pending: Pending | None, source: EncoderSource | None
) -> bool:
    """Whether a first pass with this encoder was begun and its file is still there."""
    if pending is None or (source is not None and source.sha256 != pending.source):
        return False
    return file_hash(folder.base_encoder) == pending.fingerprint


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
