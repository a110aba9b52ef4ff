"""RabbitMQ definitions: the topology and the least rights as a file, and a comparison with one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from notify.message import Channel
from notify.topology.broker import Difference
from notify.topology.plan import (
    API_USER,
    CONSOLE_USER,
    DEAD,
    EVENTS,
    EXCHANGE,
    OPERATOR_USER,
    RECEIPTS,
    RECEIPTS_USER,
    WORK,
    WORKER_USER,
    Topology,
    subscriber_user,
)


@dataclass(frozen=True, slots=True)
class Producer:
    """A service that may publish on some channels; its broker user has the name of its source."""

    source: str
    channels: tuple[Channel, ...]


def export(
    topology: Topology,
    *,
    vhost: str = "/",
    producers: Iterable[Producer] = (),
    subscribers: Iterable[str] = (),
    users: bool = False,
) -> dict[str, Any]:
    """
    Return definitions for `rabbitmqctl import_definitions`, which never removes an object.

    They grant rights to workers, to operators' commands, to each producer, and to the user of each
    source in `subscribers`, which may read the source's events from a queue of its own.

    The users must exist. With `users` the import creates them, unable to log in until an operator
    sets a password. RabbitMQ resets the password of a user that exists, with or without a hash in
    the file, so `users` is for a first import only.
    """
    producers = tuple(producers)
    subscribers = tuple(subscribers)
    permissions = [
        {"user": WORKER_USER, **worker_rights()},
        _operator_rights(),
        _receipts_rights(),
        _api_rights(),
        _console_rights(),
        *map(_producer_rights, producers),
        *map(_subscriber_rights, subscribers),
    ]
    topics = [*map(_topics, producers), *map(_events, subscribers), _api_topics()]
    return {
        "vhosts": [{"name": vhost}],
        **({"users": [_user(one["user"]) for one in permissions]} if users else {}),
        "permissions": [{"vhost": vhost, **one} for one in permissions],
        "topic_permissions": [{"vhost": vhost, **one} for one in topics],
        "exchanges": [{"vhost": vhost, **one} for one in _exchanges(topology)],
        "queues": [{"vhost": vhost, **one} for one in _queues(topology)],
        "bindings": [{"vhost": vhost, **one} for one in _bindings(topology)],
    }


def differences(
    topology: Topology, definitions: Mapping[str, Any], *, vhost: str = "/"
) -> list[Difference]:
    """
    Return how the output of `rabbitmqctl export_definitions` differs from the topology.

    Objects beyond the topology, such as a tap that operators bound, are not differences.
    """
    wanted = export(topology, vhost=vhost)
    found: list[Difference] = []
    for kind in ("exchanges", "queues"):
        there = {one["name"]: one for one in definitions.get(kind, ()) if one["vhost"] == vhost}
        for one in wanted[kind]:
            found.extend(_compare(f"{kind[:-1]} {one['name']}", one, there.get(one["name"])))
    bound = {_route(one) for one in definitions.get("bindings", ()) if one["vhost"] == vhost}
    for binding, one in zip(topology.bindings, wanted["bindings"], strict=True):
        if _route(one) not in bound:
            found.append(Difference(f"binding {binding}", "missing"))
    return found


def _compare(
    what: str, wanted: Mapping[str, Any], found: Mapping[str, Any] | None
) -> Iterator[Difference]:
    if found is None:
        yield Difference(what, "missing")
        return
    arguments = {**wanted["arguments"], "type": wanted["type"], "durable": True}
    present = {**found["arguments"], "type": found["type"], "durable": found["durable"]}
    for name in sorted(arguments.keys() | present.keys()):
        if arguments.get(name) != present.get(name):
            how = f"{name} should be {arguments.get(name)!r}, is {present.get(name)!r}"
            yield Difference(what, how)


def _route(binding: Mapping[str, Any]) -> tuple[str, ...]:
    keys = ("source", "destination_type", "destination", "routing_key")
    return tuple(binding[key] for key in keys)


def _user(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "password_hash": "",
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": [],
    }


def worker_rights() -> dict[str, str]:
    """Return the rights of a worker: to consume every queue and to publish, not to declare."""
    writes = "|".join(re.escape(name) for name in (WORK, DEAD, EVENTS, RECEIPTS))
    return {
        "configure": "^$",
        "write": f"^({writes})$",
        "read": r"^notify\.",
    }


def _operator_rights() -> dict[str, str]:
    """Return the rights of commands: to apply and compare the topology, send, and follow events."""
    ours = r"^(notify(\..+)?|amq\.gen-.+)$"
    return {"user": OPERATOR_USER, "configure": ours, "write": ours, "read": ours}


def _receipts_rights() -> dict[str, str]:
    """Return the rights of the web intake: to publish receipts, and nothing else."""
    write = f"^{re.escape(RECEIPTS)}$"
    return {"user": RECEIPTS_USER, "configure": "^$", "write": write, "read": "^$"}


def _api_rights() -> dict[str, str]:
    """Return the rights of the HTTP API: to publish as producers do, and nothing else."""
    return {"user": API_USER, "configure": "^$", "write": f"^{EXCHANGE}$", "read": "^$"}


def _console_rights() -> dict[str, str]:
    """Return the rights of the console: none, which is enough to read how deep queues are."""
    return {"user": CONSOLE_USER, "configure": "^$", "write": "^$", "read": "^$"}


def _api_topics() -> dict[str, str]:
    """Return the routing keys of the HTTP API: those of every source, which its keys name."""
    channels = "|".join(Channel)
    return {
        "user": API_USER,
        "exchange": EXCHANGE,
        "write": rf"^(({channels})\.[a-z0-9-]+|feedback)\.[a-z0-9_-]+$",
        "read": "^$",
    }


def _producer_rights(producer: Producer) -> dict[str, str]:
    return {"user": producer.source, "configure": "^$", "write": f"^{EXCHANGE}$", "read": "^$"}


def _topics(producer: Producer) -> dict[str, str]:
    """Return a producer's routing keys; before RabbitMQ 4 a CC header bypasses them."""
    channels = "|".join(producer.channels)
    return {
        "user": producer.source,
        "exchange": EXCHANGE,
        "write": rf"^(({channels})\.[a-z0-9-]+|feedback|optout)\.{re.escape(producer.source)}$",
        "read": "^$",
    }


def _subscriber_rights(source: str) -> dict[str, str]:
    """Return the rights of a source's subscriber, whose queue has the name of its user."""
    own = re.escape(subscriber_user(source))
    return {
        "user": subscriber_user(source),
        "configure": f"^{own}$",
        "write": f"^{own}$",
        "read": f"^({re.escape(EVENTS)}|{own})$",
    }


def _events(source: str) -> dict[str, str]:
    """Return the patterns with which a subscriber may bind its queue: those of its own source."""
    return {
        "user": subscriber_user(source),
        "exchange": EVENTS,
        "write": "^$",
        "read": rf"^(\*|[a-z]+)\.(\*|[a-z]+)\.{re.escape(source)}$",
    }


def _exchanges(topology: Topology) -> Iterator[dict[str, Any]]:
    for one in topology.exchanges:
        yield {
            "name": one.name,
            "type": one.type,
            "durable": True,
            "auto_delete": False,
            "internal": False,
            "arguments": dict(one.arguments),
        }


def _queues(topology: Topology) -> Iterator[dict[str, Any]]:
    for one in topology.queues:
        yield {
            "name": one.name,
            "type": one.arguments["x-queue-type"],
            "durable": True,
            "auto_delete": False,
            "arguments": dict(one.arguments),
        }


def _bindings(topology: Topology) -> Iterator[dict[str, Any]]:
    for one in topology.bindings:
        yield {
            "source": one.source,
            "destination": one.destination,
            "destination_type": "exchange" if one.to_exchange else "queue",
            "routing_key": one.routing_key,
            "arguments": {},
        }
