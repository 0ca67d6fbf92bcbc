"""A command that does one job by itself and others where its first word names them."""

from typing import Any

import click


class DefaultCommand(click.Command):
    """A click command with further commands beside it.

    A first word that is the name of one of `commands` runs that one; anything else is for this
    command itself. A path that happens to be called so is written `./NAME`.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.commands: dict[str, click.Command] = {}

    def add_command(self, command: click.Command) -> None:
        """Let the first word `command.name` run `command`."""
        assert command.name
        self.commands[command.name] = command

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """The parsed command line, of this command or of the one that is named first."""
        if args and args[0] in self.commands:
            chosen = self.commands[args[0]]
            return chosen.make_context(f"{info_name} {args[0]}", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that the context was made for."""
        return super().invoke(ctx) if ctx.command is self else ctx.command.invoke(ctx)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The other commands, below the options."""
        rows = [(name, self.commands[name].get_short_help_str(80)) for name in self.commands]
        if rows:
            with formatter.section(f"Other commands, each with `{ctx.info_name} COMMAND --help`"):
                formatter.write_dl(rows)
        super().format_epilog(ctx, formatter)
