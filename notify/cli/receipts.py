"""`notify receipts`: accept receipts that arrive by another way than the web."""

from __future__ import annotations

import sys
from contextlib import closing
from typing import BinaryIO

import click

from notify.errors import NotifyError
from notify.receipt import Forged, Posted, Unreadable
from notify.service.receipt_intake import intake_publisher, open_intake
from notify.service.record import open_store
from notify.settings import load
from notify.telemetry import logs
from notify.telemetry.metrics import Metrics

TRY_LATER = 75
"""EX_TEMPFAIL of sysexits.h: the mail server keeps the message and tries again."""

LONGEST = 4_194_304
"""Bytes of a message to read, as of a vendor's request; a report is in its beginning."""
_READ = 65_536


@click.group()
def receipts() -> None:
    """Accept receipts that arrive by another way than the web."""


@receipts.command()
@click.argument("provider")
def mail(*, provider: str) -> None:
    """Read one message that came back: a bounce or a complaint, from a mail server's pipe.

    The message is verified and read as [providers.PROVIDER.receipts] says, and its receipts are
    published for `notify worker receipts`, or kept in the record while RabbitMQ is away. A message
    that is not a report, or has no valid return path, is counted as done.

    It exits with 0 when the message is done, and with 75 if the mail server must try again: the
    configuration is wrong, or RabbitMQ and the record are both away.

    \b
    Examples:
      notify receipts mail relay <bounce.eml
      notify unix - n n - 10 pipe user=notify argv=/usr/bin/notify receipts mail relay
    """
    body = _message(sys.stdin.buffer)
    try:
        _accept(provider, body)
    except (Forged, Unreadable):
        return  # logged by the intake; the mail server must not answer it
    except NotifyError as error:
        click.echo(f"notify: {error}", err=True)
        sys.exit(TRY_LATER)


def _accept(provider: str, body: bytes) -> None:
    settings = load()
    logs.configure(level=settings.log.level, format=settings.log.format)
    with (
        closing(open_store(settings, connections=1)) as store,
        intake_publisher(settings) as publisher,
    ):
        intake = open_intake(settings, store, publisher, Metrics(), only=provider)
        intake.accept(provider, Posted(query="", headers={}, body=body))


def _message(stream: BinaryIO) -> bytes:
    """Read a message to its end, and return its beginning."""
    body = stream.read(LONGEST)
    while stream.read(_READ):
        pass
    return body
