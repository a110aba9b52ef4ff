"""`notify send`: publish one notification by options, or many from a file; report the result."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import click

from notify.cli.options.given import json_argument, name_of
from notify.cli.options.when import Later, span_of
from notify.cli.send.attachments import attach_option
from notify.cli.send.report import SendReport
from notify.cli.send.requests import PreparedRequest, identified, read
from notify.cli.send.results import Check, Source, checked, published, stopped_by_signals
from notify.cli.send.waiting import wait
from notify.contract import Route, is_uuid, problems, route
from notify.errors import DecodeError, NotifyError
from notify.service.broker import open_publisher
from notify.service.contract import contract_limits, open_templates
from notify.service.record import opened_record
from notify.settings import Settings, load
from notify.templating import TemplateNames
from notify.topology import routing_key


def _key(_context: click.Context, _option: click.Parameter, value: str) -> Route:
    try:
        return route(value)
    except DecodeError as error:
        raise click.BadParameter(f"{error}, such as email.critical.shop") from None


def _data(_context: click.Context, _option: click.Parameter, value: str | None) -> Any:
    return None if value is None else json_argument(value, option="--data")


def _metadata(
    _context: click.Context, _option: click.Parameter, values: tuple[str, ...]
) -> dict[str, str]:
    labels = {}
    for each in values:
        name, equals, value = each.partition("=")
        if not name or not equals:
            raise click.BadParameter(f"{each!r}: write NAME=VALUE, such as order=1017")
        if name in labels:
            raise click.BadParameter(f"{name!r} is given twice")
        labels[name] = value
    return labels


def _duration(_context: click.Context, _option: click.Parameter, value: str | None) -> Any:
    if value is None:
        return None
    span = span_of(value)
    if span is None:
        raise click.BadParameter("write a number and s, m, h, d or w, such as 10m")
    return span


@click.command(
    epilog="""\b
Examples:
  notify send email.critical.shop --to ada@example.com --template login_code \\
      --data '{"code": "123456"}' --expires-in 10m
  notify send sms.normal.shop --to +4915112345678 --text 'Your parcel is here.' --wait
  notify send email.normal.shop --to ada@example.com --template welcome \\
      --send-at 2h --metadata order=1017
  notify send email.bulk.shop --file newsletter.jsonl
  notify send email.bulk.shop --to ada@example.com --template news --category newsletter
  notify send email.normal.shop --to ada@example.com --subject 'Your invoice' \\
      --text 'It is attached.' --attach 1017.pdf --sender billing --reply-to help@example.com
  generate-requests | notify send push.normal.shop --file - --json
"""
)
@click.argument("key", metavar="CHANNEL.LANE.SOURCE", callback=_key)
@click.option(
    "--to",
    multiple=True,
    help="The recipient: an address, a phone number in E.164, or "
    "a device token. May be given several times.",
)
@click.option("--template", metavar="NAME", help="The template to render.")
@click.option(
    "--data",
    metavar="JSON|@FILE",
    callback=_data,
    help="The template's data: a JSON object, or @ and a file's name (@- reads stdin).",
)
@click.option("--category", metavar="NAME", help="The kind of mail, as the operators named it.")
@click.option("--sender", metavar="NAME", help="The sender, as the operators named it.")
@click.option("--reply-to", metavar="ADDRESS", help="The address for replies to the email.")
@attach_option
@click.option("--locale", metavar="TAG", help="The language to write in, such as de or pt-BR.")
@click.option("--subject", metavar="TEXT", help="The email's subject, instead of a template.")
@click.option("--text", metavar="TEXT", help="The email's plain text, or the SMS.")
@click.option("--html", metavar="TEXT", help="The email's HTML.")
@click.option("--title", metavar="TEXT", help="The push message's title.")
@click.option("--body", metavar="TEXT", help="The push message's body.")
@click.option(
    "--id",
    metavar="UUID",
    help="The notification's id; publishing it again does not "
    "send it twice. Default: a new one, which is printed.",
)
@click.option("--idempotency-key", metavar="KEY", help="Sent once for each key. Default: the id.")
@click.option(
    "--metadata",
    metavar="NAME=VALUE",
    multiple=True,
    callback=_metadata,
    help="Your own label, recorded with the notification and in its events. May be given several "
    "times.",
)
@click.option(
    "--send-at",
    type=Later(),
    metavar="WHEN",
    help="Do not send before then: 30s, 10m, 2h or 1d from now, or 2025-01-31T09:00Z.",
)
@click.option(
    "--expires-in",
    "expires_at",
    metavar="DURATION",
    callback=_duration,
    help="Do not send after this time from now: 30s, 10m, 2h, 1d.",
)
@click.option(
    "--file",
    type=click.File("rb"),
    metavar="FILE",
    help="Publish the requests in a file: "
    "JSON Lines, or one JSON object or array; - reads standard input.",
)
@click.option(
    "--wait",
    "waits",
    is_flag=True,
    help="Wait until it has ended, and print its status; needs the record. Exits 1 unless sent.",
)
@click.option(
    "--dry-run", is_flag=True, help="Only check the requests against the contract; publish nothing."
)
@click.option(
    "--unchecked",
    is_flag=True,
    help="Publish without a check: a request that breaks the contract becomes a dead letter.",
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print one JSON object for each request: line, id, status, error.",
)
def send(
    key: Route,
    file: Any,
    waits: bool,
    dry_run: bool,
    unchecked: bool,
    as_json: bool,
    **content: Any,
) -> None:
    """Publish notifications and wait until RabbitMQ has confirmed them.

    CHANNEL.LANE.SOURCE is the routing key: the channel (email, sms, push), the urgency (critical,
    normal, bulk), and the producing service. Exits 1 if any request was not confirmed; a request
    may be published again with the same id at any time. A template must exist in this machine's
    configuration; --unchecked publishes without this check.
    """
    if file and any(content.values()):
        raise click.UsageError("--file contains whole requests: omit the options of a single one")
    if waits and (file or dry_run):
        raise click.UsageError(
            "--wait is for one request that is published: omit --file and --dry-run"
        )
    settings = load()
    if key.lane not in settings.lanes and not unchecked:
        lanes = ", ".join(settings.lanes)
        raise click.UsageError(f"no lane {key.lane!r} is configured; configured lanes: {lanes}")
    composed = None if file else _composed(content)
    entries = read(file, name=name_of(file)) if composed is None else iter([composed])
    source = Source(entries, _unchecked if unchecked else _checker(settings, key))
    with stopped_by_signals(source), SendReport(file, as_json=as_json) as report:
        if dry_run:
            report.consume(checked(source, key.channel), source)
        else:
            name = routing_key(key.channel, key.lane, key.source)
            with open_publisher(settings) as publisher:
                report.consume(published(source, publisher, routing_key=name), source)
    good = not report.bad
    if good and composed is not None and not dry_run:
        good = _followed(settings, key, composed, waits=waits, as_json=as_json)
    sys.exit(0 if good else 1)


def _followed(
    settings: Settings, key: Route, sent: PreparedRequest, *, waits: bool, as_json: bool
) -> bool:
    """Wait until it has ended, or print how to see it; return whether it was sent."""
    if not waits:
        if not as_json and sent.id:
            click.echo(f"notify show {sent.id} shows its status; --wait waits for it", err=True)
        return True
    if not is_uuid(sent.id):
        raise NotifyError("it was published; to wait for it, its id must be a UUID")
    to = json.loads(sent.body).get("to")
    expected = len(to) if isinstance(to, list) else 1
    with opened_record(settings) as store:
        id_ = UUID(sent.id)
        return wait(store, id_, source=key.source, expected=expected, as_json=as_json)


def _composed(content: Mapping[str, Any]) -> PreparedRequest:
    """Return the request that the options describe."""
    request = {name: value for name, value in content.items() if value}
    if not request.get("to"):
        raise click.UsageError("--to or --file is needed")
    to = request["to"]
    request["to"] = to[0] if len(to) == 1 else list(to)
    if "send_at" in request:
        request["send_at"] = request["send_at"].isoformat()
    if "expires_at" in request:
        request["expires_at"] = (datetime.now(UTC) + request["expires_at"]).isoformat()
    return identified(json.dumps(request, ensure_ascii=False).encode(), line=0)


def _checker(settings: Settings, key: Route) -> Check:
    known = TemplateNames(open_templates(settings))

    def check(entry: PreparedRequest) -> str:
        found = problems(
            entry.body,
            channel=key.channel,
            limits=contract_limits(settings),
            template=known.problem,
            lane=key.lane,
            source=key.source,
        )
        return "; ".join(one.for_author for one in found)

    return check


def _unchecked(_: PreparedRequest) -> str:
    return ""
