"""Several processes on one gallery: readers go on during a build, writers take turns."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from indexer.folder import GalleryFolder
from indexer.gallery import Gallery
from training.errors import GalleryError
from training.lock import read_writer

HOLD = """
import sys
from pathlib import Path
from indexer.folder import GalleryFolder

with GalleryFolder(Path(sys.argv[1])).claimed(command="ssl-index update here", wait_seconds=0):
    print("held", flush=True)
    sys.stdin.read()
"""

# Opens and searches until stdin closes; prints how often, or dies of what went wrong.
READ = """
import sys, threading
from pathlib import Path
from indexer.gallery import Gallery

done = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), done.set()), daemon=True).start()
rounds = 0
sizes = set()
print("reading", flush=True)
while not done.is_set():
    gallery = Gallery.open(Path(sys.argv[1]), device="cpu")
    hits = gallery.search(gallery.embedding(1), k=1000)
    assert hits[0].id == 1 and hits[0].score > 0.999, hits[0]
    assert len(hits) <= len(gallery)
    # A photo found a moment ago may be gone by now; those that no update removes never are.
    found = gallery.photos([hit.id for hit in hits[:5]])
    assert 1 in found and all(facts.path for facts in found.values()), found
    sizes.add(len(gallery))
    rounds += 1
print(rounds, len(sizes))
"""


@contextmanager
def running(script: str, *arguments: object) -> Iterator["subprocess.Popen[str]"]:
    """A Python process that has said its first line; its stdin closes at the end."""
    command = [sys.executable, "-W", "error", "-c", script, *map(str, arguments)]
    pipe = subprocess.PIPE
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        assert process.stdin is not None
        if not process.stdin.closed:
            process.stdin.close()


def test_a_second_writer_is_told_who_holds_the_gallery(studio: Any) -> None:
    studio.build()
    with running(HOLD, studio.folder) as holder:
        with (
            pytest.raises(GalleryError) as refused,
            GalleryFolder(studio.folder).claimed(command="this test", wait_seconds=0.1),
        ):
            pass
        writer = read_writer(studio.folder)
    assert writer is not None
    assert writer.pid == holder.pid
    assert f"`ssl-index update here` (process {holder.pid} on {writer.host}, since " in str(
        refused.value
    )
    assert "wait" in refused.value.hint


def test_the_lock_of_a_writer_that_was_killed_is_free(studio: Any) -> None:
    studio.build()
    with running(HOLD, studio.folder) as holder:
        holder.kill()
        holder.wait()
        assert read_writer(studio.folder) is not None, "its note is still there"
        assert studio.happened() == {"unchanged": 4}
    assert read_writer(studio.folder) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', "\x00"])
def test_a_damaged_note_names_nobody(text: str, tmp_path: Path) -> None:
    (tmp_path / ".writer").write_text(text)
    assert read_writer(tmp_path) is None


def change_and_update(studio: Any, nursery: Any) -> None:
    """Three updates: photos come, go and change."""
    for number in range(3):
        for shade in range(40):
            studio.paint(f"new-{number}/{shade}.png", (number * 90, shade * 6, 200))
        (studio.photos / "sub" / "d.png").unlink(missing_ok=True)
        studio.paint("c.png", (number, number, number))
        assert not nursery.build(studio.request).killed


def rebuild(studio: Any, nursery: Any, make_encoder: Callable[[int], Path]) -> None:
    """Two rebuilds, each with another encoder."""
    for seed in (1, 2):
        request = replace(studio.request, encoder=make_encoder(seed), rebuild=True)
        assert not nursery.build(request).killed


def read_meanwhile(folder: Path, write: Callable[[], None]) -> tuple[int, int]:
    """Read in another process while `write` runs; how often, and how many sizes were seen."""
    with running(READ, folder) as reader:
        write()
        output, errors = reader.communicate(timeout=60)
        assert reader.returncode == 0, errors
    rounds, sizes = map(int, output.split())
    return rounds, sizes


def test_readers_go_on_during_updates(studio: Any, nursery: Any) -> None:
    studio.paint_many(40)
    studio.build()
    rounds, _ = read_meanwhile(studio.folder, lambda: change_and_update(studio, nursery))
    assert rounds > 2
    assert len(studio.gallery()) == 163


def test_readers_go_on_while_every_photo_is_embedded_anew(
    studio: Any, nursery: Any, make_encoder: Callable[[int], Path]
) -> None:
    studio.paint_many(40)
    studio.build()
    rounds, _ = read_meanwhile(studio.folder, lambda: rebuild(studio, nursery, make_encoder))
    assert rounds > 2


def test_a_gallery_that_is_open_stays_as_it_was_while_an_update_goes_by(
    studio: Any, nursery: Any
) -> None:
    studio.build()
    gallery = studio.gallery()
    before = [gallery.embedding(number).copy() for number in (1, 2, 3)]
    studio.paint("a.png", "black")
    studio.paint("e.png", "white")
    nursery.build(studio.request)
    for number, row in zip((1, 2, 3), before, strict=True):
        np.testing.assert_array_equal(gallery.embedding(number), row)
    found = {hit.id for hit in gallery.search(before[1], k=10)}
    assert found == {2, 3, 4}, "only what left the catalogue is missing"
    assert len(Gallery.open(studio.folder)) == 5
