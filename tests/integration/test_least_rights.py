"""The exported rights are enough: everything that a worker, an operator or a subscriber does."""

from __future__ import annotations

import json
import re
from pathlib import Path

import amqp
import pytest

from notify.message import Status
from notify.sandbox.behaviour import Behaviour
from notify.store.deadletters.search import LetterFilter, find_letters
from notify.topology import EVENTS, Topology, depths
from tests.support.least import logins
from tests.support.patience import connect
from tests.support.rig import Rig, surroundings, until
from tests.support.services import Users

CONFIG = """
[contract]
require_user_id = true
[lanes.normal]
first_wait = 0.2
longest_wait = 0.2
[lanes.critical]
attempts = 1
"""
REFUSAL = re.compile("access_?refused", re.IGNORECASE)
"""The broker's word, or the name of py-amqp's error."""


def test_a_worker_does_all_its_work_with_its_exported_rights(
    users: Users, vhost_url: str, topology: Topology, tmp_path: Path
) -> None:
    """It delivers, tries again, archives, replays and tells of it, and may declare nothing."""
    login = logins(users, vhost_url, topology)
    shop, subscriber = login["shop"], login["shop.events"]
    url = f"sqlite:///{tmp_path}/notify.db"
    with surroundings(tmp_path, broker_url=login["notify-worker"].url, store_url=url) as rig:
        with rig.config.open("a") as file:
            file.write(CONFIG)
        with subscriber.channel() as channel, rig.worker(), rig.worker("dead", pool="dead"):
            channel.queue_declare("shop.events", durable=True, auto_delete=False)
            channel.queue_bind("shop.events", EVENTS, "*.*.shop")
            sent = shop.request("email.normal.shop")
            retried = shop.request("email.normal.shop", to="flaky@sandbox.test")
            shop.publish("email.normal.shop", b"no JSON")
            until(lambda: (rig.status(sent), rig.status(retried)) == (Status.SENT, Status.SENT))
            rig.sandbox.switch.set(behaviour=Behaviour.DOWN)
            failed = shop.request("email.critical.shop")
            until(lambda: _archived(rig) == {"contract", "failed"})
            rig.sandbox.switch.set(behaviour=None)
            replay = ["dead", "replay", "--cause", "failed", "--reason", "a test", "--yes"]
            assert rig.notify(*replay).code == 0
            until(lambda: rig.status(failed) is Status.SENT)
            told: set[tuple[str | None, str]] = set()
            # An event may come twice.
            until(lambda: len(_heard(channel, told)) == 5)
        log = rig.log() + rig.log("dead")
    assert told == {
        (str(sent), "sent"),
        (str(retried), "sent"),
        (None, "refused"),
        (str(failed), "failed"),
        (str(failed), "sent"),
    }
    # A busy machine logs other errors, such as an answer that did not come in time.
    assert REFUSAL.search(log) is None


def test_an_operator_applies_the_topology_and_touches_nothing_else(
    users: Users, vhost_url: str, topology: Topology, tmp_path: Path
) -> None:
    """The commands that use the broker work; what is not ours is not theirs."""
    operator = logins(users, vhost_url, topology)["notify-operator"]
    url = f"sqlite:///{tmp_path}/notify.db"
    with surroundings(tmp_path, broker_url=operator.url, store_url=url) as rig:
        applied, compared = rig.notify("topology", "apply"), rig.notify("topology", "diff")
    assert (applied.code, compared.code) == (0, 0), applied.err + compared.err
    with operator.channel() as channel:
        own = channel.queue_declare("", exclusive=True).queue
        channel.queue_bind(own, EVENTS, "#")
    for name in ("celery", "shop.events"):
        with operator.channel() as channel, pytest.raises(amqp.AccessRefused):
            channel.queue_declare(name)


def test_a_subscriber_hears_of_its_own_source_alone(
    users: Users, vhost_url: str, topology: Topology
) -> None:
    """No pattern that also matches another source's events may be bound."""
    subscriber = logins(users, vhost_url, topology)["shop.events"]
    for key in ("#", "*.*.*", "*.*.bank", "email.#"):
        with subscriber.channel() as channel:
            channel.queue_declare("shop.events", durable=True, auto_delete=False)
            with pytest.raises(amqp.AccessRefused):
                channel.queue_bind("shop.events", EVENTS, key)


def _archived(rig: Rig) -> set[str]:
    with rig.store.reading() as connection:
        return {letter.cause for letter in find_letters(connection, LetterFilter(), limit=100)}


def _heard(channel: amqp.Channel, told: set[tuple[str | None, str]]) -> set[tuple[str | None, str]]:
    while (message := channel.basic_get("shop.events", no_ack=True)) is not None:
        event = json.loads(message.body)
        told.add((event["id"], event["status"]))
    return told


def test_the_console_reads_how_deep_queues_are_and_nothing_else(
    users: Users, vhost_url: str, topology: Topology
) -> None:
    """It can neither take a message nor send one."""
    console = logins(users, vhost_url, topology)["notify-console"]
    names = [queue.name for queue in topology.queues]
    with connect(console.url) as connection:
        found = depths(names, connection)
    assert all(depth is not None for depth in found.values())
    with console.channel() as channel, pytest.raises(amqp.AccessRefused):
        channel.basic_get(names[0])
    with pytest.raises(amqp.AccessRefused):
        console.publish("email.normal.shop", b"{}")
