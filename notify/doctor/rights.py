"""
The rights of the service's login, probed without using them.

Each probe is a request that RabbitMQ always refuses, after it has checked the right: a 403 means
that the right is missing, any other refusal that it exists. Nothing is published, consumed or
declared.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Generator, Iterator
from dataclasses import dataclass, field
from uuid import uuid4

import amqp

from notify.doctor.finding import Finding, fail, ok, warn
from notify.service.broker import open_broker
from notify.settings import Settings
from notify.topology import DEAD, EVENTS, RECEIPTS, WORK, worker_rights


class _Blocked(Exception):
    """The broker has reported that it accepts no messages."""


def _give_up(blocked: bool) -> None:
    """Stop waiting for an answer that will not come; the connection cannot be used again."""
    if blocked:
        raise _Blocked


@dataclass(frozen=True, slots=True)
class Rights:
    """The rights of the login."""

    unreadable: list[str] = field(default_factory=list)
    unwritable: list[str] = field(default_factory=list)
    configure: bool = False


def findings(
    settings: Settings, queues: Collection[str], *, patience: float
) -> Generator[Finding, None, Rights]:
    """
    Check that messages are accepted, and that the login has a worker's rights and no more.

    Args:
        queues: The queues that exist.
        patience: Seconds for an answer; without one, the broker counts as accepting no messages.
    """
    with open_broker(settings, timeout=patience) as connection:
        unreadable = [name for name in queues if not may_read(connection, name)]
        configure = may_configure(connection)
    # A separate connection: in an alarm the broker stops reading from one that has published.
    connection = open_broker(settings, timeout=patience, on_alarm=_give_up)
    unwritable: list[str] = []
    try:
        unwritable = [
            name for name in (WORK, DEAD, EVENTS, RECEIPTS) if not may_write(connection, name)
        ]
    except (TimeoutError, _Blocked) as error:
        yield _unread(error)
        connection.collect()
    else:
        yield ok("alarm", "the broker accepts messages")
        connection.close()
    found = Rights(unreadable, unwritable, configure)
    yield from _compared(settings, found)
    return found


def may_read(connection: amqp.Connection, queue: str) -> bool:
    """Return whether the login may consume a queue."""

    def consume(channel: amqp.Channel) -> None:
        # If a broker accepts this priority after all, it delivers one message and gets it back.
        channel.basic_qos(0, 1, False)
        channel.basic_consume(queue, arguments={"x-priority": "none"})

    return _allowed(connection, consume)


def may_write(connection: amqp.Connection, exchange: str) -> bool:
    """
    Return whether the login may publish to an exchange.

    Raises:
        TimeoutError: The broker does not read what is published.
    """

    def publish(channel: amqp.Channel) -> None:
        message = amqp.Message(b"", expiration="none")
        channel.basic_publish(message, exchange, "email.normal.notify")
        # Publishing has no answer; this answer arrives after the refusal.
        channel.basic_qos(0, 1, False)

    return _allowed(connection, publish)


def may_configure(connection: amqp.Connection) -> bool:
    """Return whether the login may declare and delete queues of the service's names."""
    return _allowed(connection, lambda channel: channel.queue_delete(f"notify.{uuid4()}"))


def _allowed(connection: amqp.Connection, ask: Callable[[amqp.Channel], object]) -> bool:
    channel = connection.channel()
    try:
        ask(channel)
    except amqp.AccessRefused:
        return False
    except (amqp.PreconditionFailed, amqp.NotFound):
        return True
    channel.close()
    return True


def _unread(error: Exception) -> Finding:
    why = (
        "it is short of memory or disk space"
        if isinstance(error, _Blocked)
        else "no answer in time"
    )
    text = f"the broker accepts no messages: {why}; producers and retries wait"
    return fail("alarm", text, fix="rabbitmq-diagnostics alarms; free memory or disk there")


def _compared(settings: Settings, rights: Rights) -> Iterator[Finding]:
    user, vhost = settings.amqp.user, settings.amqp.vhost
    least = worker_rights()
    words = (user, least["configure"], least["write"], least["read"])
    fix = f"rabbitmqctl set_permissions -p {shlex.join([vhost, *words])}"
    for what, names in (("consume", rights.unreadable), ("publish to", rights.unwritable)):
        if names:
            yield fail("rights", f"{user} may not {what} {', '.join(names)}", fix=fix)
    if rights.configure:
        text = f"{user} may declare and delete queues, which no worker needs"
        yield warn("rights", text, fix=fix)
    elif not rights.unreadable and not rights.unwritable:
        yield ok("rights", f"{user} may consume and publish, and configure nothing")
