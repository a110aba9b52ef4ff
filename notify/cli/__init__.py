"""
The `notify` command: parse, call a use case or a read model, print.

One file a group of commands, imported only when it is called. Not here: anything that changes the
record by itself (`flow.overrides`, `deadletters`, `privacy`, ...), or that a web console needs too
(`status`).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

import click

from notify import __version__
from notify.cli.starting import quick_imports
from notify.cli.table import COMMANDS
from notify.errors import NotifyError
from notify.telemetry.terminal import guarded_output


class _Commands(click.Group):
    """Imports a command's module when it is called, so that `notify --help` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        if name not in COMMANDS:
            return None
        with quick_imports():
            command = getattr(import_module(f"notify.cli.{COMMANDS[name].module}"), name)
        assert isinstance(command, click.Command)  # noqa: S101 - a mistake in the table above
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of the commands from the table: an import of all costs over a second."""
        listed = [click.Command(name, help=each.line) for name, each in COMMANDS.items()]
        click.Group(commands=listed).format_commands(ctx, formatter)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="notify")
def notify() -> None:
    """Deliver email, SMS and push requests published over AMQP.

    The configuration is read from $NOTIFY_CONFIG, or /etc/notify/notify.toml if it exists.
    """


def main() -> NoReturn:
    """Run the command line; a known error is one clear line on stderr and exit code 1."""
    with guarded_output():
        try:
            _refuse_undecodable(sys.argv[1:])
            notify()
        except click.UsageError as error:
            error.show()
            sys.exit(error.exit_code)
        except NotifyError as error:
            click.echo(f"notify: {error}", err=True)
            sys.exit(1)
    sys.exit(0)


def _refuse_undecodable(arguments: Sequence[str]) -> None:
    """Refuse arguments that are not UTF-8: no database, file or message accepts them."""
    for place, word in enumerate(arguments, 1):
        try:
            word.encode()
        except UnicodeEncodeError:
            raise click.UsageError(f"argument {place} is not UTF-8 text") from None
