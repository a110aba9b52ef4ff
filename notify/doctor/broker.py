"""RabbitMQ: reachable, of a good version, taking messages, and made as the service needs it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

import amqp

from notify.doctor import policies, queues, rights
from notify.doctor.finding import Finding, fail, ok, unchecked, warn
from notify.errors import ConfigError
from notify.publisher import why
from notify.service import open_broker, topology_of
from notify.settings import LONGEST_TIMEOUT, Settings
from notify.settings.urls import shown
from notify.status import OverridesSnapshot
from notify.topology import Difference, depths, diff, differences, missing
from notify.worker.pause import HOLD

PATIENCE = 5.0
"""Seconds for each question to the broker."""

OLDEST = (3, 10)
"""The first RabbitMQ that confirms a dead letter before it forgets the message."""
FOURTH = (4, 0)
SIZE_OF_FOURTH = 16 << 20
"""Bytes of a message that RabbitMQ 4 takes unless told otherwise; 128 MiB before."""

CONSUMER_TIMEOUT = HOLD + 2 * LONGEST_TIMEOUT + 250
"""Seconds that a worker may have a message in hand: it waits for the record, then calls, twice."""


def findings(
    settings: Settings, *, definitions: Mapping[str, Any] | None, snapshot: OverridesSnapshot | None
) -> Iterator[Finding]:
    """
    Tell all of the broker.

    Args:
        definitions: What `rabbitmqctl export_definitions` wrote, if it is at hand.
        snapshot: What keeps workers from consuming; None where it could not be read.
    """
    address = shown(settings.amqp.url.get_secret_value())
    try:
        with open_broker(settings, timeout=PATIENCE) as connection:
            yield from _all(settings, connection, definitions=definitions, snapshot=snapshot)
    except ConfigError as error:
        fix = "correct amqp.url; rabbitmqctl list_permissions -p " + shlex.quote(
            settings.amqp.vhost
        )
        yield fail("broker", f"{error} ({address})", fix=fix)
    except (OSError, amqp.AMQPError) as error:
        fix = "systemctl status rabbitmq-server on its machine; correct amqp.url"
        yield fail("broker", f"cannot be talked to: {why(error)} ({address})", fix=fix)


def _all(
    settings: Settings,
    connection: amqp.Connection,
    *,
    definitions: Mapping[str, Any] | None,
    snapshot: OverridesSnapshot | None,
) -> Iterator[Finding]:
    yield from version(connection.server_properties, settings)
    topology = topology_of(settings)
    names = [queue.name for queue in topology.queues]
    looked = depths(names, connection)
    there = {name: depth for name, depth in looked.items() if depth is not None}
    found = yield from rights.findings(settings, there, patience=PATIENCE)
    yield from _topology(settings, connection, definitions, may_configure=found.configure)
    yield from policies.findings(settings, definitions)
    yield _consumer_timeout()
    yield from queues.findings(settings, there, snapshot=snapshot)


def version(properties: Mapping[str, Any], settings: Settings) -> Iterator[Finding]:
    """Tell what is known to go wrong with the broker's version."""
    product, text = str(properties.get("product")), str(properties.get("version"))
    numbers = tuple(int(part) for part in text.split(".")[:2] if part.isdecimal())
    if product != "RabbitMQ" or len(numbers) < 2:
        told = f"it says to be {product} {text}: quorum queues and their dead-lettering are needed"
        yield fail("broker", told, fix="use RabbitMQ 3.10 or later")
        return
    if numbers < OLDEST:
        told = f"RabbitMQ {text} may lose dead letters: it has no at-least-once dead-lettering"
        yield fail("broker", told, fix="upgrade to RabbitMQ 3.10 or later")
        return
    if numbers < FOURTH:
        told = f"RabbitMQ {text} is past its end of life: its makers fix nothing in it any more"
        yield warn("broker", told, fix="docs/operations.md#broker-from-debian-12-to-13")
    if numbers >= FOURTH and settings.contract.max_body_bytes > SIZE_OF_FOURTH:
        told = f"RabbitMQ {text} takes 16 MiB, contract.max_body_bytes allows more"
        fix = f"rabbitmq.conf: max_message_size = {settings.contract.max_body_bytes}"
        yield warn("broker", told, fix=fix)
    usual = "limits deliveries to 20" if numbers >= FOURTH else "limits no deliveries"
    yield ok("broker", f"RabbitMQ {text}; by itself it {usual}, each queue of ours says its own")


def _topology(
    settings: Settings,
    connection: amqp.Connection,
    definitions: Mapping[str, Any] | None,
    *,
    may_configure: bool,
) -> Iterator[Finding]:
    topology = topology_of(settings)
    whole = definitions is not None
    if definitions is not None:
        found = differences(topology, definitions, vhost=settings.amqp.vhost)
    elif may_configure:
        found = diff(topology, connection)
    else:
        found = missing(topology, connection)
    yield from map(_difference, found)
    count = len(topology.declared)
    if not found:
        compared = "as described, bindings included" if whole else "as described"
        told = compared if whole or may_configure else "there"
        yield ok("topology", f"{count} exchanges and queues are {told}")
    if not whole:
        what = "bindings" if may_configure else "arguments and bindings"
        told = f"{what} are not compared: " + (
            "AMQP does not tell" if may_configure else "this login may not configure"
        )
        yield unchecked("topology", told, fix=policies.WITH_DEFINITIONS)


def _difference(found: Difference) -> Finding:
    fix = "notify topology apply, as a user who may configure"
    if found.how != "missing":
        fix = f"drain and delete the {found.what.partition(' ')[0]}, then {fix}"
    return fail("topology", str(found), fix=fix)


def _consumer_timeout() -> Finding:
    least = round(CONSUMER_TIMEOUT * 1000)
    told = f"AMQP does not tell; it must be {least} ms or more, and is 1800000 unless changed"
    fix = "rabbitmqctl eval 'application:get_env(rabbit, consumer_timeout).'"
    return unchecked("consumer timeout", told, fix=fix)
