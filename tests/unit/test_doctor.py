"""The doctor: what it finds on a sound machine and beside a troubled gallery."""

from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from indexer.doctor import Finding, examine
from training.errors import GalleryError


def named(findings: list[Finding], what: str) -> Finding:
    (found,) = (finding for finding in findings if finding.what == what)
    return found


def test_what_bears_on_galleries_is_looked_at() -> None:
    findings = examine()
    names = {finding.what for finding in findings}
    assert {"python", "faiss", "onnxruntime", "photo formats", "memory", "disk"} <= names
    assert "JPEG" in named(findings, "photo formats").found
    assert all(finding.found for finding in findings)


def test_a_gallery_is_looked_at_too(studio: Any) -> None:
    studio.build()
    assert named(examine(studio.folder), "gallery").found == "4 photos, 0 files skipped"
    studio.photos.rename(studio.photos.with_name("elsewhere"))
    assert "update" in named(examine(studio.folder), "photos").advice


def test_a_folder_without_a_gallery_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(GalleryError, match="there is no gallery"):
        examine(tmp_path)


def test_two_distributions_of_faiss_at_once_are_serious(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after installing something that brings the other one along."""
    for name in ("faiss-cpu", "faiss-gpu"):
        notes = tmp_path / f"{name.replace('-', '_')}-9.9.dist-info"
        notes.mkdir()
        (notes / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 9.9\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert metadata.version("faiss-cpu") == "9.9"
    finding = named(examine(), "faiss")
    assert finding.serious
    assert "faiss-cpu 9.9 and faiss-gpu 9.9" in finding.found
    assert "pip uninstall" in finding.advice
