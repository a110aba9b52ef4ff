"""RabbitMQ's policies that change how a queue of the topology behaves."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from notify.doctor.finding import Finding, fail, ok, unchecked, warn
from notify.service.broker import topology_of
from notify.settings import Settings
from notify.topology import DEAD, Queue

WITH_DEFINITIONS = (
    "rabbitmqctl export_definitions - --format json | notify doctor --definitions -,"
    " on the broker's machine"
)
_APPLIES = ("all", "queues", "quorum_queues")
_OPERATOR = "operator_policy"

# Of two numbers, one in an argument and one in a policy, the lower is in force. If an argument is a
# word, the argument is in force.
_LOWER = ("max-length", "delivery-limit")
_UNWANTED = {
    "expires": "deletes queues without a consumer",
    "message-ttl": "expires messages",
    "max-length-bytes": "limits by bytes too",
}
_LOSES = ("expires",)


@dataclass(frozen=True, slots=True)
class _Change:
    """A policy's effect on a queue; `kind` is the word of the command that removes the policy."""

    policy: str
    kind: str
    what: str
    loses: bool


def findings(settings: Settings, definitions: Mapping[str, Any] | None) -> Iterator[Finding]:
    """Report the policies that match a queue and change it against its arguments."""
    if definitions is None:
        yield unchecked("policies", "AMQP cannot read them", fix=WITH_DEFINITIONS)
        return
    vhost = settings.amqp.vhost
    queues: dict[_Change, list[str]] = {}
    for queue in topology_of(settings).queues:
        for policy in _policies(definitions, vhost, queue.name):
            for change in _changes(queue, policy):
                queues.setdefault(change, []).append(queue.name)
    for change, names in queues.items():
        text = f"policy {change.policy}, {change.what}: {', '.join(names)}"
        fix = f"rabbitmqctl clear_{change.kind} -p {vhost} {change.policy}"
        yield (fail if change.loses else warn)("policies", text, fix=fix)
    if not queues:
        yield ok("policies", "none changes our queues")


def _policies(
    definitions: Mapping[str, Any], vhost: str, queue: str
) -> Iterator[Mapping[str, Any]]:
    """Yield the policies in force for a queue: of each kind, the one of the highest priority."""
    ours = [each for each in definitions.get("policies", ()) if each["vhost"] == vhost]
    operators = [
        {"name": each["name"], "kind": _OPERATOR, **each["value"]}
        for each in definitions.get("parameters", ())
        if each["vhost"] == vhost and each["component"] == _OPERATOR
    ]
    for kind in (ours, operators):
        matching = [each for each in kind if _matches(each, queue)]
        if matching:
            yield max(matching, key=lambda each: int(each.get("priority", 0)))


def _matches(policy: Mapping[str, Any], queue: str) -> bool:
    if policy.get("apply-to", "all") not in _APPLIES:
        return False
    try:
        return re.search(policy["pattern"], queue) is not None
    except re.error:
        # Erlang's expressions can do more than Python's: report one too many, not one too few.
        return True


def _changes(queue: Queue, policy: Mapping[str, Any]) -> Iterator[_Change]:
    kind = policy.get("kind", "policy")
    for key, value in policy["definition"].items():
        setting = f"{key} = {value}"
        if key in _UNWANTED:
            what = f"{setting} {_UNWANTED[key]}"
            yield _Change(policy["name"], kind, what, loses=key in _LOSES)
        elif key in _LOWER and queue.name == DEAD:
            yield _Change(policy["name"], kind, f"{setting} loses dead letters", loses=True)
        elif key in _LOWER and value < queue.arguments[f"x-{key}"]:
            yield _Change(
                policy["name"], kind, f"{setting} is in force instead of ours", loses=False
            )
