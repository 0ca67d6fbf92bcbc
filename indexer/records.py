"""The values that a gallery's catalogue is made of."""

from dataclasses import dataclass

import numpy as np

from indexer.kinds import Wanted
from training.exif import UNKNOWN_SHOT, Shot
from training.photos import FoundFile


@dataclass(frozen=True, slots=True)
class Published:
    """The encoder that `embeddings` were made with."""

    fingerprint: str  # SHA-256 of encoder.onnx
    source: str  # SHA-256 of the weights it was exported from
    spec: str  # EncoderSpec as JSON
    dim: int
    photos: int  # distinct photos at the time: what its centring was, or could have been, fit on


@dataclass(frozen=True, slots=True)
class Pending:
    """An encoder whose first pass over the photos is not finished."""

    fingerprint: str
    source: str


@dataclass(frozen=True, slots=True)
class State:
    """What the gallery is at one moment."""

    photo_root: bytes | None  # absolute; None before the first build has begun
    generation: int  # grows whenever what can be found changes
    published: Published | None  # None until the first build has finished
    pending: Pending | None  # None when no first pass is under way
    index: Wanted = "auto"  # the kind of index that was asked for


@dataclass(frozen=True, slots=True)
class Content:
    """A photo's bytes: their SHA-256 and what they hold."""

    hash: bytes
    width: int
    height: int
    format: str
    size_bytes: int
    shot: Shot = UNKNOWN_SHOT


@dataclass(frozen=True, slots=True)
class KnownPhoto:
    """A path in the catalogue, and the file and content it was when last seen."""

    size_bytes: int
    mtime_ns: int
    hash: bytes
    embedded: bool  # with the encoder that was asked about


@dataclass(frozen=True, slots=True)
class KnownSkip:
    """A file that could not be used, and when its reason may be taken to hold still."""

    path: bytes
    reason: str
    size_bytes: int | None = None  # None: look again next time
    mtime_ns: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """A path with its content, ready to be recorded."""

    file: FoundFile
    hash: bytes
    content: Content | None = None  # None: the catalogue has this content already
    vector: np.ndarray | None = None  # (d,) float32; None: it has this embedding already
    moved_from: bytes | None = None  # the path that this one replaces


@dataclass(frozen=True, slots=True, eq=False)
class Embeddings:
    """The embeddings of all photos that have a path, as of one generation."""

    generation: int
    encoder: str  # fingerprint
    ids: np.ndarray  # (n,) int64, ascending
    rows: np.ndarray  # (n, d) float32


@dataclass(frozen=True, slots=True, eq=False)
class StagedSample:
    """Some of the staged embeddings, to fit a centring on."""

    photos: int  # how many photos there are to draw from
    rows: np.ndarray  # (n, d) float32 unit rows, n <= photos


@dataclass(frozen=True, slots=True)
class PhotoFacts:
    """What is known of one photo."""

    id: int
    path: bytes  # relative to the photo root
    other_paths: tuple[bytes, ...]  # exact copies
    width: int  # upright, in full
    height: int
    format: str
    size_bytes: int
    mtime_ns: int
    content_hash: str  # SHA-256, hex
    taken: str | None = None  # "YYYY-MM-DD HH:MM:SS" by the camera's clock; None: EXIF has none
    camera: str | None = None  # None: EXIF has none


@dataclass(frozen=True, slots=True)
class Counts:
    """How much a catalogue holds."""

    photos: int  # paths
    distinct: int  # contents that have a path
    skipped: int
