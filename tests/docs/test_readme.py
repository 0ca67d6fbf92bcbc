"""The README is the manual: every command and option is in it, and so is what it links to."""

import re
from pathlib import Path

import click
import pytest

from app.demo import cli as demo
from app.label_cli import cli as label
from app.launch import cli as app
from indexer.cli import cli as index
from training.cli import cli as train

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands() -> list[tuple[str, click.Command]]:
    groups = [
        ("ssl-train", train),
        ("ssl-index", index),
        ("ssl-label", label),
        ("ssl-app", app),
        ("ssl-demo", demo),
    ]
    found: list[tuple[str, click.Command]] = []
    for name, command in groups:
        others = getattr(command, "commands", {})
        found += [(f"{name} {key}", value) for key, value in others.items()]
        if not isinstance(command, click.Group):
            found.append((name, command))
    return found


@pytest.mark.parametrize(("name", "command"), commands(), ids=[name for name, _ in commands()])
def test_every_command_and_option_is_in_the_readme(name: str, command: click.Command) -> None:
    assert f"`{name} " in README or f"### {name} " in README
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            longest = max(parameter.opts, key=len)
            assert f"`{longest}`" in README or f"{longest} " in README, f"{name} {longest}"


@pytest.mark.parametrize(("name", "command"), commands(), ids=[name for name, _ in commands()])
def test_every_option_has_help(name: str, command: click.Command) -> None:
    assert command.help, name
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name} {parameter.name}"


def test_files_that_the_readme_names_exist() -> None:
    linked = re.findall(r"\]\(([^)#:]+)\)", README)
    scripts = re.findall(r"(?:python|bash) (tests/[\w/.]+)", README)

    assert linked
    assert scripts
    for path in [*linked, *scripts]:
        assert (ROOT / path).exists(), path


def test_the_test_command_of_the_readme_is_what_continuous_integration_runs() -> None:
    assert "bash tests/run.sh" in README
    assert "bash tests/run.sh" in (ROOT / ".ci" / "run").read_text()
