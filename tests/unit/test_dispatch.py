"""The first word chooses the command; anything else is for the default."""

import click
import pytest
from click.testing import CliRunner

from training.dispatch import DefaultCommand


@pytest.fixture
def command() -> DefaultCommand:
    @click.command(cls=DefaultCommand)
    @click.argument("photos")
    @click.option("--deep", is_flag=True, help="Look deeper.")
    def train(photos: str, deep: bool) -> None:
        """Train on PHOTOS."""
        click.echo(f"trained on {photos}{' deeply' if deep else ''}")

    @click.command("judge")
    @click.argument("run")
    def judge(run: str) -> None:
        """Judge a RUN."""
        click.echo(f"judged {run}")

    assert isinstance(train, DefaultCommand)
    train.add_command(judge)
    return train


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["photos"], "trained on photos"),
        (["--deep", "photos"], "trained on photos deeply"),
        (["photos", "--deep"], "trained on photos deeply"),
        (["judge", "run"], "judged run"),
        (["./judge"], "trained on ./judge"),
        (["--deep", "judge"], "trained on judge deeply"),
        (["judge", "judge"], "judged judge"),
    ],
)
def test_the_first_word_chooses(command: DefaultCommand, words: list[str], said: str) -> None:
    assert CliRunner().invoke(command, words).output == said + "\n"


def test_an_option_of_the_default_is_unknown_to_the_others(command: DefaultCommand) -> None:
    refused = CliRunner().invoke(command, ["judge", "run", "--deep"])

    assert refused.exit_code == 2
    assert "--deep" in refused.output


def test_help_shows_the_default_and_names_the_others(command: DefaultCommand) -> None:
    shown = CliRunner().invoke(command, ["--help"], prog_name="tool").output

    assert "Usage: tool [OPTIONS] PHOTOS" in shown
    assert "--deep" in shown
    assert "Judge a RUN." in shown


def test_help_of_another_is_its_own(command: DefaultCommand) -> None:
    shown = CliRunner().invoke(command, ["judge", "--help"], prog_name="tool").output

    assert "Usage: tool judge [OPTIONS] RUN" in shown
    assert "--deep" not in shown
