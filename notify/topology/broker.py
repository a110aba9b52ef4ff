"""Declaring the topology on a broker, and comparing the broker with it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import amqp

from notify.errors import ConfigError
from notify.topology.plan import Binding, Exchange, Queue, Topology

_INEQUIVALENT = re.compile(
    r"inequivalent arg '(?P<name>[^']+)'.*?received (?P<wanted>.+?) but current is (?P<found>.+)$"
)


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference between the broker and the topology."""

    what: str
    """The object, such as `queue notify.sms.bulk`."""
    how: str
    """`missing`, or the argument that differs, with both values."""

    def __str__(self) -> str:
        """Return the text that an operator reads."""
        return f"{self.what}: {self.how}"


@dataclass(frozen=True, slots=True)
class Depth:
    """A queue at one moment."""

    ready: int
    """Messages that no consumer has received."""
    consumers: int


_SILENT = Depth(0, 0)
_TIMEOUT = 0.25
"""Seconds that RabbitMQ waits for a quorum queue's counts (rabbit_quorum_queue.erl, `stat`)."""
_REPEATS = 8
"""Questions asked again in one read: silent queues cost two seconds more, however many they are."""


def depths(
    names: Iterable[str],
    connection: amqp.Connection,
    *,
    monotonic: Callable[[], float] = time.monotonic,
) -> dict[str, Depth | None]:
    """
    Return the depths of queues; None for one that is missing. Needs no right.

    RabbitMQ answers 0 messages and 0 consumers for a quorum queue that does not reply to it in
    time, so such an answer is asked for again. A queue that stays silent, since most of its nodes
    are lost, is returned as the broker answers.
    """
    found: dict[str, Depth | None] = {}
    repeats = _REPEATS
    for name in names:
        while True:
            began = monotonic()
            found[name] = _depth(name, connection)
            if found[name] != _SILENT or not repeats or monotonic() - began < _TIMEOUT:
                break
            repeats -= 1
    return found


def _depth(name: str, connection: amqp.Connection) -> Depth | None:
    with connection.channel() as channel:
        try:
            answer = channel.queue_declare(name, passive=True)
        except amqp.NotFound:
            return None
    return Depth(answer.message_count, answer.consumer_count)


def apply(topology: Topology, connection: amqp.Connection) -> None:
    """
    Declare what is missing. It may run again: an object that exists as declared stays as it is.

    Raises:
        ConfigError: An object exists with other arguments, which AMQP cannot change.
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
    Return how the broker's exchanges and queues differ. Needs the right to configure.

    It changes nothing. AMQP cannot read bindings: `differences` compares them too. The broker
    reports one differing argument of an object at a time.

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
    Check that every exchange and queue exists. Needs no right to configure.

    Raises:
        ConfigError: An object is missing; the text names it and the command that creates it.
    """
    absent = missing(topology, connection)
    if absent:
        names = ", ".join(difference.what for difference in absent)
        raise ConfigError(f"missing on the broker: {names}; create with: notify topology apply")


def missing(topology: Topology, connection: amqp.Connection) -> list[Difference]:
    """Return the exchanges and queues that the broker lacks. Needs no right to configure."""
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
    """Return the argument, wanted value and found value of a broker's error."""
    match = _INEQUIVALENT.search(reply)
    if match is None:
        return reply
    return f"{match['name']} should be {match['wanted']}, is {match['found']}"
