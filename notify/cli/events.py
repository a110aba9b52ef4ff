"""`notify events`: changes of status, as they are published or from the record."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import amqp
import click
from rich.text import Text

from notify.cli.console import Console
from notify.cli.options.given import NUMBER
from notify.cli.options.when import When
from notify.cli.output import print_json, utc
from notify.cli.record.view import coloured
from notify.contract import REFUSED, Event, RefusedEvent, event_schema, refused_schema
from notify.errors import NotifyError
from notify.message import Channel, Status
from notify.publisher import why
from notify.service.broker import open_broker
from notify.service.record import opened_record
from notify.settings import Settings, load
from notify.store.db import Moment
from notify.store.relays import newest_events
from notify.telemetry.terminal import on_one_line
from notify.topology import EVENTS

_RIGHTS = (
    r"to follow, the broker's user needs the rights to configure, write and read ^amq\.gen-"
    f" and to read {EVENTS}"
)
_WAIT = 1.0
"""Seconds of one wait for events."""


@click.command(
    epilog="""\b
Examples:
  notify events --follow
  notify events --follow --channel sms --status failed --json
  notify events --since 1h --source shop
  notify events --schema > event.schema.json
"""
)
@click.option("--follow", is_flag=True, help="Print events as they are published, until Ctrl-C.")
@click.option(
    "--channel", type=click.Choice([each.value for each in Channel]), help="Only this channel."
)
@click.option(
    "--status",
    type=click.Choice([*(each.value for each in Status), REFUSED]),
    help="Only this new status; refused: messages that did not become a notification.",
)
@click.option("--source", metavar="NAME", help="Only notifications of this producing service.")
@click.option(
    "--since",
    type=When(),
    metavar="WHEN",
    help="From the record, only since then: 15m, 2h or 3d ago, or 2025-01-31T09:00Z.",
)
@click.option(
    "--limit",
    type=NUMBER,
    metavar="NUMBER",
    default=50,
    show_default=True,
    help="From the record, at most the newest NUMBER.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
@click.option("--schema", is_flag=True, help="Only print the events' JSON Schema.")
def events(
    *,
    follow: bool,
    since: Moment | None,
    limit: int,
    as_json: bool,
    schema: bool,
    **wanted: str | None,
) -> None:
    r"""Show changes of status: the newest on record, or with --follow all as they are published.

    The record has every change, also those that are not published, such as a retry; only final
    statuses are published. An event is listed if it matches all options. It contains no recipient
    and no content. All times are in UTC.

    To follow, the broker's user needs the rights to configure, write and read ^amq\.gen- (a queue
    of this command's own) and to read notify.events.
    """
    if schema:
        described = refused_schema() if wanted["status"] == REFUSED else event_schema()
        print_json(described, indent=2)
        return
    if follow and since is not None:
        raise click.UsageError("--since reads the record and --follow does not: use one of them")
    if wanted["status"] == REFUSED and not follow:
        raise click.UsageError("refused messages are dead letters: see `notify dead ls`")
    found = _published(load(), **wanted) if follow else _recorded(load(), since, limit, **wanted)
    printed = False
    for event in found:
        printed = True
        _print(event, as_json=as_json)
    if not printed and not follow:
        click.echo("no event on record matches", err=True)


def _recorded(
    settings: Settings,
    since: Moment | None,
    limit: int,
    *,
    channel: str | None,
    status: str | None,
    source: str | None,
) -> Iterable[Event]:
    with opened_record(settings) as store, store.reading() as connection:
        found = newest_events(
            connection,
            channel=Channel(channel) if channel else None,
            status=Status(status) if status else None,
            source=source,
            since=since,
            limit=limit,
        )
    return [news.event for news in found]


def _published(settings: Settings, **wanted: str | None) -> Iterator[Event | RefusedEvent]:
    """Yield events as they are published, until Ctrl-C."""
    key = ".".join(wanted[part] or "*" for part in ("channel", "status", "source"))
    try:
        with open_broker(settings) as connection, connection.channel() as channel:
            arrived: list[Event | RefusedEvent] = []
            _subscribe(channel, key, arrived)
            click.echo(f"following {EVENTS} by {key}; Ctrl-C stops", err=True)
            while True:
                _receive(connection)
                yield from arrived
                arrived.clear()
    except KeyboardInterrupt:
        return
    except amqp.AccessRefused:
        raise NotifyError(f"the broker refused: {_RIGHTS}") from None
    except amqp.NotFound:
        raise NotifyError(f"the broker has no {EVENTS}: run `notify topology apply`") from None
    except (OSError, amqp.AMQPError) as error:
        raise NotifyError(
            f"the broker is away: {why(error)}; events until it is back are on record:"
            " notify events --since"
        ) from None


def _subscribe(channel: amqp.Channel, key: str, arrived: list[Event | RefusedEvent]) -> None:
    queue = channel.queue_declare("", exclusive=True, auto_delete=True).queue
    channel.queue_bind(queue, EVENTS, key)
    channel.basic_consume(
        queue,
        no_ack=True,
        callback=lambda message: arrived.append(_read(message)),
    )


def _read(message: amqp.Message) -> Event | RefusedEvent:
    refused = message.delivery_info["routing_key"].split(".")[1] == REFUSED
    return (RefusedEvent if refused else Event).model_validate_json(message.body)


def _receive(connection: amqp.Connection) -> None:
    """Wait up to a second for the next event."""
    try:
        connection.drain_events(timeout=_WAIT)
    except TimeoutError:
        return


def _print(event: Event | RefusedEvent, *, as_json: bool) -> None:
    if as_json:
        click.echo(event.model_dump_json())
    else:
        Console(highlight=False).print(_line(event), soft_wrap=True)


def _line(event: Event | RefusedEvent) -> Text:
    status = coloured(event.status) if isinstance(event, Event) else Text(event.status, "red")
    status.pad_right(max(0, max(map(len, Status)) - len(status)))
    id_ = event.id if isinstance(event, Event) else event.id or event.message_id or "(no id)"
    route = ".".join((event.channel or "none", event.lane or "none", event.source))
    return Text.assemble(
        f"{utc(event.at, timespec='milliseconds')}  ",
        status,
        on_one_line(f"  {id_}  {route}  "),
        on_one_line(", ".join(filter(None, _about(event)))),
    )


def _about(event: Event | RefusedEvent) -> list[str | None]:
    if isinstance(event, RefusedEvent):
        return [event.cause, *map(str, event.problems)]
    return [
        event.template,
        event.provider and f"through {event.provider}",
        event.code and f"code {event.code}",
        "possible duplicate" if event.possible_duplicate else None,
        event.reason,
    ]
