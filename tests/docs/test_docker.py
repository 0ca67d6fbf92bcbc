"""The images keep their promises, and the slim one installs no more than it needs."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
TRAINING_ONLY = {
    "matplotlib", "onnxscript", "safetensors", "tensorboard", "torch", "torchvision",
}  # fmt: skip
ON_A_CPU = {"faiss-gpu": "faiss-cpu", "onnxruntime-gpu": "onnxruntime"}


def requirements(lines: list[str]) -> dict[str, str]:
    """Names and bounds: `faiss-cpu` -> `>=1.15`."""
    found = {}
    for line in lines:
        match = re.match(r"([\w-]+)(?:\[[\w,]+\])?([<>=]=?[\d.]+)", line)
        if match:
            found[ON_A_CPU.get(match[1], match[1])] = match[2]
    return found


def instructions(name: str) -> list[tuple[str, str]]:
    """A Dockerfile's instructions with their arguments; a line that ends in \\ goes on."""
    lines = (DOCKER / name).read_text().splitlines()
    text = "\n".join(line for line in lines if not line.startswith("#")).replace("\\\n", " ")
    return [(word, rest) for word, _, rest in (s.partition(" ") for s in text.splitlines()) if word]


def test_the_slim_image_installs_what_the_project_asks_for_without_training() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = requirements(project["dependencies"])
    slim = requirements((DOCKER / "app-requirements.txt").read_text().splitlines())
    assert slim == {name: bound for name, bound in wanted.items() if name not in TRAINING_ONLY}


@pytest.mark.parametrize("name", ["app.Dockerfile", "train.Dockerfile"])
def test_every_image_is_built_from_files_that_are_there_and_runs_as_nobody_special(
    name: str,
) -> None:
    steps = instructions(name)
    assert {word for word, _ in steps} <= {
        "FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "VOLUME", "HEALTHCHECK", "ENTRYPOINT",
        "CMD",
    }  # fmt: skip
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    for word, rest in steps:
        if word == "COPY" and not rest.startswith("--from"):
            for source in shlex.split(rest)[:-1]:
                assert (ROOT / source).exists()
                assert f"!{source}" in ignored
    last = len(steps) - 1 - [word for word, _ in reversed(steps)].index("USER")
    assert int(steps[last][1]) > 0
    assert [word for word, _ in steps[last:]][-2:] == ["ENTRYPOINT", "CMD"]


def test_the_app_is_asked_whether_it_is_well() -> None:
    (check,) = [rest for word, rest in instructions("app.Dockerfile") if word == "HEALTHCHECK"]
    assert "http://127.0.0.1:8501/_stcore/health" in check


def test_photos_are_mounted_for_reading_only_and_the_app_is_published_to_this_computer() -> None:
    compose = (DOCKER / "compose.yaml").read_text()
    mounts = re.findall(r"- (\S*PHOTOS.*)", compose)
    assert mounts
    assert all(mount.endswith(":/photos:ro") for mount in mounts)
    assert re.findall(r"ports: (.*)", compose) == ['["127.0.0.1:8080:8080"]']
    for file in re.findall(r"dockerfile: docker/([\w.]+)", compose):
        assert (DOCKER / file).exists()
