"""The Library page: what is in the gallery, its update, and what could not be used."""

import os
from importlib.metadata import version

import streamlit as st

from app.lists import csv_bytes
from app.ui import look
from app.ui.served import library
from app.ui.update_panel import update_panel
from indexer.gallery import Gallery, GalleryInfo
from training.console import readable
from training.photos import SkippedFile
from training.wording import counted

# What the gallery is searched with, for whoever reports a problem.
COMPONENTS = ("lookalike", "streamlit", "onnxruntime", "faiss", "numpy", "pillow")
_DISTRIBUTIONS = {
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu"),
    "faiss": ("faiss-cpu", "faiss-gpu"),
}


def page() -> None:
    """Draw the page."""
    gallery = library().gallery()
    info = gallery.info()
    look.heading("Library", detail=f"Photos in {readable(str(gallery.photo_root))}")
    row = st.container(horizontal=True, gap="large", key="library")
    with row.container(width="stretch", key="library-facts"):
        _facts(gallery, info)
    with row.container(width="stretch", key="library-update"):
        update_panel(gallery)
    _skipped(gallery.skipped())


def _facts(gallery: Gallery, info: GalleryInfo) -> None:
    copies = info.photos - info.distinct
    spec = info.encoder
    look.heading("In this gallery", level=2)
    look.facts(
        {
            "Photos": f"{info.distinct:,} different"
            + (f", and {counted(copies, 'exact copy', 'exact copies')} of some" if copies else ""),
            "Skipped files": f"{info.skipped:,}",
            "Encoder": spec.origin or spec.backbone,
            "Network": f"{spec.backbone}, {spec.preprocessing.image_size} pixels, "
            f"{info.dim} dimensions",
            "Runs on": gallery.encoder.provider.removesuffix("ExecutionProvider"),
            "Encoder's SHA-256": info.fingerprint[:16],
            "Index": f"{info.index}, generation {info.generation:,}",
            "On the disk": look.size(info.size_bytes),
            "Gallery": readable(str(info.folder.absolute())),
            "Versions": ", ".join(_versions()),
        }
    )


def _versions() -> list[str]:
    """Each component with its version."""
    found = []
    for name in COMPONENTS:
        for distribution in _DISTRIBUTIONS.get(name, (name,)):
            try:
                found.append(f"{name} {version(distribution)}")
                break
            except ModuleNotFoundError:  # installed under its other name
                continue
    return found


def _skipped(skipped: list[SkippedFile]) -> None:
    """The files that could not be used: to read, to search in, to take along."""
    count = counted(len(skipped), "file")
    if not skipped:
        look.heading(
            "No file was skipped", detail="Everything in the folder is a photo in use.", level=2
        )
        return
    look.heading(
        f"{count} skipped",
        detail="They are where they were, but cannot be found by searching. Each with its reason.",
        level=2,
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        wanted = st.text_input(
            "Look for", placeholder="part of a path or a reason", key="skipped-search"
        )
        st.download_button(
            "Download as CSV",
            csv_bytes(
                ("path", "reason"), ((os.fsdecode(file.path), file.reason) for file in skipped)
            ),
            file_name="skipped.csv",
            mime="text/csv",
            on_click="ignore",
        )
    rows = [(readable(file.path), file.reason) for file in skipped]
    part = wanted.casefold().strip()
    shown = [row for row in rows if part in "\n".join(row).casefold()]
    if not shown:
        look.detail(f"None of them has “{wanted}” in its path or reason.")
        return
    st.dataframe(
        {"Path": [path for path, _ in shown], "Why": [reason for _, reason in shown]},
        hide_index=True,
        alt=f"{len(shown):,} skipped files with the reason of each",
    )
