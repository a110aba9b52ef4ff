"""`notify outbox`: publish the requests in the outbox of a producer's database."""

from __future__ import annotations

import signal
import threading
from types import FrameType

import click
from sqlalchemy import Engine, MetaData, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from notify.errors import ConfigError
from notify.outbox import OutboxRelay, outbox_table
from notify.service.broker import open_publisher
from notify.settings import load
from notify.telemetry import logs


@click.group()
def outbox() -> None:
    """Publish requests that producers wrote in transactions of their own database.

    \b
    Example:
      notify outbox relay --database postgresql+psycopg://shop@127.0.0.1/shop
    """


@outbox.command()
@click.option(
    "--database",
    metavar="URL",
    required=True,
    envvar="OUTBOX_DATABASE_URL",
    show_envvar=True,
    help="The producer's database, as a URL of SQLAlchemy.",
)
@click.option(
    "--table", default="notify_outbox", show_default=True, metavar="NAME", help="The outbox."
)
@click.option("--once", is_flag=True, help="Publish the committed requests, and exit; for a timer.")
def relay(database: str, table: str, once: bool) -> None:
    """Publish the requests that producers commit to their outbox, until SIGTERM or Ctrl-C.

    Each is confirmed by the broker of amqp.url. Run it if producers do not run an OutboxRelay
    themselves; several may run at once. It waits while the broker or the database is away; with
    --once it exits with 1 then.

    \b
    Examples:
      notify outbox relay --database sqlite:////var/lib/shop/shop.db
      OUTBOX_DATABASE_URL=postgresql+psycopg://shop@db/shop notify outbox relay --once
    """
    settings = load()
    logs.configure(level=settings.log.level, format=settings.log.format)
    engine = _engine(database)
    schema, _, name = table.rpartition(".")
    with open_publisher(settings) as publisher:
        worker = OutboxRelay(
            engine, outbox_table(MetaData(), name=name, schema=schema or None), publisher
        )
        if once:
            _empty(worker)
        else:
            worker.run(_stop_signal())
    engine.dispose()


def _engine(url: str) -> Engine:
    try:
        if make_url(url).drivername != "postgresql+psycopg":
            return create_engine(url)
        # A producer's database may be behind a pooler, which loses prepared statements, and may
        # have another isolation level and encoding than a relay needs.
        session = {"prepare_threshold": None, "client_encoding": "utf8"}
        return create_engine(url, isolation_level="READ COMMITTED", connect_args=session)
    except (ArgumentError, ImportError, ValueError):
        raise ConfigError(
            "--database does not name a database; write sqlite:////path/shop.db"
            " or postgresql+psycopg://user@host/database"
        ) from None


def _empty(worker: OutboxRelay) -> None:
    count = 0
    try:
        while published := worker.relay():
            count += published
    except SQLAlchemyError as error:
        # Its text may contain a request.
        kind = type(getattr(error, "orig", None) or error).__name__
        raise ConfigError(
            f"the outbox cannot be used: {kind}; check --database and --table"
        ) from None
    click.echo(f"{count} published")


def _stop_signal() -> threading.Event:
    """Return an event that SIGTERM and SIGINT set."""
    stop = threading.Event()

    def handle(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handle)
    return stop
