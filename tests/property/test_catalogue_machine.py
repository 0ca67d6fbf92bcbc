"""A gallery against a dict: whatever happens to the photos, a build finds out exactly what."""

import io
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    rule,
    run_state_machine_as_test,
)
from PIL import Image

from indexer.build import BuildRequest, build
from indexer.catalogue import Catalogue
from indexer.centring import CentringPlan
from indexer.encoder import OnnxEncoder
from indexer.gallery import Gallery
from indexer.report import IndexReport
from training.progress import Silent

NAMES = [b"a.png", b"b.png", b"c.png", b"odd \xff name.png", b"sub/d.png", b"sub/e\n.png"]
NOT_A_PHOTO = b"not a photo"


def png(colour: int) -> bytes:
    """A small photo of one of eight colours, as a file's bytes."""
    buffer = io.BytesIO()
    shade = tuple(255 * (colour >> bit & 1) for bit in range(3))
    Image.new("RGB", (36, 36), shade).save(buffer, "PNG")
    return buffer.getvalue()


CONTENTS = [png(colour) for colour in range(6)] + [NOT_A_PHOTO]


class GalleryMachine(RuleBasedStateMachine):
    """The photo folder is changed at will; `files` is what it should hold."""

    paths = Bundle("paths")
    encoder: Path  # set by the test below

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.photos = self.root / "photos"
        self.files: dict[bytes, bytes] = {}
        self.indexed: dict[bytes, bytes] = {}
        self.ids: dict[bytes, int] = {}
        self.embedded: set[bytes] = set()
        self.clock = 10**18

    def teardown(self) -> None:
        shutil.rmtree(self.root)

    def write(self, path: bytes, content: bytes) -> None:
        file = self.photos / os.fsdecode(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        # Each change at its own time: a file system's clock may be too coarse for a test.
        self.clock += 10**9
        os.utime(file, ns=(self.clock, self.clock))
        self.files[path] = content

    @initialize()
    def first_build(self) -> None:
        self.write(b"first.png", CONTENTS[0])
        self.reindex()

    @rule(target=paths, path=st.sampled_from(NAMES), content=st.sampled_from(CONTENTS))
    def add(self, path: bytes, content: bytes) -> bytes:
        self.write(path, content)
        return path

    @rule(path=paths, content=st.sampled_from(CONTENTS))
    def change(self, path: bytes, content: bytes) -> None:
        """Write to a path that has been indexed, so that the next build meets a known path."""
        self.write(path, content)
        self.reindex()

    @rule(path=consumes(paths))
    def delete(self, path: bytes) -> None:
        if path in self.files:
            (self.photos / os.fsdecode(path)).unlink()
            del self.files[path]

    @rule(target=paths, old=consumes(paths), new=st.sampled_from(NAMES))
    def move(self, old: bytes, new: bytes) -> bytes:
        if old in self.files and old != new:
            target = self.photos / os.fsdecode(new)
            target.parent.mkdir(parents=True, exist_ok=True)
            (self.photos / os.fsdecode(old)).rename(target)
            self.files[new] = self.files.pop(old)
        return new

    @rule()
    def reindex(self) -> None:
        good = {path: data for path, data in self.files.items() if data != NOT_A_PHOTO}
        report = self.build()
        self.check_report(report, good)
        self.embedded |= set(good.values())
        self.indexed = good
        self.check_gallery()

    @rule()
    def reindex_twice(self) -> None:
        self.reindex()
        before = Catalogue(self.root / "gallery" / "catalogue.sqlite").state()
        report = self.build()
        changes = (report.added, report.changed, report.moved, report.removed, report.embedded)
        assert changes == (0, 0, 0, 0, 0)
        assert Catalogue(self.root / "gallery" / "catalogue.sqlite").state() == before

    def build(self) -> IndexReport:
        plan = CentringPlan(centre_from=1_000)
        request = BuildRequest(
            self.photos, self.root / "gallery", self.encoder, centring=plan, prune=True
        )
        return build(request, progress=Silent())

    def check_report(self, report: IndexReport, good: dict[bytes, bytes]) -> None:
        """The counts, worked out anew from what was indexed and what is there."""
        bad = len(self.files) - len(good)
        new = good.keys() - self.indexed.keys()
        gone = self.indexed.keys() - self.files.keys()
        kept = good.keys() & self.indexed.keys()
        changed = {path for path in kept if good[path] != self.indexed[path]}
        homeless = [self.indexed[path] for path in gone]
        moved = 0
        for path in new:
            if good[path] in homeless:
                homeless.remove(good[path])
                moved += 1
        assert report.seen == len(self.files)
        assert report.skipped == bad
        assert (report.added, report.moved) == (len(new) - moved, moved)
        assert (report.changed, report.unchanged) == (len(changed), len(kept) - len(changed))
        assert report.removed == len(gone) - moved
        assert report.embedded == len(set(good.values()) - self.embedded)

    def check_gallery(self) -> None:
        """The gallery holds exactly what was indexed."""
        gallery = Gallery.open(self.root / "gallery")
        by_content: dict[bytes, set[bytes]] = {}
        for path, content in self.indexed.items():
            by_content.setdefault(content, set()).add(path)
        bad = {path for path, content in self.files.items() if content == NOT_A_PHOTO}
        assert len(gallery) == len(by_content)
        assert gallery.info().photos == len(self.indexed)
        assert {skip.path for skip in gallery.skipped()} == bad
        self.check_photos(gallery, by_content)

    def check_photos(self, gallery: Gallery, by_content: dict[bytes, set[bytes]]) -> None:
        """Every content has one id for ever, its own embedding, and all its paths."""
        encoder = OnnxEncoder.open(self.encoder)
        for hit in gallery.search(np.eye(encoder.dim, dtype=np.float32)[0], k=99):
            facts = gallery.photo(hit.id)
            content = self.indexed[facts.path]
            assert self.ids.setdefault(content, hit.id) == hit.id
            assert by_content[content] == {facts.path, *facts.other_paths}
            expected = encoder.embed_image(gallery.read(hit.id).image)
            np.testing.assert_allclose(gallery.embedding(hit.id), expected, atol=1e-5)


def test_any_order_of_changes_and_builds_adds_up(toy_encoder: Path) -> None:
    GalleryMachine.encoder = toy_encoder
    run_state_machine_as_test(
        GalleryMachine, settings=settings(max_examples=10, stateful_step_count=16, deadline=None)
    )
