"""Several messages in one call, through a provider whose vendor takes many at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue
from typing import Any, ClassVar
from uuid import UUID

import pytest
from sqlalchemy import Connection

from notify.arrival import Again, Decision, Done
from notify.delivery import LEASE, Lane, OutcomeRecorder, Planner, failover
from notify.delivery.call import CallResult
from notify.delivery.dispatcher import Dispatcher
from notify.delivery.plan import Attempt, Call, DeliveryItem, Ready
from notify.delivery.settlement import Settlement
from notify.errors import InvalidRecipient, ProviderError, Throttled, TransientError
from notify.flow import Admitted
from notify.gateway import ConfiguredProvider, Gateway
from notify.message import Channel, Content, Notification, Receipt, Rendered, Status
from notify.policies.breaker import Rules
from notify.provider import SendsMany
from notify.store import Record, Store
from notify.store.delivery import hand_over
from notify.templating import Templates
from providers.memory import Memory
from tests.support.clocks import Clock
from tests.support.delivering import delivery_on
from tests.support.flowing import flow_on
from tests.support.migrated import migrated
from tests.support.patience import PATIENCE
from tests.support.recording import asked

INLINE = Content(subject="Hello", text="Hi.")
Answer = Receipt | ProviderError | str


class Bulk(Memory):
    """Accepts up to three messages in one call, and answers with `answer`."""

    channel: ClassVar[Channel] = Channel.EMAIL
    most: ClassVar[int] = 3

    def __new__(cls, **_: object) -> Bulk:
        return object.__new__(cls)

    def __init__(self) -> None:
        super().__init__()
        self.groups: list[Sequence[Rendered]] = []
        self.answer: Callable[[Sequence[Rendered]], Any] = lambda messages: [
            Receipt(f"bulk-{number}") for number, _ in enumerate(messages)
        ]

    def shares(self, _: Rendered, /) -> object:
        """Any messages may be in one call."""
        return None

    def send_many(self, messages: Sequence[Rendered], /) -> Sequence[Receipt | ProviderError]:
        """Remember the group."""
        self.groups.append(messages)
        answers: Sequence[Receipt | ProviderError] = self.answer(messages)
        return answers


class Rig:
    """Calls of the provider `bulk`, beside one that sends each message by itself."""

    def __init__(self, store: Store, *, second: Memory | None = None) -> None:
        self.store = store
        # It stands: no pause that a provider asks for passes, however long a test takes.
        clock = Clock()
        clock.keep(store)
        self.bulk, self.single = Bulk(), second or Memory()
        self.flow = flow_on(
            store,
            providers=["bulk", "single"],
            rules=Rules(minimum_calls=1, failure_rate=0.01),
            monotonic=clock,
        )
        self._bulk = ConfiguredProvider("bulk", self.bulk, ("bulk",))
        gateway = Gateway(Channel.EMAIL, [self._bulk, ConfiguredProvider("single", self.single)])
        self.delivery = delivery_on(store, gateway, flow=self.flow, monotonic=clock)
        self.delivery.start()
        self.lane = Lane("normal", 4)
        self._decided: SimpleQueue[tuple[UUID, Decision]] = SimpleQueue()

    def call(self, *notifications: Notification) -> list[Decision]:
        """Make one call of several messages; return the decisions in their order."""
        permit = self.flow.circuits.permit("bulk")
        assert permit is not None
        admitted = Admitted(self._bulk, permit, 0.0)
        parts = tuple(self.ready(each).call(admitted).parts[0] for each in notifications)
        dispatcher: Dispatcher = self.delivery._dispatcher
        self.lane.permits.acquire(len(parts))
        _, calls, store_ok = dispatcher.dispatch(self.lane, [Call(self._bulk, permit, parts)])
        assert store_ok
        self.lane.permits.release(len(parts) - calls)
        decisions = dict(self._decided.get(timeout=PATIENCE) for _ in parts)
        self.lane.senders.shutdown()
        assert self.lane.permits.taken == 0
        return [decisions[each.id] for each in notifications]

    def ready(self, notification: Notification) -> Ready:
        """Check and render one."""
        settlement = Settlement(lambda made: self._decided.put((notification.id, made)), 1)
        planner = Planner(channels={Channel.EMAIL}, templates=Templates())
        ready = planner.plan(DeliveryItem(notification, settlement), now=datetime.now(UTC))
        assert isinstance(ready, Ready)
        return ready

    def statuses(self, *notifications: Notification) -> list[Status]:
        """Read where they stand."""
        stories = [self.store.get(each.id) for each in notifications]
        return [story.status for story in stories if story is not None]


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """Return one on an empty record."""
    rig = Rig(migrated(f"sqlite:///{tmp_path}/notify.db"))
    yield rig
    rig.delivery.stop(timeout=5)
    rig.store.close()


def _some(count: int) -> list[Notification]:
    return [
        asked(lane="normal", template=None, inline=INLINE, to=f"user-{number}@example.com")
        for number in range(count)
    ]


def test_each_message_of_a_call_is_recorded_with_its_own_receipt(rig: Rig) -> None:
    """One call, three attempts."""
    some = _some(3)

    assert isinstance(rig.bulk, SendsMany)
    assert rig.call(*some) == [Done()] * 3

    assert [[each.to for each in group] for group in rig.bulk.groups] == [
        [each.to for each in some]
    ]
    stories = [rig.store.get(each.id) for each in some]
    found = [story.attempts[0].provider_id for story in stories if story is not None]
    assert found == ["bulk-0", "bulk-1", "bulk-2"]
    assert rig.statuses(*some) == [Status.SENT] * 3
    assert not rig.bulk.sent


def test_an_error_concerns_its_own_message(rig: Rig) -> None:
    """One is refused, one goes on to the next provider, and one was sent."""
    some = _some(3)
    rig.bulk.answer = lambda _: [
        InvalidRecipient("no", provider="bulk"),
        TransientError("later", provider="bulk"),
        Receipt("b"),
    ]

    assert rig.call(*some) == [Done()] * 3

    assert rig.statuses(*some) == [Status.REJECTED, Status.SENT, Status.SENT]
    assert [each.to for each in rig.single.sent] == [some[1].to]


def test_an_error_of_the_call_holds_for_all_its_messages(rig: Rig) -> None:
    """Throttled, none of them was sent: the next provider sends each."""
    some = _some(3)

    def throttle(_: object) -> None:
        raise Throttled("slow down", provider="bulk", retry_after=5)

    rig.bulk.answer = throttle

    assert rig.call(*some) == [Done()] * 3

    assert [each.to for each in rig.single.sent] == [each.to for each in some]
    assert rig.flow.limiter.wait(["bulk"]) > 4


@pytest.mark.parametrize(
    "answers", [[], [Receipt("1")], [Receipt(str(number)) for number in range(4)]]
)
def test_answers_that_fit_no_message_leave_all_outcomes_unknown(
    rig: Rig, answers: list[Receipt]
) -> None:
    """Some may have been sent, and nothing says which."""
    some = _some(3)
    rig.bulk.answer = lambda _: answers

    assert rig.call(*some) == [Done()] * 3

    assert rig.statuses(*some) == [Status.UNKNOWN] * 3
    assert not rig.single.sent


def test_a_message_that_is_claimed_by_another_worker_is_not_in_the_call(rig: Rig) -> None:
    """The rest is sent: the last one alone, as any single message."""
    taken, *rest = _some(2)
    entry = replace(rig.ready(taken).entry, provider="bulk")
    rig.store.claim([entry], now=rig.store.clock(), lease=LEASE)

    decisions = rig.call(taken, *rest)

    assert isinstance(decisions[0], Again)
    assert decisions[1] == Done()
    assert [each.to for each in rig.bulk.sent] == [rest[0].to]
    assert not rig.bulk.groups


def test_a_fault_after_the_call_concerns_its_own_message(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are recorded, and it is looked at again."""
    some = _some(3)
    record_of = OutcomeRecorder.record_of

    def fail_once(self: OutcomeRecorder, attempt: Attempt, result: CallResult) -> Record:
        if attempt.notification.id == some[1].id:
            raise RuntimeError("a fault of ours")
        return record_of(self, attempt, result)

    monkeypatch.setattr(OutcomeRecorder, "record_of", fail_once)

    assert rig.call(*some) == [Done(), Again(), Done()]

    assert rig.statuses(*some) == [Status.SENT, Status.SENDING, Status.SENT]


def test_the_circuit_counts_a_call_once_by_its_worst_result(rig: Rig) -> None:
    """Two calls would count where there was one."""
    some = _some(2)
    rig.bulk.answer = lambda _: [Receipt("a"), TransientError("down", provider="bulk", status=503)]
    rig.call(*some)

    counts = rig.flow.circuits._views["bulk"].counts.take(0.0)[1]

    assert (counts.calls, counts.failures) == (1, 1)


def test_messages_are_handed_over_in_the_order_in_which_rows_are_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By id: a worker that receives them again locks them so, and two orders may deadlock."""
    locked: list[UUID] = []

    def noted(connection: Connection, ended: Record, *args: Any, **named: Any) -> int | None:
        locked.append(ended.notification_id)
        return hand_over(connection, ended, *args, **named)

    monkeypatch.setattr(failover, "hand_over", noted)
    busy, second = TransientError("busy", provider="bulk", status=503), Bulk()
    rig = Rig(migrated(f"sqlite:///{tmp_path}/notify.db"), second=second)
    rig.bulk.answer = lambda messages: [busy] * len(messages)
    some = sorted(_some(3), key=lambda each: each.id, reverse=True)

    assert rig.call(*some) == [Done()] * 3

    assert locked == sorted(locked)
    (group,) = second.groups
    stories = [rig.store.get(each.id) for each in some]
    assert [story and story.status for story in stories] == [Status.SENT] * 3
    calls = [story.attempts[1].id for story in stories if story is not None]
    assert [each.attempt_id for each in group] == calls
    rig.delivery.stop(timeout=5)
    rig.store.close()
