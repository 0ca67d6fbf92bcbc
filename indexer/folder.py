"""A gallery's folder: which files it holds, who may write, which encoder file is the right one."""

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from indexer.encoder import OnnxEncoder
from indexer.records import Published, State
from indexer.wording import shown
from training.errors import GalleryError
from training.files import mark_folder
from training.lock import LOCK_FILE, WRITER_FILE, only_writer
from training.photos import MARKER
from training.wording import quoted

# Writing one takes milliseconds.
SECONDS_OF_AN_UPLOAD = 3600

# What a folder may hold to be taken for a gallery that was only begun.
_BEGUN = frozenset({MARKER, LOCK_FILE, WRITER_FILE})


@dataclass(frozen=True)
class GalleryFolder:
    """The files of one gallery.

    While an encoder makes its first pass over the photos it is `base_encoder`. Once its centring
    is learned it becomes `new_encoder`; the catalogue then names it, and only after that does it
    take the place of `encoder`. A crash between those two leaves it findable by its hash.
    """

    path: Path
    read_only: bool = False  # nobody may write here through this value

    @property
    def catalogue(self) -> Path:
        """The SQLite file."""
        return self.path / "catalogue.sqlite"

    @property
    def encoder(self) -> Path:
        """The encoder that the gallery's embeddings were made with."""
        return self.path / "encoder.onnx"

    @property
    def base_encoder(self) -> Path:
        """An encoder that is not centred yet."""
        return self.path / "encoder.base.onnx"

    @property
    def new_encoder(self) -> Path:
        """An encoder that is about to replace `encoder`."""
        return self.path / "encoder.new.onnx"

    @property
    def in_flight(self) -> Path:
        """The photos being decoded, for the next build to know should this one crash."""
        return self.path / ".decoding"

    def check(self) -> None:
        """Refuse a folder without a gallery in it.

        Raises:
            GalleryError: naming the command that makes one.
        """
        if not self.catalogue.is_file():
            raise GalleryError(
                f"there is no gallery in {shown(self.path)}",
                hint=f"`ssl-index build PHOTOS -o {quoted(self.path)}` makes one",
            )

    @contextmanager
    def claimed(self, *, command: str, wait_seconds: float) -> Iterator[None]:
        """Create the folder if need be, and be its only writer; see `only_writer`.

        Raises:
            GalleryError: it holds something else, another process is writing, or it is read-only.
            OSError: it cannot be written.
        """
        if self.read_only:
            raise looking_only(self.path)
        self._check_ours()
        self.path.mkdir(parents=True, exist_ok=True)
        with only_writer(self.path, command=command, wait_seconds=wait_seconds, error=GalleryError):
            for file in self._half_written():
                file.unlink(missing_ok=True)
            mark_folder(self.path)
            yield

    def published(self, state: State) -> Published:
        """The encoder of a gallery whose first build has finished.

        Raises:
            GalleryError: it has not, with the command that goes on.
        """
        if state.published is None:
            raise GalleryError(
                f"the first build of the gallery {shown(self.path)} has not finished",
                hint=f"`ssl-index build PHOTOS -o {quoted(self.path)}` goes on with it",
            )
        return state.published

    def open_encoder(
        self, published: Published, *, device: str, threads: int | None = None
    ) -> OnnxEncoder:
        """The encoder that the gallery's embeddings were made with.

        Raises:
            GalleryError: it is gone or changed, with the command that rebuilds.
        """
        for path in (self.encoder, self.new_encoder):
            # Read once: what is parsed is what was checked, whatever happens to the file.
            model = path.read_bytes() if path.is_file() else b""
            if hashlib.sha256(model).hexdigest() == published.fingerprint:
                return OnnxEncoder.load(model, path=path, device=device, threads=threads)
        found = "not the one its photos went through" if self.encoder.exists() else "missing"
        raise GalleryError(
            f"{shown(self.encoder)} is {found} (expected SHA-256 {published.fingerprint[:12]})",
            hint=f"put it back, or embed every photo again: {self.rebuild_command(Path('RUN'))}",
        )

    def precision(self, state: State) -> str | None:
        """What the gallery's encoder computes in; None when there is none that is the right one."""
        if state.published is None:
            return None
        try:
            return self.open_encoder(state.published, device="cpu").precision
        except GalleryError:
            return None

    def rebuild_command(self, encoder: Path, *, precision: str | None = None) -> str:
        """The command that embeds every photo with an encoder."""
        asked = f" --precision {precision}" if precision else ""
        return (
            f"`ssl-index build PHOTOS -o {quoted(self.path)} --encoder {quoted(encoder)} "
            f"--rebuild{asked}`"
        )

    def tidy(self, state: State) -> None:
        """Put the published encoder in its place and drop files that no work under way needs."""
        if state.published and self._find_encoder(state.published.fingerprint) == self.new_encoder:
            self.new_encoder.replace(self.encoder)
        self.new_encoder.unlink(missing_ok=True)
        if state.pending is None:
            self.base_encoder.unlink(missing_ok=True)

    def size_bytes(self) -> int:
        """What the gallery takes on the disk."""
        return sum(file.stat().st_size for file in self.path.rglob("*") if file.is_file())

    def _find_encoder(self, fingerprint: str) -> Path | None:
        """The file with this hash, in its place or about to be; None when it is gone."""
        for path in (self.encoder, self.new_encoder):
            if file_hash(path) == fingerprint:
                return path
        return None

    def _check_ours(self) -> None:
        """Whether the folder is absent, empty, a gallery, or one that was only begun."""
        if self.path.exists() and not self.path.is_dir():
            raise GalleryError(
                f"{shown(self.path)} is a file, not a folder", hint="choose another with -o"
            )
        if not self.path.exists() or self.catalogue.exists():
            return
        ours = _BEGUN.union(file.name for file in self._half_written())
        strange = sorted({entry.name for entry in self.path.iterdir()} - ours)
        if strange:
            raise GalleryError(
                f"{shown(self.path)} is not a gallery and not empty: it holds {shown(strange[0])}",
                hint="choose another folder with -o",
            )

    def _half_written(self) -> list[Path]:
        """Temporary files of a process that was killed: `replacing` names them so."""
        names = (MARKER, "encoder.*", "vectors*", "map.*", "neighbours.*", "verified.*")
        found = [file for name in names for file in self.path.glob(f".{name}.*")]
        # The app writes uploads without being the gallery's writer: what is young may be its own.
        uploads = self.path.glob("uploads/.*.jpg.*")
        old = time.time() - SECONDS_OF_AN_UPLOAD
        return [*found, *(file for file in uploads if file.stat().st_mtime < old)]


def looking_only(folder: Path) -> GalleryError:
    """What is told of a write to a gallery that was opened for looking only."""
    return GalleryError(
        f"the gallery {shown(folder)} is open for looking only",
        hint="start `ssl-app` without --read-only to change it",
    )


def file_hash(path: Path) -> str:
    """A file's SHA-256 in hex; empty when there is no such file."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return ""
