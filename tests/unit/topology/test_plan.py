"""The topology of the broker, and the definitions file made from it."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest

from notify.message import Channel
from notify.settings import LaneSettings
from notify.topology import (
    DEAD,
    FEEDBACK,
    RECEIPTS,
    UNROUTED,
    WORK,
    Binding,
    Producer,
    Topology,
    differences,
    export,
    queue_name,
    routing_key,
)

LANES = {"critical": LaneSettings(max_length=10), "bulk": LaneSettings(delivery_limit=7)}


@pytest.fixture
def two() -> Topology:
    """Two channels with two lanes."""
    return Topology.of([Channel.EMAIL, Channel.SMS], LANES)


@pytest.fixture
def definitions(two: Topology) -> dict[str, Any]:
    """The definitions that a broker with exactly this topology exports."""
    return copy.deepcopy(export(two))


def test_names_follow_channel_lane_and_source() -> None:
    """The two names that producers and operators use."""
    assert queue_name(Channel.SMS, "bulk") == "notify.sms.bulk"
    assert routing_key(Channel.EMAIL, "critical", "shop") == "email.critical.shop"


def test_each_channel_and_lane_has_a_bound_queue(two: Topology) -> None:
    """No lane is forgotten."""
    names = {queue.name for queue in two.queues} - {DEAD, RECEIPTS, FEEDBACK}
    assert names == {
        "notify.email.critical",
        "notify.email.bulk",
        "notify.sms.critical",
        "notify.sms.bulk",
    }
    bound = {binding.destination for binding in two.bindings if binding.source == WORK}
    assert bound == names | {FEEDBACK}
    assert Binding(WORK, "notify.sms.bulk", "sms.bulk.#") in two.bindings


def test_a_worker_queue_never_drops(two: Topology) -> None:
    """When full it refuses messages, and it dead-letters at least once."""
    arguments = next(queue for queue in two.queues if queue.name == "notify.sms.bulk").arguments
    assert arguments == {
        "x-queue-type": "quorum",
        "x-dead-letter-exchange": DEAD,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
        "x-max-length": 1_000_000,
        "x-delivery-limit": 7,
    }


def test_the_dead_queue_has_no_exit_and_no_limit(two: Topology) -> None:
    """Its messages leave only by a consumer."""
    arguments = next(queue for queue in two.queues if queue.name == DEAD).arguments
    assert not {"x-dead-letter-exchange", "x-max-length", "x-overflow"} & arguments.keys()
    assert arguments["x-delivery-limit"] > 1_000_000_000


def test_the_producers_binding_is_declared_last(two: Topology) -> None:
    """While a first apply runs, nothing is routed into an unfinished topology."""
    assert two.bindings[-1] == Binding("notify", WORK, "#", to_exchange=True)


def test_a_broker_as_described_shows_no_difference(
    two: Topology, definitions: dict[str, Any]
) -> None:
    """Additional bindings of operators are not differences."""
    tap = {"source": "notify", "destination": "audit", "destination_type": "queue"}
    definitions["bindings"].append({**tap, "vhost": "/", "routing_key": "#", "arguments": {}})
    assert differences(two, definitions) == []


def test_a_missing_binding_is_named(two: Topology, definitions: dict[str, Any]) -> None:
    """AMQP cannot read bindings; the definitions contain them."""
    definitions["bindings"] = [
        binding for binding in definitions["bindings"] if binding["source"] != UNROUTED
    ]
    assert [str(one) for one in differences(two, definitions)] == [
        "binding notify.unrouted → queue notify.dead by '': missing"
    ]


def test_a_missing_queue_is_named(two: Topology, definitions: dict[str, Any]) -> None:
    """By its name."""
    definitions["queues"] = definitions["queues"][:-1]
    assert [str(one) for one in differences(two, definitions)] == ["queue notify.sms.bulk: missing"]


def test_a_differing_argument_is_named_with_both_values(
    two: Topology, definitions: dict[str, Any]
) -> None:
    """Wanted and found."""
    definitions["queues"][3]["arguments"]["x-max-length"] = 5
    definitions["exchanges"][2]["type"] = "fanout"
    assert [str(one) for one in differences(two, definitions)] == [
        "exchange notify.work: type should be 'topic', is 'fanout'",
        "queue notify.email.critical: x-max-length should be 10, is 5",
    ]


def test_other_virtual_hosts_are_not_compared(two: Topology, definitions: dict[str, Any]) -> None:
    """The same names elsewhere do not count."""
    assert len(differences(two, definitions, vhost="prod")) == 6 + 7 + len(two.bindings)


def test_users_are_left_out_unless_asked_for(two: Topology) -> None:
    """An import would reset the passwords of those that exist."""
    assert "users" not in export(two)
    users = export(two, producers=[Producer("shop", (Channel.SMS,))], users=True)["users"]
    assert [(user["name"], user["password_hash"]) for user in users] == [
        ("notify-worker", ""),
        ("notify-operator", ""),
        ("notify-receipts", ""),
        ("notify-api", ""),
        ("notify-console", ""),
        ("shop", ""),
    ]


def test_only_an_operator_may_declare(two: Topology) -> None:
    """Workers and producers use what `apply` made; a subscriber has one queue of its own."""
    exported = export(two, producers=[Producer("shop", (Channel.SMS,))], subscribers=["shop"])
    may = {right["user"]: right["configure"] for right in exported["permissions"]}
    del may["notify-operator"]
    assert may == {
        "notify-worker": "^$",
        "notify-receipts": "^$",
        "notify-api": "^$",
        "notify-console": "^$",
        "shop": "^$",
        "shop.events": r"^shop\.events$",
    }


@pytest.mark.parametrize(
    ("key", "allowed"),
    [
        ("email.critical.shop", True),
        ("sms.bulk.shop", True),
        ("feedback.shop", True),
        ("optout.shop", True),
        ("feedback.bank", False),
        ("feedback.critical.shop", False),
        ("push.bulk.shop", False),
        ("email.critical.bank", False),
        ("email.critical.shop.x", False),
        ("xemail.critical.shop", False),
    ],
)
def test_a_producer_publishes_for_itself_only(two: Topology, key: str, allowed: bool) -> None:
    """The topic permission is the source's own, on its channels."""
    producer = Producer("shop", (Channel.EMAIL, Channel.SMS))
    rule = export(two, producers=[producer])["topic_permissions"][0]["write"]
    assert bool(re.search(rule, key)) is allowed
