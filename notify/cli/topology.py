"""`notify topology`: declare what the service needs on the broker, compare it, export it."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import amqp
import click

from notify.cli.options.given import name_of, refuse_foreign
from notify.cli.output import print_json
from notify.errors import ConfigError
from notify.message import Channel
from notify.publisher import connect, why
from notify.service.broker import topology_of
from notify.settings import Settings, load, ssl_options
from notify.topology import Difference, Producer, apply, diff, differences, export

_SOURCE = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")

_vhost = click.option(
    "--vhost",
    metavar="NAME",
    help="The virtual host in the definitions. Default: that of amqp.url.",
)

definitions_option = click.option(
    "--definitions",
    type=click.File("rb"),
    metavar="FILE",
    help="Compare the output of `rabbitmqctl export_definitions FILE`, bindings included, "
    "instead of asking the broker. - reads standard input.",
)


@click.group()
def topology() -> None:
    """Exchanges, queues and bindings on RabbitMQ.

    Workers declare nothing: run `notify topology apply` once, and after every change of the lanes,
    as a user who may configure the virtual host.
    """


@topology.command(name="apply")
def apply_command() -> None:
    """Declare missing exchanges, queues and bindings; change none that exists.

    It may run again at any time. A queue that exists with other arguments is reported and not
    changed: RabbitMQ cannot change a queue's arguments, so empty and delete the queue, then apply.

    \b
    Example:
      NOTIFY_AMQP__URL=pyamqp://admin:secret@rabbit/prod notify topology apply
    """
    settings = load()
    wanted = topology_of(settings)
    with _broker(settings) as connection:
        apply(wanted, connection)
    click.echo(
        f"{len(wanted.exchanges)} exchanges, {len(wanted.queues)} queues and"
        f" {len(wanted.bindings)} bindings are in place"
    )


@topology.command(name="diff")
@definitions_option
@_vhost
def diff_command(definitions: IO[bytes] | None, vhost: str | None) -> None:
    """List what is missing on the broker or differs there; exit 1 if there is a difference.

    Over AMQP it compares exchanges and queues, and reports one differing argument of each; it needs
    a user who may configure. AMQP cannot read bindings: --definitions compares those too.

    \b
    Examples:
      notify topology diff
      rabbitmqctl export_definitions - --format json | notify topology diff --definitions -
    """
    settings = load()
    wanted = topology_of(settings)
    if definitions is None:
        with _broker(settings) as connection:
            found = diff(wanted, connection)
        beside = " (bindings not compared: see --definitions)"
    else:
        found = differences(wanted, parsed(definitions), vhost=vhost or settings.amqp.vhost)
        beside = ""
    _print(found, beside)
    sys.exit(1 if found else 0)


@topology.command(name="export")
@click.option(
    "--producer",
    "producers",
    multiple=True,
    metavar="SOURCE:CHANNELS",
    callback=lambda _context, _option, values: tuple(_producer(value) for value in values),
    help="A service that may publish, and its channels, such as shop:email,sms. "
    "May be given several times.",
)
@click.option(
    "--subscriber",
    "subscribers",
    multiple=True,
    metavar="SOURCE",
    callback=lambda _context, _option, values: tuple(_source(value) for value in values),
    help="A source whose events are read by a user SOURCE.events, from a queue of that name. "
    "May be given several times.",
)
@click.option(
    "--users",
    is_flag=True,
    help="Include the users themselves, without passwords. For the first import only: RabbitMQ "
    "resets the password of a user that exists.",
)
@_vhost
def export_command(
    producers: tuple[Producer, ...],
    subscribers: tuple[str, ...],
    users: bool,
    vhost: str | None,
) -> None:
    """Print RabbitMQ definitions: the topology, and the least rights for its users.

    The user notify-worker may consume the queues and publish, and declare nothing;
    notify-operator may apply the topology, send, and follow events. A producer's user has its
    source's name and may publish only with its own routing keys; a subscriber's may bind its queue
    to its source's events only. Rights need users that exist: add them first (`rabbitmqctl
    add_user`), or import once with --users and then set each password (`rabbitmqctl
    change_password`).

    \b
    Example:
      notify topology export --vhost prod --producer shop:email,sms --subscriber shop > notify.json
      rabbitmqctl import_definitions notify.json
    """
    settings = load()
    definitions = export(
        topology_of(settings),
        vhost=vhost or settings.amqp.vhost,
        producers=producers,
        subscribers=subscribers,
        users=users,
    )
    print_json(definitions, indent=2)


@contextmanager
def _broker(settings: Settings) -> Iterator[amqp.Connection]:
    """Connect as the settings say; report a failure as one clear line."""
    try:
        connection = connect(
            settings.amqp.url.get_secret_value(),
            timeout=settings.amqp.confirm_timeout,
            ssl=ssl_options(settings.amqp),
        )
        with connection:
            yield connection
    except (OSError, amqp.AMQPError) as error:
        raise ConfigError(f"amqp.url: the broker cannot be reached: {why(error)}") from None


def parsed(file: IO[bytes]) -> dict[str, Any]:
    """Return the definitions in the output of `rabbitmqctl export_definitions`."""
    content = file.read()
    refuse_foreign(content, name=name_of(file))
    try:
        definitions = json.loads(content)
    except (ValueError, RecursionError):
        definitions = None
    if not isinstance(definitions, dict) or "queues" not in definitions:
        raise click.BadParameter(
            "not the output of `rabbitmqctl export_definitions`", param_hint="--definitions"
        )
    return definitions


def _source(text: str) -> str:
    if not _SOURCE.fullmatch(text):
        raise click.BadParameter(f"{text!r}: a source is of a-z, 0-9, - and _")
    return text


def _producer(text: str) -> Producer:
    source, _, names = text.partition(":")
    known = [channel.value for channel in Channel]
    channels = names.split(",") if names else known
    if not _SOURCE.fullmatch(source) or not set(channels) <= set(known):
        raise click.BadParameter(
            f"{text!r}: write SOURCE:CHANNELS, such as shop:email,sms; a source is of a-z, 0-9, -"
            f" and _, channels are {', '.join(known)}"
        )
    return Producer(source, tuple(Channel(name) for name in channels))


def _print(found: list[Difference], beside: str) -> None:
    for difference in found:
        click.echo(str(difference))
    if found:
        click.echo(f"\n{len(found)} differences{beside}; `notify topology apply` adds the missing")
    else:
        click.echo(f"the broker matches the configuration{beside}")
