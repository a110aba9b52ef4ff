"""Steering the prefetch of each queue, whatever the broker answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from notify.message import Channel
from notify.policies.holds import Scope
from notify.store.flow.holds import lift, place
from notify.topology import queue_name
from tests.support.patience import connect
from tests.support.rig import Rig, surroundings, until

BULK = queue_name(Channel.EMAIL, "bulk")


@pytest.fixture
def rig(tmp_path: Path, broker_url: str) -> Iterator[Rig]:
    """A worker's surroundings on SQLite: these tests are about it and the broker."""
    url = f"sqlite:///{tmp_path}/notify.db"
    with surroundings(tmp_path, broker_url=broker_url, store_url=url) as rig:
        yield rig


def test_a_missing_queue_does_not_stop_the_consumption_of_others(rig: Rig) -> None:
    """The broker closes the channel for it, and so the consumers of all other queues."""
    with rig.store.writing() as connection:
        hold = place(connection, Scope(lane="bulk"), actor="ann", reason="a test")
    with rig.worker():
        rig.request()
        until(lambda: len(rig.sandbox.messages()) == 1)
        with connect(rig.broker_url) as connection, connection.channel() as channel:
            channel.queue_delete(BULK)
        with rig.store.writing() as connection:
            lift(connection, [hold.id])
        until(lambda: "NotFound" in rig.log())
        with rig.store.writing() as connection:
            place(connection, Scope(lane="bulk"), actor="ann", reason="a test")
        rig.request()
        until(lambda: len(rig.sandbox.messages()) == 2)
