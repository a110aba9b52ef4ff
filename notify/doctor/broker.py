"""RabbitMQ: reachable, of a supported version, accepting messages, with the right topology."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

import amqp

from notify.contract import largest_request
from notify.doctor import policies, queues, rights
from notify.doctor.finding import Finding, fail, ok, unchecked, warn
from notify.errors import ConfigError
from notify.publisher import why
from notify.service.broker import open_broker, topology_of
from notify.service.contract import contract_limits
from notify.settings import LONGEST_TIMEOUT, Settings, shown_url
from notify.status.overrides import OverridesSnapshot
from notify.topology import Difference, depths, diff, differences, missing
from notify.worker.pause import REQUEUE_AFTER

PATIENCE = 5.0
"""Seconds for each question to the broker."""

OLDEST = (3, 10)
"""The first RabbitMQ that removes a message only when its dead letter is confirmed."""
FOURTH = (4, 0)
SIZE_OF_FOURTH = 16 << 20
"""Largest message in bytes that RabbitMQ 4 accepts by default; 128 MiB before version 4."""

CONSUMER_TIMEOUT = REQUEUE_AFTER + 2 * LONGEST_TIMEOUT + 250
"""Seconds for which a message may be unacknowledged: a wait for the record, then two calls."""


def findings(
    settings: Settings, *, definitions: Mapping[str, Any] | None, snapshot: OverridesSnapshot | None
) -> Iterator[Finding]:
    """
    Check everything about the broker.

    Args:
        definitions: The output of `rabbitmqctl export_definitions`, if there is one.
        snapshot: What keeps workers from consuming; None if it could not be read.
    """
    address = shown_url(settings.amqp.url.get_secret_value())
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
        yield fail("broker", f"cannot be reached: {why(error)} ({address})", fix=fix)


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
    found_depths = depths(names, connection)
    there = {name: depth for name, depth in found_depths.items() if depth is not None}
    may = yield from rights.findings(settings, there, patience=PATIENCE)
    yield from _topology(settings, connection, definitions, may_configure=may.configure)
    yield from policies.findings(settings, definitions)
    yield _consumer_timeout()
    yield from queues.findings(settings, there, snapshot=snapshot)


def version(properties: Mapping[str, Any], settings: Settings) -> Iterator[Finding]:
    """Report the known faults of the broker's version."""
    product, text = str(properties.get("product")), str(properties.get("version"))
    numbers = tuple(int(part) for part in text.split(".")[:2] if part.isdecimal())
    if product != "RabbitMQ" or len(numbers) < 2:
        found = f"it reports {product} {text}: quorum queues with dead-lettering are needed"
        yield fail("broker", found, fix="use RabbitMQ 3.10 or later")
        return
    if numbers < OLDEST:
        found = f"RabbitMQ {text} may lose dead letters: it has no at-least-once dead-lettering"
        yield fail("broker", found, fix="upgrade to RabbitMQ 3.10 or later")
        return
    if numbers < FOURTH:
        found = f"RabbitMQ {text} is past its end of life: it gets no more fixes"
        yield warn("broker", found, fix="docs/operations.md#broker-from-debian-12-to-13")
    largest = largest_request(contract_limits(settings), attaches=True)
    if numbers >= FOURTH and largest > SIZE_OF_FOURTH:
        found = f"RabbitMQ {text} accepts 16 MiB, the options of [contract] allow more"
        fix = f"rabbitmq.conf: max_message_size = {largest}"
        yield warn("broker", found, fix=fix)
    usual = "limits deliveries to 20" if numbers >= FOURTH else "does not limit deliveries"
    yield ok("broker", f"RabbitMQ {text}; by default it {usual}, our queues set their own limit")


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
        state = compared if whole or may_configure else "there"
        yield ok("topology", f"{count} exchanges and queues are {state}")
    if not whole:
        what = "bindings" if may_configure else "arguments and bindings"
        text = f"{what} are not compared: " + (
            "AMQP cannot read them" if may_configure else "this login may not configure"
        )
        yield unchecked("topology", text, fix=policies.WITH_DEFINITIONS)


def _difference(found: Difference) -> Finding:
    fix = "notify topology apply, as a user who may configure"
    if found.how != "missing":
        fix = f"drain and delete the {found.what.partition(' ')[0]}, then {fix}"
    return fail("topology", str(found), fix=fix)


def _consumer_timeout() -> Finding:
    least = round(CONSUMER_TIMEOUT * 1000)
    text = f"AMQP cannot read it; it must be {least} ms or more, and is 1800000 by default"
    fix = "rabbitmqctl eval 'application:get_env(rabbit, consumer_timeout).'"
    return unchecked("consumer timeout", text, fix=fix)
