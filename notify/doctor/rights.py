"""
What the service's login may do, probed without doing it.

Each probe asks for something that RabbitMQ refuses in any case, after it has checked the right: 403
says that the right is missing, any other refusal that it is there. Nothing is published, taken or
made.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Generator, Iterator
from dataclasses import dataclass, field
from uuid import uuid4

import amqp

from notify.doctor.finding import Finding, fail, ok, warn
from notify.service import open_broker
from notify.settings import Settings
from notify.topology import DEAD, EVENTS, WORK, worker_rights


class _Blocked(Exception):
    """The broker says that it takes no message."""


def _give_up(blocked: bool) -> None:
    """End the wait for an answer that will not come; the connection is of no more use."""
    if blocked:
        raise _Blocked


@dataclass(frozen=True, slots=True)
class Rights:
    """What the login may do."""

    unreadable: list[str] = field(default_factory=list)
    unwritable: list[str] = field(default_factory=list)
    configure: bool = False


def findings(
    settings: Settings, queues: Collection[str], *, patience: float
) -> Generator[Finding, None, Rights]:
    """
    Tell whether messages are taken, and whether the login has the rights of a worker and no more.

    Args:
        queues: Those that are there.
        patience: Seconds for an answer; what takes longer means that the broker takes no message.
    """
    with open_broker(settings, timeout=patience) as connection:
        unreadable = [name for name in queues if not may_read(connection, name)]
        configure = may_configure(connection)
    # Its own connection: in an alarm the broker reads no more from one that has published.
    connection = open_broker(settings, timeout=patience, on_alarm=_give_up)
    unwritable: list[str] = []
    try:
        unwritable = [name for name in (WORK, DEAD, EVENTS) if not may_write(connection, name)]
    except (TimeoutError, _Blocked) as error:
        yield _unread(error)
        connection.collect()
    else:
        yield ok("alarm", "the broker takes messages")
        connection.close()
    found = Rights(unreadable, unwritable, configure)
    yield from _judged(settings, found)
    return found


def may_read(connection: amqp.Connection, queue: str) -> bool:
    """Tell whether a queue may be consumed."""

    def consume(channel: amqp.Channel) -> None:
        # Should a broker take this priority after all, it hands out one message and gets it back.
        channel.basic_qos(0, 1, False)
        channel.basic_consume(queue, arguments={"x-priority": "none"})

    return _allowed(connection, consume)


def may_write(connection: amqp.Connection, exchange: str) -> bool:
    """
    Tell whether an exchange may be published to.

    Raises:
        TimeoutError: The broker does not read what is published.
    """

    def publish(channel: amqp.Channel) -> None:
        message = amqp.Message(b"", expiration="none")
        channel.basic_publish(message, exchange, "email.normal.notify")
        # Publishing has no answer: this one comes after the refusal.
        channel.basic_qos(0, 1, False)

    return _allowed(connection, publish)


def may_configure(connection: amqp.Connection) -> bool:
    """Tell whether a queue of the service's names may be declared and deleted."""
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
    why = "its memory or disk is short" if isinstance(error, _Blocked) else "no answer in time"
    text = f"the broker takes no messages: {why}; producers wait, retries too"
    return fail("alarm", text, fix="rabbitmq-diagnostics alarms; free memory or disk there")


def _judged(settings: Settings, rights: Rights) -> Iterator[Finding]:
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
