"""The images keep their promises, and the slim one installs no more than it needs."""

import json
import re
import runpy
import shlex
import subprocess
import sysconfig
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.launch import cli

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
TRAINING_ONLY = {
    "matplotlib", "onnxscript", "safetensors", "tensorboard", "torch", "torchvision",
}  # fmt: skip
read_instructions: Callable[[Path], Iterator[tuple[str, str]]] = runpy.run_path(
    str(DOCKER / "prove.py")
)["instructions"]
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
    """A Dockerfile's instructions with their arguments, as they are proven."""
    return list(read_instructions(DOCKER / name))


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


@pytest.mark.parametrize("name", ["app.Dockerfile", "train.Dockerfile"])
def test_the_linter_of_dockerfiles_finds_nothing(name: str) -> None:
    hadolint = Path(sysconfig.get_path("scripts")) / "hadolint"
    said = subprocess.run([hadolint, DOCKER / name], check=False, capture_output=True, text=True)
    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")


def test_the_app_is_asked_whether_it_is_well() -> None:
    (check,) = [rest for word, rest in instructions("app.Dockerfile") if word == "HEALTHCHECK"]
    assert "http://127.0.0.1:8501/_stcore/health" in check


def test_both_ways_of_starting_the_app_ask_whoever_reaches_the_container(tmp_path: Path) -> None:
    (photos := tmp_path / "photos").mkdir()
    (password := tmp_path / "password").touch()
    here = {"/photos": str(photos), "/run/secrets/password": str(password)}

    def options(arguments: list[str]) -> dict[str, object]:
        there = re.compile("|".join(here))
        named = [argument.replace("${SITE:-localhost}", "localhost") for argument in arguments]
        moved = [there.sub(lambda found: here[found[0]], argument) for argument in named]
        return cli.make_context("ssl-app", moved).params

    (image,) = [json.loads(rest) for word, rest in instructions("app.Dockerfile") if word == "CMD"]
    by_token = options(image)
    assert by_token["host"] == "0.0.0.0"
    assert by_token["port"] == 8501
    compose = (DOCKER / "compose.yaml").read_text()
    listed = re.findall(
        r"(?m)^      - (.*)$", compose.partition("    command:\n")[2].partition("    secrets:")[0]
    )
    by_password = options(listed)
    assert by_password["host"] == "0.0.0.0"
    assert by_password["password_file"] == password
    assert by_password["allow_host"] == ("localhost",)


def test_the_proxy_passes_on_what_the_app_looks_at() -> None:
    proxy = (DOCKER / "proxy.conf.template").read_text()
    sent = dict(re.findall(r"proxy_set_header +([\w-]+) +(\S+);", proxy))
    assert sent["Host"] == "$http_host", "with its port, as it stands in the origin"
    assert sent["X-Forwarded-Proto"] == "https"
    assert sent["Upgrade"] == "$http_upgrade"
    assert "Origin" not in sent
    assert re.findall(r"listen +(.*);", proxy) == ["8443 ssl"], "nothing without TLS"


def test_photos_are_mounted_for_reading_only_and_the_app_is_published_to_this_computer() -> None:
    compose = (DOCKER / "compose.yaml").read_text()
    mounts = re.findall(r"- (\S*PHOTOS.*)", compose)
    assert mounts
    assert all(mount.endswith(":/photos:ro") for mount in mounts)
    # The second is the proxy's, which is started only where there is a certificate.
    assert re.findall(r"ports: (.*)", compose) == ['["127.0.0.1:8080:8501"]', '["443:8443"]']
    assert "profiles: [tls]" in compose
    for file in re.findall(r"dockerfile: docker/([\w.]+)", compose):
        assert (DOCKER / file).exists()
