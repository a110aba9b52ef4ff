"""`notify up`: run everything that notify needs on this machine until Ctrl-C."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from notify.stack import POOLS, Stack, folder_or_temporary

_CHECK = 0.5
"""Seconds between two checks of the parts."""

state_dir_option = click.option(
    "--state-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep configuration, record and logs in this folder. Default: a temporary one, "
    "removed at the end.",
)


class _Pools(click.ParamType[tuple[str, ...]]):
    name = "pools"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        pools = tuple(dict.fromkeys(word.strip() for word in value.split(",")))
        if not set(pools) <= set(POOLS):
            self.fail(f"{value!r} is not made of {', '.join(POOLS)}", param, ctx)
        return pools


@click.command(
    epilog="""\b
Examples:
  notify up
  notify up --state-dir /tmp/n --pools email
  notify up --templates my/templates
  notify up --database postgresql+psycopg://notify@127.0.0.1/notify
"""
)
@state_dir_option
@click.option(
    "--amqp",
    metavar="URL",
    help="Use the broker at this address, pyamqp://user:password@host/vhost. "
    "Default: start a private one.",
)
@click.option(
    "--database",
    metavar="URL",
    help="Record in this database, such as postgresql+psycopg://user@host/name. "
    "Default: a SQLite file in the state folder.",
)
@click.option(
    "--pools",
    type=_Pools(),
    default=",".join(POOLS),
    show_default=True,
    metavar="NAMES",
    help="The worker pools to start, separated by commas.",
)
@click.option(
    "--sandbox-port",
    type=click.IntRange(1, 65535),
    help="The port of the provider sandbox. Default: a free one.",
)
@click.option(
    "--templates",
    envvar="NOTIFY_TEMPLATES__FOLDER",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Your own templates, preferred to the packaged ones; a change is in effect at once. "
    "Default: $NOTIFY_TEMPLATES__FOLDER, if it is set.",
)
@click.option(
    "--web/--no-web",
    default=True,
    show_default=True,
    help="Start the HTTP API, and the console with a user for it.",
)
def up(
    state_dir: Path | None,
    amqp: str | None,
    database: str | None,
    pools: tuple[str, ...],
    sandbox_port: int | None,
    templates: Path | None,
    web: bool,
) -> None:
    """Start a broker, a record, the provider sandbox and the workers, until Ctrl-C.

    Nothing leaves this machine: the sandbox imitates SendGrid, Twilio and FCM. It writes two files
    to the state folder: notify.toml, for any other notify command through NOTIFY_CONFIG, and
    endpoints.json (amqp, database, sandbox, metrics, receipts, sendgrid_key, api,
    console, console_login),
    for programs.

    With the pool receipts, `notify web receipts` runs too, and the sandbox posts to it. The record
    in the state folder is sealed with a keyring of its own; another --database with that of
    $NOTIFY_KEYRING, if it is set. A worker or intake that is stopped or killed is started again; if
    any other part ends, the stack ends.
    """
    with (
        stopping_on_signals(),
        folder_or_temporary(state_dir) as folder,
        Stack(
            folder,
            amqp=amqp,
            database=database,
            pools=pools,
            sandbox_port=sandbox_port,
            templates=templates,
            web=web,
            report=timed_lines(),
        ) as stack,
    ):
        click.echo(_what_next(stack))
        try:
            while True:
                time.sleep(_CHECK)
                stack.check()
        except KeyboardInterrupt:
            click.echo("\nStopping.")


def timed_lines() -> Callable[[str], None]:
    """Return a function that prints each sentence with the seconds since now."""
    begin = time.monotonic()

    def print_line(sentence: str) -> None:
        click.echo(f"  {time.monotonic() - begin:5.1f} s  {sentence}")

    return print_line


@contextmanager
def stopping_on_signals() -> Iterator[None]:
    """Treat SIGTERM and a closed terminal like Ctrl-C; before everything is up, exit with 1."""
    # SIGINT too: a shell ignores it for a command that it starts in the background.
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, signal.default_int_handler) for number in numbers}
    try:
        yield
    except KeyboardInterrupt:
        click.echo("\nStopped.", err=True)
        sys.exit(1)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _what_next(stack: Stack) -> str:
    return f"""
Everything is up; Ctrl-C stops it. In another terminal:

  export NOTIFY_CONFIG={stack.state.config}
  export CREDENTIALS_DIRECTORY={stack.state.credentials}
  notify send email.normal.shop --to ada@sandbox.test --subject Hello --text 'It works.'
  notify ls
  notify show ID
  notify dead ls

{_console(stack)}Sent messages and their receipts are at {stack.endpoints.sandbox}/
Metrics are at {", ".join(f"127.0.0.1:{port}" for port in stack.endpoints.metrics.values())}
Logs are in {stack.state.folder / "logs"}
"""


def _console(stack: Stack) -> str:
    console = stack.endpoints.console
    if console is None:
        return ""
    return (
        f"The console is at {console.url} for {console.user}, password {console.password}\n"
        f"The HTTP API is at {stack.endpoints.api}/v1/docs; for a key: "
        "`notify key new --source shop --reason 'a first try'`\n"
    )
