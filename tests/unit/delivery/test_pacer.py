"""Buffered messages: how long they wait, and how they end."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from notify.delivery.pacer import LONGEST_PACING, Pacer
from notify.delivery.plan import DeliveryItem
from notify.delivery.planner import Planner
from notify.delivery.settlement import Settlement
from notify.flow import Admission, Screening
from notify.gateway import ConfiguredProvider, Gateway
from notify.message import Channel, Content, Notification, Status
from notify.policies.breaker import Rules
from notify.store import Entry, Store
from notify.store.flow.circuits import change
from notify.templating import Templates
from providers.memory import Memory
from tests.support.flowing import flow_on
from tests.support.migrated import migrated
from tests.support.recording import asked

INLINE = Content(subject="Hello", text="Hi.")


class Waiting:
    """A pacer whose only provider is being probed by another worker, for as long as a test likes.

    Its clocks go on as it sleeps, and no sooner.
    """

    def __init__(self, store: Store) -> None:
        self.slept = 0.0
        self.began = datetime.now(UTC)
        rules = Rules(probe_timeout=3600)
        flow = flow_on(store, providers=["only"], rules=rules, monotonic=lambda: self.slept)
        with store.writing() as connection:
            opened = replace(rules, first_open=1e-6)
            rng = random.Random(7)
            change(
                connection,
                "only",
                lambda circuit, now: circuit.tripped("down", now=now, rules=opened, rng=rng).leased(
                    now=now + 1, rules=rules
                ),
            )
        flow.refresh()
        gateway = Gateway(Channel.EMAIL, [ConfiguredProvider("only", Memory())])
        admission = Admission(flow, gateway, shares={}, monotonic=lambda: self.slept)
        self.pacer = Pacer(
            Screening(flow, gateway),
            admission,
            clock=self._clock,
            monotonic=lambda: self.slept,
            sleep=self._sleep,
        )
        self._planner = Planner(channels={Channel.EMAIL}, templates=Templates())

    def _clock(self) -> datetime:
        return self.began + timedelta(seconds=self.slept)

    def _sleep(self, seconds: float) -> None:
        self.slept += seconds

    def through(self, notification: Notification) -> Entry:
        """Pace one message, and return what is recorded of it."""
        item = DeliveryItem(notification, Settlement(print, 1))
        planned = [self._planner.plan(item, now=self._clock())]
        ((plan,),) = self.pacer.groups(planned)
        (part,) = plan.parts
        return part.entry


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[Waiting]:
    """Return one on an empty record."""
    store = migrated(f"sqlite:///{tmp_path}/notify.db")
    yield Waiting(store)
    store.close()


def test_a_message_that_was_buffered_for_long_is_deferred(waiting: Waiting) -> None:
    """Each of its waits was short, but their number is not bounded."""
    entry = waiting.through(asked(template=None, inline=INLINE))

    assert LONGEST_PACING <= waiting.slept <= LONGEST_PACING + 1
    assert entry.status is Status.QUEUED
    assert entry.due_at is not None
    assert entry.due_at <= waiting.began + timedelta(seconds=LONGEST_PACING + 2)


def test_a_message_that_expires_while_it_is_buffered_is_not_sent(waiting: Waiting) -> None:
    """It ends at the next round."""
    expires_at = waiting.began + timedelta(seconds=2)

    entry = waiting.through(asked(template=None, inline=INLINE, expires_at=expires_at))

    assert 2 <= waiting.slept <= 3
    assert entry.status is Status.EXPIRED
