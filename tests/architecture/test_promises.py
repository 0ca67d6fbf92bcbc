"""No pickle is written or read, and one module alone can reach the network."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(p for room in ("training", "indexer", "app") for p in (ROOT / room).rglob("*.py"))
FETCHER = "training/weights.py"

PICKLING = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
NETWORK = {"requests", "httpx", "urllib.request", "aiohttp", "http.client", "ftplib", "urllib3"}


def imported(source: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def calls(source: Path) -> list[tuple[str, dict[str, object]]]:
    """Every call as its dotted name and its constant keywords."""
    found = []
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            words = {k.arg: k.value.value for k in node.keywords
                     if k.arg and isinstance(k.value, ast.Constant)}  # fmt: skip
            found.append((ast.unparse(node.func), words))
    return found


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_pickles(source: Path) -> None:
    assert not imported(source) & PICKLING
    for name, words in calls(source):
        assert name != "torch.save"
        assert words.get("allow_pickle") is not True
        if name == "torch.load":
            assert str(source.relative_to(ROOT)) == FETCHER
            assert words["weights_only"] is True


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_fetching_of_weights_reaches_the_network(source: Path) -> None:
    reaching = imported(source) & NETWORK

    assert not reaching or str(source.relative_to(ROOT)) == FETCHER


def test_there_are_sources_to_look_at() -> None:
    assert len(SOURCES) > 40
    assert (ROOT / FETCHER) in SOURCES
