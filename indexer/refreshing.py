"""Make a gallery's index fit its catalogue: after a build, or when it is opened."""

import logging

from indexer import index_files
from indexer.catalogue import Catalogue
from indexer.folder import GalleryFolder
from indexer.kinds import Choice, choose, this_machine
from indexer.records import Embeddings, State
from indexer.vectors import VectorIndex
from indexer.wording import shown
from training.errors import GalleryError, LookalikeError

_log = logging.getLogger(__name__)


def refresh_index(folder: GalleryFolder, catalogue: Catalogue) -> str:
    """Build and publish the index where the one there is stale, damaged or of another kind.

    Returns:
        A sentence on the kind of index; empty where nothing had to be done.
    """
    state = catalogue.state()
    assert state.published is not None
    fingerprint = state.published.fingerprint
    there = index_files.load(folder.path, generation=state.generation, encoder=fingerprint)
    if there is not None and there.choice.wanted == state.index:
        return ""
    embeddings = catalogue.embeddings()
    choice, before = _chosen(embeddings, state), None
    if choice.kind == "approximate":
        before = index_files.load_any(folder.path, encoder=fingerprint)
    index = VectorIndex.build(embeddings, choice, before=before)
    index_files.save(index, folder.path)
    return _told(index)


def open_index(folder: GalleryFolder, catalogue: Catalogue, state: State) -> VectorIndex:
    """The saved index, or one rebuilt from the catalogue.

    Raises:
        GalleryError: the gallery was rebuilt at this moment.
    """
    fingerprint = folder.published(state).fingerprint
    saved = index_files.load(
        folder.path,
        generation=state.generation,
        encoder=fingerprint,
        remember=not folder.read_only,
    )
    if saved is not None:
        return saved
    embeddings = catalogue.embeddings()
    if embeddings.encoder != fingerprint:
        raise GalleryError(
            f"the gallery {shown(folder.path)} was rebuilt at this moment",
            hint="run the same command again",
        )
    choice = _chosen(embeddings, state)
    if choice.kind == "approximate":
        return VectorIndex.build(embeddings)  # training is for builds: nobody waits for it here
    index = VectorIndex.build(embeddings, choice)
    try:
        with folder.claimed(command="saving the index", wait_seconds=0):
            index_files.save(index, folder.path)
    # Saving spares the next start the work; where it cannot be done, this index serves as well.
    except (OSError, LookalikeError) as error:
        _log.info("the rebuilt index stays in memory: %s", error)
    return index


def _chosen(embeddings: Embeddings, state: State) -> Choice:
    """The kind of index for these embeddings, on this machine."""
    return choose(*embeddings.rows.shape, wanted=state.index, machine=this_machine())


def _told(index: VectorIndex) -> str:
    told = f"index: {index.choice.kind}, {index.choice.why}"
    if index.coarse is None or index.coarse.recall is None:
        return told
    found = f"{index.coarse.recall:.1%} of the ten nearest"
    return f"{told}; looks at {index.coarse.cells:,} cells and finds {found}"
