"""RabbitMQ's policies that would change what the topology says of a queue."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from notify.doctor.finding import Finding, fail, ok, unchecked, warn
from notify.service import topology_of
from notify.settings import Settings
from notify.topology import DEAD, Queue

WITH_DEFINITIONS = (
    "rabbitmqctl export_definitions - --format json | notify doctor --definitions -,"
    " on the broker's machine"
)
_APPLIES = ("all", "queues", "quorum_queues")
_OPERATOR = "operator_policy"

# Of two numbers the lower holds, whether it stands in an argument or in a policy. Where an
# argument is a word, the argument holds.
_LOWER = ("max-length", "delivery-limit")
_NONE_OF_OURS = {
    "expires": "deletes what nobody consumes",
    "message-ttl": "lets messages die",
    "max-length-bytes": "limits by bytes too",
}
_LOSES = ("expires",)


@dataclass(frozen=True, slots=True)
class _Change:
    """What a policy does to a queue; `kind` is the word of the command that ends it."""

    policy: str
    kind: str
    what: str
    loses: bool


def findings(settings: Settings, definitions: Mapping[str, Any] | None) -> Iterator[Finding]:
    """Tell which policies fit one of our queues and do what its arguments do not say."""
    if definitions is None:
        yield unchecked("policies", "AMQP does not tell of them", fix=WITH_DEFINITIONS)
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
        yield ok("policies", "none changes a queue of ours")


def _policies(
    definitions: Mapping[str, Any], vhost: str, queue: str
) -> Iterator[Mapping[str, Any]]:
    """Give what is in force for a queue: the policy of the highest priority, of either kind."""
    ours = [each for each in definitions.get("policies", ()) if each["vhost"] == vhost]
    operators = [
        {"name": each["name"], "kind": _OPERATOR, **each["value"]}
        for each in definitions.get("parameters", ())
        if each["vhost"] == vhost and each["component"] == _OPERATOR
    ]
    for kind in (ours, operators):
        fitting = [each for each in kind if _fits(each, queue)]
        if fitting:
            yield max(fitting, key=lambda each: int(each.get("priority", 0)))


def _fits(policy: Mapping[str, Any], queue: str) -> bool:
    if policy.get("apply-to", "all") not in _APPLIES:
        return False
    try:
        return re.search(policy["pattern"], queue) is not None
    except re.error:
        # Erlang's expressions know more than Python's: rather one too many than one too few.
        return True


def _changes(queue: Queue, policy: Mapping[str, Any]) -> Iterator[_Change]:
    kind = policy.get("kind", "policy")
    for key, value in policy["definition"].items():
        said = f"{key} = {value}"
        if key in _NONE_OF_OURS:
            what = f"{said} {_NONE_OF_OURS[key]}"
            yield _Change(policy["name"], kind, what, loses=key in _LOSES)
        elif key in _LOWER and queue.name == DEAD:
            yield _Change(policy["name"], kind, f"{said} loses dead letters", loses=True)
        elif key in _LOWER and value < queue.arguments[f"x-{key}"]:
            yield _Change(policy["name"], kind, f"{said} holds instead of ours", loses=False)
