"""Lost answers from the call to the decision, with the provider that remembers."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import SimpleQueue
from typing import Any, ClassVar, cast
from uuid import UUID, uuid4

import pytest
from structlog.testing import capture_logs

from notify.arrival import Arrival
from notify.contract import Incoming
from notify.errors import OutcomeUnknown, Throttled
from notify.gateway import ConfiguredProvider, Gateway
from notify.message import Channel, Outcome, Receipt, Rendered, Status, Unknown
from notify.periodic import PeriodicThread
from notify.policies.retry import RetryPolicy, RetrySettings, UnknownRules
from notify.provider import Provider
from notify.reconcile import Reconciler
from notify.reconcile.lookup import LONGEST_CALL, MARGIN, search_window
from notify.reconcile.reconciler import LEASE
from notify.store import Store, Story
from notify.store.reconcile.lost import LostCall
from notify.store.reconcile.outcomes import Settled
from notify.templating import Templates
from providers.memory import Memory
from tests.support.delivering import delivery_on
from tests.support.flowing import flow_on
from tests.support.migrated import migrated
from tests.support.patience import PATIENCE
from tests.support.resolving import resolve
from tests.support.rig import until

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
LOOKUP = 30 * SECOND
TO = "+4915112345678"


class Sms(Memory):
    """An SMS provider whose list can be made to fail, or to wait."""

    channel: ClassVar[Channel] = Channel.SMS
    can_find: ClassVar[bool] = True

    def __new__(cls, *_: str, **__: Any) -> Sms:
        return object.__new__(cls)

    def __init__(self, *replies: str, clock: Callable[[], datetime]) -> None:
        super().__init__(script={TO: list(replies) or ["unknown"]}, clock=clock)
        self.asked: list[Rendered] = []
        self.failures: list[Exception] = []
        self.meanwhile: Callable[[], object] = lambda: None

    def find(self, message: Rendered, /, *, since: datetime, until: datetime) -> list[Receipt]:
        """Search the accepted messages, or fail."""
        self.asked.append(message)
        if self.failures:
            raise self.failures.pop(0)
        found = super().find(message, since=since, until=until)
        self.meanwhile()
        return found


@dataclass
class World:
    """One record, one provider, a worker's delivery and its reconciler."""

    store: Store
    provider: Sms
    clock: list[datetime]
    rules: dict[str, Any] = field(default_factory=dict)
    channel_rule: Unknown = Unknown.PARK

    def policy(self) -> RetryPolicy:
        """The rules, with a deadline of ten minutes."""
        patience = RetrySettings(3, timedelta(minutes=10), SECOND, SECOND)
        return RetryPolicy(
            lanes={"normal": patience, "bulk": patience},
            unknown=UnknownRules({Channel.SMS: self.channel_rule}, **self.rules),
            lookups={Channel.SMS: LOOKUP},
            rng=random.Random(7),
        )

    def gateway(self, name: str = "twilio", provider: Provider | None = None) -> Gateway:
        """The one provider under a name."""
        return Gateway(Channel.SMS, [ConfiguredProvider(name, provider or self.provider)])

    def request(self, lane: str = "normal", **fields: Any) -> UUID:
        """Deliver one SMS; give its id."""
        id_ = uuid4()
        body = json.dumps({"id": str(id_), "to": TO, **(fields or {"text": "Hi."})}).encode()
        self.deliver(body, lane=lane)
        return id_

    def deliver(self, body: bytes, lane: str = "normal") -> None:
        """Hand one message to a worker and wait until it is settled."""
        settled: SimpleQueue[object] = SimpleQueue()
        gateway = self.gateway()
        delivery = delivery_on(
            self.store,
            gateway,
            flow=flow_on(self.store, providers=[line.name for line in gateway.providers]),
            policy=self.policy(),
            shares={lane: 1.0},
            concurrency=1,
            clock=lambda: self.clock[0],
        )
        delivery.start()
        incoming = Incoming(body, f"sms.{lane}.shop", content_type="application/json")
        delivery.deliver([Arrival(incoming, settled.put)])
        settled.get(timeout=PATIENCE)
        delivery.stop(timeout=PATIENCE)

    def reconciler(self, gateway: Gateway | None = None) -> Reconciler:
        """A reconciler of this or another worker."""
        return Reconciler(
            store=self.store,
            templates=Templates(),
            gateway=gateway or self.gateway(),
            policy=self.policy(),
            clock=lambda: self.clock[0],
        )

    def reconcile(self, gateway: Gateway | None = None) -> bool:
        """Settle one, if one is due."""
        return self.reconciler(gateway).reconcile()

    def wait(self, time: timedelta = LOOKUP) -> None:
        """Advance the time."""
        self.clock[0] += time

    def story(self, id_: UUID) -> Story:
        """Read one notification's story."""
        story = self.store.get(id_)
        assert story is not None
        return story

    def stands(self, *ids: UUID) -> Sequence[Status]:
        """Return the notifications' statuses."""
        return sorted(self.story(id_).status for id_ in ids)


Make = Callable[..., World]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Return a factory of worlds, each on its own record."""
    stores: list[Store] = []

    def build(*replies: str, **fields: Any) -> World:
        clock = [NOW]
        store = migrated(f"sqlite:///{tmp_path}/{len(stores)}.db")
        stores.append(store)
        return World(store, Sms(*replies, clock=lambda: clock[0]), clock, **fields)

    yield build
    for store in stores:
        store.close()


def test_a_message_in_the_providers_list_was_sent(make: Make) -> None:
    """The look-up waits for the list, then the call is accepted under the vendor's id."""
    world = make()
    id_ = world.request()
    assert world.story(id_).status is Status.UNKNOWN
    world.wait(LOOKUP - SECOND)
    assert not world.reconcile()

    world.wait(SECOND)
    assert world.reconcile()
    assert not world.reconcile()

    story = world.story(id_)
    (attempt,) = story.attempts
    assert (story.status, attempt.outcome) == (Status.SENT, Outcome.ACCEPTED)
    assert attempt.provider_id == f"memory-{attempt.id}"
    assert not story.summary.possible_duplicate
    assert len(world.provider.calls) == 1


def test_the_list_is_asked_for_the_words_of_the_template(make: Make) -> None:
    """The sent text is rendered again from the request, and must be identical."""
    world = make()
    id_ = world.request(
        template="login_code", data={"code": "4711", "product": "Acme", "minutes": 5}
    )
    assert world.provider.sent, world.story(id_).summary.reason
    world.wait()
    assert world.reconcile()
    assert world.provider.asked == list(world.provider.sent)
    assert world.story(id_).status is Status.SENT


def test_what_the_list_does_not_hold_is_parked_with_an_alert(make: Make) -> None:
    """It is never sent again by itself, and an operator is told once."""
    world = make("reset")
    id_ = world.request()
    world.wait()
    with capture_logs() as logs:
        assert world.reconcile()
        world.wait(timedelta(days=30))
        assert not world.reconcile()
    (alert,) = [line for line in logs if line["event"] == "notify.parked"]
    assert (alert["log_level"], alert["id"]) == ("error", str(id_))
    assert TO not in str(logs)
    story = world.story(id_)
    assert story.status is Status.UNKNOWN
    assert "no such message" in (story.summary.reason or "")
    assert len(world.provider.calls) == 1


@pytest.mark.parametrize(
    ("fields", "lane", "resent"),
    [
        ({"channel_rule": Unknown.PARK}, "normal", False),
        ({"channel_rule": Unknown.RESEND}, "normal", True),
        ({"rules": {"lanes": {("bulk", Channel.SMS): Unknown.RESEND}}}, "bulk", True),
        ({"rules": {"lanes": {("bulk", Channel.SMS): Unknown.RESEND}}}, "normal", False),
        ({"rules": {"templates": {"login_code": Unknown.RESEND}}}, "normal", True),
        (
            {
                "rules": {
                    "lanes": {("normal", Channel.SMS): Unknown.RESEND},
                    "templates": {"login_code": Unknown.PARK},
                }
            },
            "normal",
            False,
        ),
    ],
)
def test_the_rule_decides_what_the_list_does_not_hold(
    make: Make, fields: dict[str, Any], lane: str, resent: bool
) -> None:
    """The template's before the lane's before the channel's; a second sending is marked."""
    world = make("reset", **fields)
    data = {"code": "4711", "product": "Acme", "minutes": 5}
    id_ = world.request(lane, template="login_code", data=data)
    world.wait()
    assert world.reconcile()
    story = world.story(id_)
    assert story.status is (Status.QUEUED if resent else Status.UNKNOWN)
    assert story.summary.possible_duplicate is resent


def test_a_list_that_cannot_be_read_is_asked_again_until_the_deadline(make: Make) -> None:
    """The waits double; the vendor's own wish is obeyed; the rule decides at last."""
    world = make("reset")
    gone = OutcomeUnknown("twilio: gone", provider="twilio")
    world.provider.failures = [
        gone,
        Throttled("twilio: slower", provider="twilio", retry_after=90.0),
        RuntimeError(f"a fault that names {TO}"),
        *[gone] * 9,
    ]
    id_ = world.request()
    asked_at = []
    with capture_logs() as logs:
        for seconds in range(30, 661, 30):
            # In each half minute's last second and at its end: an early look-up shows as well.
            for at in (seconds - 1, seconds):
                world.wait(NOW + timedelta(seconds=at) - world.clock[0])
                if world.reconcile():
                    asked_at.append(at)
    assert asked_at == [30, 60, 150, 300, 600]
    assert [line["event"] for line in logs].count("notify.parked") == 1
    assert TO not in str(logs)
    assert world.story(id_).status is Status.UNKNOWN
    assert "could not be asked in time" in (world.story(id_).summary.reason or "")


def test_a_list_that_can_be_read_again_is_believed(make: Make) -> None:
    """A failed look-up changes nothing; the next one finds the message."""
    world = make()
    world.provider.failures = [OutcomeUnknown("twilio: gone", provider="twilio")]
    id_ = world.request()
    world.wait()
    assert world.reconcile()
    assert world.story(id_).status is Status.UNKNOWN
    world.wait()
    assert world.reconcile()
    assert world.story(id_).status is Status.SENT


@pytest.mark.parametrize(
    ("off", "found"), [(-MARGIN, True), (MARGIN, True), (-MARGIN - SECOND, False)]
)
def test_a_vendor_whose_clock_is_a_little_off_is_believed(
    make: Make, off: timedelta, *, found: bool
) -> None:
    """On both sides; what it took much earlier belongs to an earlier request."""
    world = make()
    world.provider._clock = lambda: world.clock[0] + off
    id_ = world.request()
    world.wait()
    assert world.reconcile()
    assert (world.story(id_).status is Status.SENT) is found


def test_what_the_vendor_took_after_the_call_had_ended_is_another_message(make: Make) -> None:
    """A person may get the same words again a minute later, by another service even."""
    world = make()
    world.provider._clock = lambda: world.clock[0] + MARGIN + SECOND
    id_ = world.request()
    world.wait()
    assert world.reconcile()
    assert world.story(id_).status is Status.UNKNOWN


def test_a_call_whose_loss_was_noticed_late_is_looked_for_no_longer_than_it_can_last() -> None:
    """Workers may have been away for a day; messages of that time are not this call's."""
    call = LostCall(uuid4(), "twilio", NOW, NOW + timedelta(days=1), NOW, 1, sent=False)
    assert search_window(call) == (NOW - MARGIN, NOW + LONGEST_CALL + MARGIN)


@pytest.mark.parametrize("gone", ["renamed", "replaced"])
def test_nobody_left_to_ask_leaves_it_to_the_rule(make: Make, gone: str) -> None:
    """The provider was taken out of the configuration, or another stands under its name."""

    class Deaf(Sms):
        can_find: ClassVar[bool] = False

    world = make()
    id_ = world.request()
    world.wait()
    deaf = Deaf(clock=lambda: NOW)
    gateway = world.gateway("other") if gone == "renamed" else world.gateway(provider=deaf)
    assert world.reconcile(gateway)
    assert world.story(id_).status is Status.UNKNOWN
    assert "has no look-up" in (world.story(id_).summary.reason or "")
    assert not world.reconcile()


def test_a_missing_template_leaves_it_to_the_rule(make: Make, tmp_path: Path) -> None:
    """Without its text, the message cannot be identified."""
    world = make()
    folder = tmp_path / "templates" / "sms" / "gone"
    id_ = world.request(text="Hi.")
    assert not folder.exists()
    with world.store.writing() as connection:
        body = json.dumps({"id": str(id_), "to": TO, "template": "gone", "data": {}}).encode()
        connection.exec_driver_sql("UPDATE notifications SET body = ?", (body,))
    world.wait()
    assert world.reconcile()
    assert "template" in (world.story(id_).summary.reason or "")


def test_a_request_that_cannot_be_read_any_more_is_parked(make: Make) -> None:
    """It was recorded by a version with another contract; a person decides."""
    world = make()
    id_ = world.request()
    with world.store.writing() as connection:
        connection.exec_driver_sql("UPDATE notifications SET body = ?", (b"{}",))
    world.wait()
    with capture_logs() as logs:
        assert world.reconcile()
    assert [line["event"] for line in logs] == ["notify.parked"]
    assert world.story(id_).status is Status.UNKNOWN
    assert not world.reconcile()


def test_one_message_settles_one_of_two_calls_with_the_same_words(make: Make) -> None:
    """Two requests, the same text to the same person, one message at the vendor's: one is left."""
    world = make("unknown", "reset")
    ids = [world.request() for _ in range(2)]
    world.wait()
    assert world.reconcile()
    assert world.reconcile()
    assert world.stands(*ids) == [Status.SENT, Status.UNKNOWN]


@pytest.mark.parametrize(("listed", "id_"), [(4711, "4711"), ("SM\ud800", "SM?")])
def test_the_list_may_name_messages_by_anything_that_can_be_written(
    make: Make, listed: object, id_: str
) -> None:
    """A number is an id, and one message still settles one of two equal calls."""
    world = make("unknown", "reset")
    world.provider.find = lambda *_, **__: [Receipt(cast(str, listed))]  # type: ignore[method-assign]
    ids = [world.request() for _ in range(2)]
    world.wait()
    assert world.reconcile()
    assert world.reconcile()
    assert world.stands(*ids) == [Status.SENT, Status.UNKNOWN]
    known = [attempt.provider_id for each in ids for attempt in world.story(each).attempts]
    assert sorted(known, key=str) == sorted([id_, None], key=str)


@pytest.mark.parametrize("listed", [[Receipt("")], [Receipt(cast(str, None))], [None], None])
def test_a_list_that_does_not_name_its_messages_proves_nothing(make: Make, listed: Any) -> None:
    """It cannot tell which call a message belongs to; the rule decides at the deadline."""
    world = make()
    world.provider.find = lambda *_, **__: listed  # type: ignore[method-assign]
    id_ = world.request()
    world.wait()
    assert world.reconcile()
    assert world.story(id_).status is Status.UNKNOWN
    assert not world.reconcile()
    world.wait(timedelta(minutes=11))
    assert world.reconcile()
    assert "could not be asked" in (world.story(id_).summary.reason or "")


def test_what_another_call_is_known_to_have_sent_is_no_evidence(make: Make) -> None:
    """The second of two equal messages was accepted; the first is not credited with it."""
    world = make("reset", "accepted")
    lost, sent = world.request(), world.request()
    world.wait()
    assert world.reconcile()
    assert (world.story(lost).status, world.story(sent).status) == (Status.UNKNOWN, Status.SENT)


def test_what_a_call_under_way_may_have_sent_is_waited_for(make: Make) -> None:
    """Its id is not on record yet, so what the list holds may be its own."""
    world = make("reset", "accepted")
    lost = world.request()
    began, go_on = threading.Event(), threading.Event()
    other = threading.Thread(target=lambda: world.request())
    original = world.provider.send

    def slowly(message: Rendered, /) -> Receipt:
        receipt = original(message)
        began.set()
        assert go_on.wait(PATIENCE)
        return receipt

    world.provider.send = slowly  # type: ignore[method-assign]
    other.start()
    assert began.wait(PATIENCE)
    world.wait()
    assert world.reconcile()
    assert world.story(lost).status is Status.UNKNOWN
    go_on.set()
    other.join(PATIENCE)
    world.wait()
    assert world.reconcile()
    assert "no such message" in (world.story(lost).summary.reason or "")


def test_many_reconcilers_settle_each_once(make: Make) -> None:
    """Four at once over twenty lost calls: none is looked up twice."""
    world = make()
    ids = [world.request(text=f"No. {number}") for number in range(20)]
    world.wait()

    def work() -> None:
        mine = world.reconciler()
        while mine.reconcile():
            pass

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    assert set(world.stands(*ids)) == {Status.SENT}
    assert len(world.provider.asked) == 20


def test_a_reconciler_that_comes_back_late_changes_nothing(make: Make) -> None:
    """Its lease ended, and another worker has parked the notification."""
    world = make("reset")
    id_ = world.request()
    world.wait()

    def overtaken() -> None:
        world.provider.meanwhile = lambda: None
        world.wait(LEASE)
        assert world.reconcile()

    world.provider.meanwhile = overtaken
    with capture_logs() as logs:
        assert world.reconcile()
    assert [line["event"] for line in logs] == ["notify.parked"]
    assert [event.status for event in world.story(id_).events] == [Status.UNKNOWN] * 2


def test_news_that_come_during_a_look_up_count(make: Make) -> None:
    """A webhook tells that it was sent while the list, still behind, holds nothing."""
    world = make("reset", channel_rule=Unknown.RESEND)
    id_ = world.request()
    call = world.story(id_).attempts[0].id
    world.provider.meanwhile = lambda: resolve(
        world.store, call, Outcome.ACCEPTED, reason="the webhook", provider_id="SM1"
    )
    world.wait()
    assert world.reconcile()
    story = world.story(id_)
    assert (story.status, story.attempts[0].provider_id) == (Status.SENT, "SM1")


def test_news_are_told_once_and_a_duplicate_aloud(make: Make) -> None:
    """The seam for webhooks: what both calls did comes to light after a second sending."""
    world = make("unknown", "accepted", channel_rule=Unknown.RESEND)
    world.provider.failures = [OutcomeUnknown("twilio: gone", provider="twilio")] * 20
    id_ = world.request()
    body = json.dumps({"id": str(id_), "to": TO, "text": "Hi."}).encode()
    call = world.story(id_).attempts[0].id
    gone = world.gateway("other")
    world.wait()
    assert world.reconcile(gone)
    world.wait()
    world.deliver(body)
    assert world.story(id_).status is Status.SENT

    with capture_logs() as logs:
        first = resolve(world.store, call, Outcome.ACCEPTED, reason="the webhook")
        again = resolve(world.store, call, Outcome.ACCEPTED, reason="the webhook")

    assert (first, again) == (Settled.TWICE, Settled.KNOWN)
    assert [line["event"] for line in logs] == ["notify.duplicate_sent"]
    story = world.story(id_)
    assert [attempt.outcome for attempt in story.attempts] == [Outcome.ACCEPTED] * 2
    assert story.summary.possible_duplicate


def test_a_reconcilers_thread_outlives_a_record_that_is_away(make: Make, tmp_path: Path) -> None:
    """It tries again, and stops when it is told to."""
    world = make()
    away = Store.open(f"sqlite:///{tmp_path}/nowhere/at/all.db")
    reconciler = Reconciler(
        store=away, templates=Templates(), gateway=world.gateway(), policy=world.policy()
    )
    with capture_logs() as logs:
        thread = PeriodicThread("reconciler", reconciler.reconcile, period=1.0)
        thread.start()
        until(lambda: bool(logs))
        thread.stop(timeout=PATIENCE)
    assert [line["event"] for line in logs] == ["notify.background_task_failing"]
