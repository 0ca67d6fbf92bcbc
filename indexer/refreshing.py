"""Make a gallery's index fit its catalogue, after a build."""

from indexer import index_files
from indexer.catalogue import Catalogue
from indexer.folder import GalleryFolder
from indexer.kinds import Choice, choose, this_machine
from indexer.records import Embeddings, State
from indexer.vectors import VectorIndex


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
    index = VectorIndex.build(embeddings, chosen_kind(embeddings, state))
    index_files.save(index, folder.path)
    return _told(index)


def chosen_kind(embeddings: Embeddings, state: State) -> Choice:
    """The kind of index for these embeddings, on this machine."""
    return choose(*embeddings.rows.shape, wanted=state.index, machine=this_machine())


def _told(index: VectorIndex) -> str:
    found = (
        ""
        if index.coarse is None or index.coarse.recall is None
        else (
            f"; looks at {index.coarse.cells:,} cells and finds {index.coarse.recall:.1%} "
            "of the ten nearest"
        )
    )
    return f"index: {index.choice.kind}, {index.choice.why}{found}"
