"""Delivery on a real record, with the shipped provider that remembers instead of sending."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import SimpleQueue
from typing import Any, ClassVar, cast
from uuid import UUID, uuid4

import pytest

from notify import contract
from notify.arrival import Again, Arrival, Dead, Decision, Done
from notify.contract import Incoming, Limits
from notify.delivery import Delivery
from notify.errors import PermanentError
from notify.gateway import ConfiguredProvider, Gateway
from notify.message import Channel, Outcome, Receipt, Rendered, Status
from notify.provider import Provider
from notify.store import Entry, Filter, Store, Story
from providers.memory import Memory
from tests.support.delivering import delivery_on, policy_for
from tests.support.flowing import flow_on
from tests.support.migrated import migrated
from tests.support.patience import PATIENCE

SECOND = timedelta(seconds=1)
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@dataclass
class Clock:
    """A clock that moves when a test moves it."""

    now: datetime = NOW

    def wall(self) -> datetime:
        """Return the time of day."""
        return self.now


@dataclass
class Rig:
    """One delivery with its parts in reach."""

    store: Store
    clock: Clock
    delivery: Delivery
    decided: SimpleQueue[tuple[int, Decision]] = field(default_factory=SimpleQueue)

    def begin(self, *bodies: bytes) -> None:
        """Begin to deliver bodies as one batch."""
        self.delivery.deliver([self._arrival(*each) for each in enumerate(bodies)])

    def deliver(self, *bodies: bytes) -> list[Decision]:
        """Deliver bodies as one batch; return the decisions in the order of the bodies."""
        self.begin(*bodies)
        decisions = dict(self.decided.get(timeout=PATIENCE) for _ in bodies)
        return [decisions[number] for number in range(len(bodies))]

    def _arrival(self, number: int, body: bytes) -> Arrival:
        incoming = Incoming(body, "email.normal.shop", content_type="application/json")
        return Arrival(incoming, lambda decision: self.decided.put((number, decision)))

    def story(self, id_: str | UUID) -> Story:
        """Read one notification's story."""
        story = self.store.get(UUID(str(id_)))
        assert story is not None
        return story


Build = Callable[..., Rig]


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Build]:
    """Return a function that makes rigs on one record; each is another worker."""
    rigs: list[Rig] = []
    slow: list[Slow] = []
    here = f"sqlite:///{tmp_path}/notify.db"
    migrated(here).close()

    def make(
        provider: Provider | None = None,
        *,
        concurrency: int = 4,
        monotonic: Callable[[], float] = lambda: 0.0,
        url: str = here,
    ) -> Rig:
        clock = rigs[0].clock if rigs else Clock()
        if isinstance(provider, Slow):
            slow.append(provider)
        store = Store.open(url)
        gateway = Gateway(Channel.EMAIL, [ConfiguredProvider("memory", provider or Memory())])
        delivery = delivery_on(
            store,
            gateway,
            flow=flow_on(store, monotonic=monotonic),
            policy=policy_for(gateway, ["normal"], attempts=2),
            concurrency=concurrency,
            clock=clock.wall,
            monotonic=monotonic,
        )
        delivery.start()
        rigs.append(Rig(store, clock, delivery))
        return rigs[-1]

    yield make
    for each in slow:
        each.go_on.set()
    for rig in rigs:
        rig.delivery.stop(timeout=5)
        rig.store.close()


def body(**fields: Any) -> bytes:
    """Write a request as a producer would."""
    request = {"id": str(uuid4()), "to": "ada@example.com", "subject": "Hello", "text": "Hi."}
    asked: dict[str, Any] = {**request, **fields}
    return json.dumps({name: value for name, value in asked.items() if value is not None}).encode()


def id_of(request: bytes) -> str:
    """Read the id of a request."""
    return str(json.loads(request)["id"])


def test_a_notification_is_sent_and_its_story_recorded(build: Build) -> None:
    """The main job: one call, one attempt, one event, one acknowledgement."""
    provider = Memory()
    rig = build(provider)
    request = body()

    assert rig.deliver(request) == [Done()]

    story = rig.story(id_of(request))
    assert story.status is Status.SENT
    assert [attempt.outcome for attempt in story.attempts] == [Outcome.ACCEPTED]
    assert [event.status for event in story.events] == [Status.SENT]
    (sent,) = provider.sent
    assert (sent.to, sent.subject, sent.text) == ("ada@example.com", "Hello", "Hi.")
    assert sent.attempt_id == story.attempts[0].id


def test_a_template_is_rendered_in_the_asked_language(build: Build) -> None:
    """Data and locale reach the template; the provider gets final words."""
    provider = Memory()
    rig = build(provider)
    data = {"name": "Ada", "product": "Acme", "start_url": "https://example.com/start"}
    request = body(subject=None, text=None, template="welcome", locale="de", data=data)

    assert rig.deliver(request) == [Done()]

    assert "Ada" in provider.sent[0].text
    assert "Acme" in provider.sent[0].subject


def test_the_same_request_twice_is_sent_once(build: Build) -> None:
    """A redelivered or republished message finds its end on record."""
    provider = Memory()
    rig = build(provider)
    request = body()

    assert rig.deliver(request) == [Done()]
    assert build(provider).deliver(request) == [Done()]

    assert len(provider.sent) == 1


def test_the_same_request_under_another_id_goes_on_where_the_first_was(build: Build) -> None:
    """Its key says that it is the same: the call is recorded under the first one's id."""
    provider = Memory(script={"ada@example.com": ["transient", "accepted"]})
    rig = build(provider)
    first = body(idempotency_key="order-7")
    assert rig.deliver(first) == [Done()]
    rig.clock.now += SECOND

    assert rig.deliver(body(idempotency_key="order-7")) == [Done()]

    story = rig.story(id_of(first))
    assert story.status is Status.SENT
    assert [call.notification_id for call in provider.calls] == [story.summary.id] * 2


def test_a_lapsed_call_is_settled_by_the_same_request_under_another_id(build: Build) -> None:
    """The first message may be gone; only this one can find that its worker died."""
    rig = build(Memory())
    first = body(idempotency_key="order-7")
    (asked,) = contract.decode(
        Incoming(first, "email.normal.shop", content_type="application/json"),
        Limits(max_recipients=1),
    )
    begun = Entry(asked, Status.SENDING, uuid4(), "memory")
    rig.store.claim([begun], now=NOW, lease=SECOND)
    rig.clock.now += SECOND

    assert rig.deliver(body(idempotency_key="order-7")) == [Done()]

    assert rig.story(id_of(first)).status is Status.UNKNOWN


def test_doubles_within_one_batch_are_sent_once(build: Build) -> None:
    """Of two equal messages that arrive together, one waits and is looked at again."""
    provider = Memory()
    rig = build(provider)
    request = body()

    assert sorted(map(repr, rig.deliver(request, request))) == ["Again(after=1.0)", "Done()"]

    assert len(provider.sent) == 1


def test_the_same_key_with_another_body_is_dead_and_never_sent(build: Build) -> None:
    """A conflict is the producer's fault, and neither body can be known to be the right one."""
    provider = Memory()
    rig = build(provider)
    assert rig.deliver(body(idempotency_key="order-7")) == [Done()]

    assert rig.deliver(body(idempotency_key="order-7", text="Another.")) == [Dead()]

    assert [message.text for message in provider.sent] == ["Hi."]


def test_a_conflicting_batch_sends_to_nobody(build: Build) -> None:
    """A longer batch under a used key has recipients the record never saw: none is sent."""
    provider = Memory()
    rig = build(provider)
    first = body(idempotency_key="news", to=["a@example.com", "b@example.com"])
    longer = body(idempotency_key="news", to=[f"{name}@example.com" for name in "abcdef"])
    assert rig.deliver(first) == [Done()]

    assert rig.deliver(longer) == [Dead()]

    assert sorted(message.to for message in provider.sent) == ["a@example.com", "b@example.com"]


def test_a_batch_gives_each_recipient_a_story_of_its_own(build: Build) -> None:
    """More recipients than can be called at once, one of them refused."""
    provider = Memory(script={"r7@example.com": ["invalid"]})
    rig = build(provider, concurrency=3)
    request = body(to=[f"r{number}@example.com" for number in range(20)])

    assert rig.deliver(request) == [Done()]

    counts = rig.store.count(Filter(batch_id=UUID(id_of(request))))
    assert counts == {Status.SENT: 19, Status.REJECTED: 1}


def test_an_expired_notification_is_not_sent(build: Build) -> None:
    """It ends as expired, and its message in the dead letters."""
    provider = Memory()
    rig = build(provider)
    request = body(expires_at=(NOW - timedelta(seconds=1)).isoformat())

    assert rig.deliver(request) == [Dead()]

    assert rig.story(id_of(request)).status is Status.EXPIRED
    assert provider.calls == ()


def test_missing_data_rejects_the_notification_before_any_call(build: Build) -> None:
    """A template that cannot be rendered is recorded with its reason, free of attempts."""
    provider = Memory()
    rig = build(provider)
    request = body(subject=None, text=None, template="login_code", data={})

    assert rig.deliver(request) == [Dead()]

    story = rig.story(id_of(request))
    assert story.status is Status.REJECTED
    assert story.attempts == []
    assert "login_code" in (story.summary.reason or "")
    assert provider.calls == ()


@pytest.mark.parametrize(
    ("reply", "status", "outcome", "decision"),
    [
        ("transient", Status.QUEUED, Outcome.NOT_SENT, Done()),
        ("throttled", Status.QUEUED, Outcome.NOT_SENT, Done()),
        ("unauthorized", Status.QUEUED, Outcome.NOT_SENT, Done()),
        ("permanent", Status.REJECTED, Outcome.NOT_SENT, Done()),
        ("invalid", Status.REJECTED, Outcome.NOT_SENT, Done()),
        ("unknown", Status.UNKNOWN, Outcome.UNKNOWN, Done()),
    ],
)
def test_the_error_decides_the_ending(
    build: Build, reply: str, status: Status, outcome: Outcome, decision: Decision
) -> None:
    """Each branch of the error tree has its status, its outcome and its decision."""
    rig = build(Memory(script={"ada@example.com": [reply]}))
    request = body()

    assert rig.deliver(request) == [decision]

    story = rig.story(id_of(request))
    assert story.status is status
    assert story.attempts[0].outcome is outcome
    assert story.attempts[0].code == reply


def test_a_failed_call_is_made_again_when_it_is_due(build: Build) -> None:
    """Early copies of the message change nothing; the due one is the second attempt."""
    provider = Memory(script={"ada@example.com": ["transient", "accepted"]})
    rig = build(provider)
    request = body()
    assert rig.deliver(request) == [Done()]
    assert rig.deliver(request) == [Done()]
    assert len(provider.calls) == 1

    rig.clock.now += SECOND
    assert rig.deliver(request) == [Done()]

    story = rig.story(id_of(request))
    assert story.status is Status.SENT
    assert [attempt.number for attempt in story.attempts] == [1, 2]
    assert [event.status for event in story.events] == [Status.QUEUED, Status.SENT]


def test_attempts_are_spent_at_last(build: Build) -> None:
    """The lane allows two: then the notification has failed, and its message is dead."""
    rig = build(Memory(script={"ada@example.com": ["transient"]}))
    request = body()
    assert rig.deliver(request) == [Done()]
    rig.clock.now += SECOND

    assert rig.deliver(request) == [Dead()]

    story = rig.story(id_of(request))
    assert story.status is Status.FAILED
    assert "given up after 2 attempts" in (story.summary.reason or "")


def test_a_message_that_was_not_rejected_in_time_is_rejected_at_its_return(build: Build) -> None:
    """Its worker died between the record of its failure and the dead letters."""
    rig = build(Memory(script={"ada@example.com": ["transient"]}))
    request = body()
    assert rig.deliver(request) == [Done()]
    rig.clock.now += SECOND
    assert rig.deliver(request) == [Dead()]

    assert build().deliver(request) == [Dead()]

    assert rig.story(id_of(request)).status is Status.FAILED


def test_a_throttled_call_does_not_count(build: Build) -> None:
    """However often the vendor asks for patience, the lane's attempts are not spent."""
    rig = build(Memory(script={"ada@example.com": ["throttled"] * 4 + ["accepted"]}))
    request = body()
    for _ in range(4):
        assert rig.deliver(request) == [Done()]
        rig.clock.now += SECOND
    assert rig.deliver(request) == [Done()]
    assert rig.story(id_of(request)).status is Status.SENT


def test_a_scheduled_notification_waits_for_its_time(build: Build) -> None:
    """The record keeps it; what arrives at its time is sent."""
    provider = Memory()
    rig = build(provider)
    request = body(send_at=(NOW + timedelta(hours=1)).isoformat())
    assert rig.deliver(request) == [Done()]
    assert rig.story(id_of(request)).status is Status.SCHEDULED
    rig.clock.now += timedelta(minutes=59)
    assert rig.deliver(request) == [Done()]
    assert provider.calls == ()

    rig.clock.now += timedelta(minutes=1)
    assert rig.deliver(request) == [Done()]

    assert rig.story(id_of(request)).status is Status.SENT


def test_one_bad_message_harms_no_neighbour(build: Build) -> None:
    """Poison, a fault of the provider and a refusal in the midst of good messages."""

    class Faulty(Memory):
        """A provider with a fault that one recipient meets."""

        channel: ClassVar[Channel] = Channel.EMAIL

        def __new__(cls) -> Faulty:
            return object.__new__(cls)

        def send(self, message: Rendered, /) -> Receipt:
            """Break on one recipient."""
            if message.to == "broken@example.com":
                raise RuntimeError(f"cannot send to {message.to}")
            return super().send(message)

    rig = build(Faulty())
    broken = body(to="broken@example.com")

    decisions = rig.deliver(body(), b"\xff\xfe", broken, b"5", body(template="nothing"), body())

    assert decisions == [Done(), Dead(), Done(), Dead(), Dead(), Done()]
    story = rig.story(id_of(broken))
    assert story.status is Status.UNKNOWN
    assert "broken@example.com" not in str(story.attempts)


@pytest.mark.parametrize(
    ("returned", "provider_id"),
    [
        (None, None),
        ("SM1", None),
        (Receipt(cast(str, 4711)), "4711"),
        (Receipt(cast(str, None)), None),
        (Receipt("SM\ud800"), "SM?"),
        (Receipt("SM1", math.nan), "SM1"),
    ],
)
def test_whatever_a_provider_returns_it_is_sent_once(
    build: Build, returned: object, provider_id: str | None
) -> None:
    """Its vendor has the message: one outcome at once, and no other call after the lease."""
    provider = Returning(returned)
    rig = build(provider)
    request = body()

    assert rig.deliver(request) == [Done()]
    rig.clock.now += timedelta(minutes=5)
    assert rig.deliver(request) == [Done()]

    story = rig.story(id_of(request))
    assert story.status is Status.SENT
    assert [attempt.provider_id for attempt in story.attempts] == [provider_id]
    assert provider.made == 1


def test_a_code_that_is_a_number_does_not_change_the_ending(build: Build) -> None:
    """Nor does a status that is text: the error's class decides."""
    error = PermanentError("no", provider="memory", status=cast(int, "400"), code=cast(str, 21211))
    rig = build(Returning(error))
    request = body()

    assert rig.deliver(request) == [Done()]

    story = rig.story(id_of(request))
    assert story.status is Status.REJECTED
    assert (story.attempts[0].http_status, story.attempts[0].code) == (400, "21211")


def test_a_call_under_way_elsewhere_is_waited_for(build: Build) -> None:
    """A redelivery while the first worker still calls: no second call, no early answer."""
    slow = Slow()
    first, second = build(slow), build(slow)
    request = body()
    first.begin(request)
    assert slow.began.wait(PATIENCE)

    assert second.deliver(request) == [Again(1.0)]

    slow.go_on.set()
    assert first.decided.get(timeout=PATIENCE) == (0, Done())
    assert second.deliver(request) == [Done()]
    assert len(slow.sent) == 1


def test_a_call_that_takes_long_elsewhere_is_asked_for_less_often(build: Build) -> None:
    """Each look costs a slot of the limits, and a killed worker's call never ends."""
    slow = Slow()
    first, second = build(slow), build(slow)
    request = body()
    first.begin(request)
    assert slow.began.wait(PATIENCE)
    waits = []
    while (decision := second.deliver(request)) != [Done()]:
        (again,) = decision
        assert isinstance(again, Again)
        waits.append(again.after)
        second.clock.now += timedelta(seconds=again.after)
    assert waits == [1.0, 1.0, 2.0, 4.0, 8.0, 16.0, 28.0]
    assert second.story(id_of(request)).status is Status.UNKNOWN
    slow.go_on.set()


def test_a_worker_that_wakes_past_its_lease_cannot_record(build: Build) -> None:
    """Another worker has recorded the outcome as unknown; the late answer changes nothing."""
    slow = Slow()
    first, second = build(slow), build(slow)
    request = body()
    first.begin(request)
    assert slow.began.wait(PATIENCE)

    first.clock.now += timedelta(minutes=2)
    assert second.deliver(request) == [Done()]
    slow.go_on.set()

    assert first.decided.get(timeout=PATIENCE) == (0, Again(1.0))
    story = second.story(id_of(request))
    assert story.status is Status.UNKNOWN
    assert [event.status for event in story.events] == [Status.UNKNOWN]
    assert first.deliver(request) == [Done()]
    assert len(slow.sent) == 1


def test_a_worker_stopped_between_claim_and_call_does_not_call(build: Build) -> None:
    """The lease is looked at once more at the last moment."""
    provider = Memory()

    def monotonic() -> float:
        """Advance a minute between the claim and the sender's turn."""
        return 61.0 if threading.current_thread().name.startswith("sender") else 0.0

    rig = build(provider, monotonic=monotonic)
    request = body()

    assert rig.deliver(request) == [Done()]

    story = rig.story(id_of(request))
    assert story.status is Status.QUEUED
    assert story.attempts[0].outcome is Outcome.NOT_SENT
    assert provider.calls == ()


def test_a_slow_call_holds_back_nobody_else(build: Build) -> None:
    """The others of its batch are recorded and settled while it goes on."""
    slow = Slow(only="slow@example.com")
    rig = build(slow, concurrency=8)
    rig.begin(body(to="slow@example.com"), *(body() for _ in range(5)))
    assert slow.began.wait(PATIENCE)

    settled = [rig.decided.get(timeout=PATIENCE) for _ in range(5)]

    assert {decision for _, decision in settled} == {Done()}
    slow.go_on.set()
    assert rig.decided.get(timeout=PATIENCE) == (0, Done())


def test_a_store_that_is_away_sends_nothing_and_keeps_the_message(build: Build) -> None:
    """Without a row on record there is no call."""
    provider = Memory()
    rig = build(provider, url="sqlite:////nowhere/at/all.db")

    assert rig.deliver(body(), body(to=["a@example.com", "b@example.com"])) == [Again(1.0)] * 2

    assert provider.calls == ()


class Returning(Memory):
    """A provider that returns, or raises, one thing."""

    channel: ClassVar[Channel] = Channel.EMAIL

    def __new__(cls, _: object) -> Returning:
        return object.__new__(cls)

    def __init__(self, end: object) -> None:
        super().__init__()
        self.made = 0
        self._end = end

    def send(self, _: Rendered, /) -> Receipt:
        """Count the call, and end it."""
        self.made += 1
        if isinstance(self._end, Exception):
            raise self._end
        return cast(Receipt, self._end)


class Slow(Memory):
    """A provider whose call lasts until it is let go on."""

    channel: ClassVar[Channel] = Channel.EMAIL

    def __new__(cls, **_: object) -> Slow:
        return object.__new__(cls)

    def __init__(self, *, only: str | None = None) -> None:
        super().__init__()
        self.began = threading.Event()
        self.go_on = threading.Event()
        self._only = only

    def send(self, message: Rendered, /) -> Receipt:
        """Wait, then take the message."""
        if self._only in (None, message.to):
            self.began.set()
            # Without a bound: the fixture sets it at the latest, after the test.
            self.go_on.wait()
        return super().send(message)
