"""What of this machine bears on galleries: libraries, photo formats, GPU, memory, disk."""

import os
import shutil
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import faiss
import PIL
from PIL import features

from indexer import providers
from indexer.catalogue import Catalogue
from indexer.folder import GalleryFolder
from indexer.runtime import ort
from indexer.wording import shown
from training.photos import FORMATS
from training.wording import counted, quoted

# Two distributions of one library write into the same folder: what runs is whichever came last.
_RIVALS = (
    ("faiss-cpu", "faiss-gpu", "faiss-gpu-cuvs"),
    ("onnxruntime", "onnxruntime-gpu"),
)

# What each format that may be missing from a build of Pillow needs.
_OPTIONAL_FORMATS = {
    "AVIF": "install a Pillow with AVIF: `pip install --upgrade pillow`",
    "HEIF": "`pip install pillow-heif` where there are wheels for this platform",
    "WEBP": "install a Pillow with WebP: `pip install --upgrade pillow`",
}

# Below these, builds of usual size begin to fail.
LEAST_FREE_BYTES = 1 << 30
LEAST_MEMORY_BYTES = 2 << 30


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    found: str
    advice: str = ""  # what to do; empty where all is well
    serious: bool = False  # whether results may be wrong or work may stop


def examine(gallery: Path | None = None) -> list[Finding]:
    """Look at this machine, and at one gallery's place on it.

    Raises:
        GalleryError: there is no gallery in the folder given.
    """
    findings = [
        Finding("python", sys.version.split()[0]),
        *(_rivals(names) for names in _RIVALS),
        *_formats(),
        _profiles(),
        *_devices(),
        _memory(),
        _disk(gallery or Path.cwd()),
    ]
    return findings if gallery is None else [*findings, *_gallery(gallery)]


def _rivals(names: tuple[str, ...]) -> Finding:
    """Which of several distributions of one library are installed."""
    there = [f"{name} {metadata.version(name)}" for name in names if _installed(name)]
    loaded = {"faiss-cpu": faiss.__version__, "onnxruntime": ort.__version__}[names[0]]
    found = f"{' and '.join(there) or 'installed by other means'}, version {loaded} in use"
    if len(there) < 2:
        return Finding(names[0].split("-")[0], found)
    return Finding(
        names[0].split("-")[0],
        found,
        f"they overwrite each other and a GPU may go unused in silence: "
        f"`pip uninstall -y {' '.join(names)}` and `pip install` lookalike again",
        serious=True,
    )


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _formats() -> list[Finding]:
    findings = [Finding("photo formats", f"{', '.join(FORMATS)} (Pillow {PIL.__version__})")]
    findings += [
        Finding(f"{name} photos", "cannot be read here", advice)
        for name, advice in _OPTIONAL_FORMATS.items()
        if name not in FORMATS
    ]
    return findings


def _profiles() -> Finding:
    if features.check("littlecms2"):
        return Finding("colour profiles", "converted to sRGB")
    return Finding(
        "colour profiles",
        "ignored: this Pillow has no LittleCMS",
        "`pip install --upgrade pillow`",
    )


def _devices() -> list[Finding]:
    count = providers.cuda_device_count()
    offered = providers.CUDA in ort.get_available_providers()
    if count == 0:
        return [Finding("GPU", "no CUDA driver answers: the CPU is used")]
    embedding = Finding("GPU for embedding", f"{count} CUDA devices, ONNX Runtime can use them")
    if not offered:
        embedding = Finding(
            "GPU for embedding",
            f"{count} CUDA devices, and ONNX Runtime cannot use them",
            "`pip install 'onnxruntime-gpu[cuda,cudnn]'`",
        )
    searching = Finding("GPU for search", f"FAISS sees {faiss.get_num_gpus()} devices")
    if faiss.get_num_gpus() == 0:
        searching = Finding(
            "GPU for search",
            "FAISS sees no GPU: searches run on the CPU",
            "`pip install faiss-gpu`",
        )
    return [embedding, searching]


def _memory() -> Finding:
    try:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, AttributeError, OSError):  # pragma: no cover - not on Linux
        return Finding("memory", f"cannot be told here; {providers.cores()} cores")
    # Pages of files that the system keeps for speed count as free, where they are listed.
    available = _available_bytes() or free
    found = f"{_gigabytes(available)} available, {providers.cores()} cores"
    short = available < LEAST_MEMORY_BYTES
    return Finding("memory", found, "close other programs before a build" if short else "")


def _available_bytes() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:  # pragma: no cover - not on Linux
        return None
    sizes = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return int(sizes[0]) * 1024 if sizes else None


def _disk(place: Path) -> Finding:
    free = shutil.disk_usage(place).free
    short = free < LEAST_FREE_BYTES
    advice = f"free some space on the disk of {shown(place)}" if short else ""
    return Finding("disk", f"{_gigabytes(free)} free at {shown(place)}", advice, serious=short)


def _gallery(path: Path) -> list[Finding]:
    folder = GalleryFolder(path)
    folder.check()
    catalogue = Catalogue.open(folder.catalogue)
    state, counts = catalogue.state(), catalogue.counts()
    findings = [
        Finding(
            "gallery",
            f"{counted(counts.photos, 'photo')}, {counted(counts.skipped, 'file')} skipped",
            "" if state.published else f"`ssl-index build PHOTOS -o {quoted(path)}` finishes it",
        )
    ]
    root = Path(os.fsdecode(state.photo_root or b""))
    if state.photo_root is not None and not root.is_dir():
        advice = f"mount the drive, or `ssl-index update {quoted(path)} --photos DIR`"
        findings.append(Finding("photos", f"are not in {shown(root)} any more", advice))
    if not os.access(path, os.W_OK):
        findings.append(Finding("gallery folder", "read-only: search works, updates do not"))
    return findings


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:,.1f} GB"
