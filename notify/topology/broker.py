"""Make the broker as the topology says, and tell where it is not."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import amqp

from notify.errors import ConfigError
from notify.topology.plan import Binding, Exchange, Queue, Topology

_INEQUIVALENT = re.compile(
    r"inequivalent arg '(?P<name>[^']+)'.*?received (?P<wanted>.+?) but current is (?P<found>.+)$"
)


@dataclass(frozen=True, slots=True)
class Difference:
    """One way in which the broker is not as described."""

    what: str
    """Which object, such as `queue notify.sms.bulk`."""
    how: str
    """`missing`, or the argument that differs with the wanted and the found value."""

    def __str__(self) -> str:
        """Return the words an operator reads."""
        return f"{self.what}: {self.how}"


@dataclass(frozen=True, slots=True)
class Depth:
    """A queue at one moment."""

    ready: int
    """Messages that no consumer has taken."""
    consumers: int


def depths(names: Iterable[str], connection: amqp.Connection) -> dict[str, Depth | None]:
    """Look at queues; None for one that is missing. Needs no right."""
    return {name: _depth(name, connection) for name in names}


def _depth(name: str, connection: amqp.Connection) -> Depth | None:
    with connection.channel() as channel:
        try:
            told = channel.queue_declare(name, passive=True)
        except amqp.NotFound:
            return None
    return Depth(told.message_count, told.consumer_count)


def apply(topology: Topology, connection: amqp.Connection) -> None:
    """
    Declare what is missing; what exists as described is left alone, so it may run again.

    Raises:
        ConfigError: An object exists with other arguments, which a declaration cannot change.
    """
    with connection.channel() as channel:
        try:
            for one in topology.declared:
                _declare(channel, one)
            for binding in topology.bindings:
                _bind(channel, binding)
        except (amqp.PreconditionFailed, amqp.AccessRefused) as error:
            raise ConfigError(f"topology not applied: {error.reply_text}") from error


def diff(topology: Topology, connection: amqp.Connection) -> list[Difference]:
    """
    Compare exchanges and queues with the broker's, changing nothing; needs the right to configure.

    AMQP cannot read bindings: `differences` compares those too. The broker names one differing
    argument of an object at a time.

    Raises:
        ConfigError: The user lacks the right to configure.
    """
    found = missing(topology, connection)
    absent = {difference.what for difference in found}
    for one in topology.declared:
        if _title(one) in absent:
            continue
        with connection.channel() as channel:
            try:
                _declare(channel, one)
            except amqp.PreconditionFailed as error:
                found.append(Difference(_title(one), _explain(error.reply_text)))
            except amqp.AccessRefused as error:
                raise ConfigError(f"topology not compared: {error.reply_text}") from error
    return found


def check(topology: Topology, connection: amqp.Connection) -> None:
    """
    Make sure, at start-up, that every exchange and queue exists. Needs no right to configure.

    Raises:
        ConfigError: Something is missing; the text names it and the command that creates it.
    """
    absent = missing(topology, connection)
    if absent:
        names = ", ".join(difference.what for difference in absent)
        raise ConfigError(f"missing on the broker: {names}; create with: notify topology apply")


def missing(topology: Topology, connection: amqp.Connection) -> list[Difference]:
    """Tell which exchanges and queues the broker lacks. Needs no right to configure."""
    found = []
    for one in topology.declared:
        with connection.channel() as channel:
            try:
                _declare(channel, one, passive=True)
            except amqp.NotFound:
                found.append(Difference(_title(one), "missing"))
    return found


def _declare(channel: amqp.Channel, one: Exchange | Queue, *, passive: bool = False) -> None:
    arguments = dict(one.arguments)
    if isinstance(one, Exchange):
        channel.exchange_declare(
            one.name,
            one.type,
            passive=passive,
            durable=True,
            auto_delete=False,
            arguments=arguments,
        )
    else:
        channel.queue_declare(
            one.name, passive=passive, durable=True, auto_delete=False, arguments=arguments
        )


def _bind(channel: amqp.Channel, one: Binding) -> None:
    bind = channel.exchange_bind if one.to_exchange else channel.queue_bind
    bind(one.destination, one.source, one.routing_key)


def _title(one: Exchange | Queue) -> str:
    return f"{'exchange' if isinstance(one, Exchange) else 'queue'} {one.name}"


def _explain(reply: str) -> str:
    """Turn the broker's complaint into argument, wanted and found value."""
    match = _INEQUIVALENT.search(reply)
    if match is None:
        return reply
    return f"{match['name']} should be {match['wanted']}, is {match['found']}"
