"""Delivery under flow control: what waits, what goes on to another provider, what is refused."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import SimpleQueue
from typing import Any, ClassVar
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, update
from structlog.testing import capture_logs

from notify.arrival import Again, Arrival, Dead, Decision, Done
from notify.contract import Incoming
from notify.delivery import failover
from notify.errors import OutcomeUnknown, Throttled, TransientError, Unauthorized
from notify.flow import Flow
from notify.flow.overrides import set_breaker_mode
from notify.flow.own_limits import LimitPer, OwnLimit
from notify.flow.prefetch import PrefetchPolicy
from notify.gateway import ConfiguredProvider, Gateway
from notify.message import Channel, Outcome, Receipt, Rendered, Status
from notify.policies.breaker import Kind, Mode, Rules
from notify.policies.caps import Cap, Period, Unit
from notify.policies.holds import Scope
from notify.policies.ratelimit import Limit
from notify.store import Store, Story
from notify.store.audit import Actor
from notify.store.delivery.handover import hand_over
from notify.store.flow import limits
from notify.store.flow.holds import place
from notify.store.tables import notifications
from providers.memory import Memory
from tests.support.delivering import delivery_on
from tests.support.flowing import flow_on
from tests.support.migrated import migrated
from tests.support.patience import PATIENCE

SECOND = timedelta(seconds=1)
ANN = Actor("ann", "a reason")


class Failing:
    """A provider that certainly does not send, or loses its answers."""

    channel: ClassVar[Channel] = Channel.EMAIL
    can_find: ClassVar[bool] = False
    sent: ClassVar[Sequence[Rendered]] = ()

    def __init__(self, error: Exception) -> None:
        self.calls: list[Rendered] = []
        self._error = error

    def send(self, message: Rendered, /) -> Receipt:
        """Accept the call and fail."""
        self.calls.append(message)
        raise self._error

    def find(self, message: Rendered, /, *, since: datetime, until: datetime) -> Sequence[Receipt]:
        """Know nothing."""
        raise NotImplementedError

    def close(self) -> None:
        """Hold nothing."""


Vendor = Memory | Failing


class Rig:
    """One delivery through two providers, `first` and `second`."""

    def __init__(
        self,
        store: Store,
        flow: Flow,
        providers: Sequence[Vendor],
        *,
        monotonic: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self.store, self.flow = store, flow
        self.first, self.second = providers
        self.decided: SimpleQueue[tuple[int, Decision]] = SimpleQueue()
        gateway = Gateway(
            Channel.EMAIL,
            [
                ConfiguredProvider("first", self.first, ("first",)),
                ConfiguredProvider("second", self.second, ("second",), ("failover:second",)),
            ],
        )
        shares = {"normal": 1.0}
        self.appetite = PrefetchPolicy(flow, gateway, rates={}, shares=shares, most=lambda _: 64)
        self.delivery = delivery_on(store, gateway, flow=flow, monotonic=monotonic, sleep=sleep)
        self.delivery.start()

    def deliver(self, *bodies: bytes) -> list[Decision]:
        """Deliver bodies as one batch; return the decisions in the order of the bodies."""
        self.delivery.deliver([self._arrival(*each) for each in enumerate(bodies)])
        decisions = dict(self.decided.get(timeout=PATIENCE) for _ in bodies)
        return [decisions[number] for number in range(len(bodies))]

    def _arrival(self, number: int, body: bytes) -> Arrival:
        incoming = Incoming(body, "email.normal.shop", content_type="application/json")
        return Arrival(incoming, lambda decision: self.decided.put((number, decision)))

    def story(self, request: bytes) -> Story:
        """Read the story of one request."""
        story = self.store.get(UUID(json.loads(request)["id"]))
        assert story is not None
        return story

    def open_circuits(self, *providers: str, seconds: float | None = None) -> None:
        """Say, as an operator, that providers may not be called."""
        set_breaker_mode(self.store, providers, Mode.OPEN, ANN, seconds=seconds)
        self.flow.refresh()


Build = Callable[..., Rig]


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Build]:
    """Return a function that makes one rig on an empty record."""
    rigs: list[Rig] = []

    def make(
        first: Vendor | None = None,
        second: Vendor | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
        **flow: Any,
    ) -> Rig:
        store = migrated(f"sqlite:///{tmp_path}/notify.db")
        wired = flow_on(store, providers=["first", "second"], **flow)
        wired.refresh()
        monotonic = flow.get("monotonic", time.monotonic)
        providers = [first or Memory(), second or Memory()]
        rigs.append(Rig(store, wired, providers, monotonic=monotonic, sleep=sleep))
        return rigs[-1]

    yield make
    for rig in rigs:
        rig.delivery.stop(timeout=5)
        rig.store.close()


def body(**fields: Any) -> bytes:
    """Write a request as a producer would."""
    request = {"id": str(uuid4()), "to": "ada@example.com", "subject": "Hello", "text": "Hi."}
    return json.dumps({**request, **fields}).encode()


@pytest.mark.parametrize(
    "error",
    [
        TransientError("refused", provider="first"),
        TransientError("busy", provider="first", status=503),
        Throttled("too fast", provider="first", status=429),
        Unauthorized("bad key", provider="first", status=401),
    ],
    ids=["unreachable", "503", "429", "401"],
)
def test_what_was_certainly_not_sent_goes_on_to_the_next_provider_at_once(
    build: Build, error: Exception
) -> None:
    """Both calls are on record, each with its outcome, under one notification."""
    rig = build(Failing(error))
    request = body()

    assert rig.deliver(request) == [Done()]

    story = rig.story(request)
    assert story.status is Status.SENT
    assert [(one.provider, one.outcome) for one in story.attempts] == [
        ("first", Outcome.NOT_SENT),
        ("second", Outcome.ACCEPTED),
    ]
    assert [one.number for one in story.attempts] == [1, 2]
    assert rig.second.sent[0].attempt_id == story.attempts[1].id


def test_a_wish_to_wait_beyond_the_deadline_does_not_keep_the_next_provider_from_it(
    build: Build,
) -> None:
    """Nor does the attempt that went on say that there was no time for another."""
    rig = build(Failing(Throttled("too fast", provider="first", status=429, retry_after=7200.0)))
    request = body()

    assert rig.deliver(request) == [Done()]

    story = rig.story(request)
    assert story.status is Status.SENT
    assert [one.reason for one in story.attempts] == ["too fast", None]


def test_no_call_is_made_that_could_outlast_the_claim_it_was_handed_over_under(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lease runs from before the claim is written, and writing it may take long."""
    now = 1000.0

    def slowly(*args: Any, **named: Any) -> int | None:
        nonlocal now
        now += failover.LATEST
        return hand_over(*args, **named)

    monkeypatch.setattr(failover, "hand_over", slowly)
    busy = TransientError("busy", provider="first", status=503)
    rig = build(Failing(busy), monotonic=lambda: now)
    request = body()

    assert rig.deliver(request) == [Done()]

    story = rig.story(request)
    assert len(rig.second.calls) == 0
    assert (story.status, len(story.attempts)) == (Status.QUEUED, 2)
    assert "delayed too long" in (story.attempts[1].reason or "")


@pytest.mark.parametrize("stop", ["hold", "circuit"])
def test_what_is_stopped_between_its_claim_and_its_call_is_not_sent(
    build: Build, monkeypatch: pytest.MonkeyPatch, stop: str
) -> None:
    """Messages are claimed ahead of the senders: a stop counts for them, and costs no attempt."""
    rig = build()
    claim = rig.store.claim

    def then_stopped(*args: Any, **named: Any) -> Any:
        claimed = claim(*args, **named)
        if stop == "circuit":
            rig.open_circuits("first", "second")
        else:
            with rig.store.writing() as connection:
                place(connection, Scope(source="shop"), actor="ann", reason="stop")
            rig.flow.refresh()
        return claimed

    monkeypatch.setattr(rig.store, "claim", then_stopped)
    request = body()

    assert rig.deliver(request) == [Done()]

    story = rig.story(request)
    assert (story.status, rig.first.sent, rig.second.sent) == (Status.QUEUED, (), ())
    assert [each.outcome for each in story.attempts] == [Outcome.NOT_SENT]
    assert "after the claim" in (story.attempts[0].reason or "")
    with rig.store.reading() as connection:
        assert connection.execute(select(notifications.c.spent)).scalar_one() == 0


def test_a_fault_of_ours_after_a_call_does_not_keep_the_message_unacknowledged_for_ever(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is looked at again: when its claim has lapsed, the rule for lost answers decides."""

    def broken(*_: Any, **__: Any) -> int | None:
        raise RuntimeError

    monkeypatch.setattr(failover, "hand_over", broken)
    rig = build(Failing(TransientError("busy", provider="first", status=503)))

    # The error with its frames is not written: on a busy machine that takes seconds.
    with capture_logs() as lines:
        assert [type(each) for each in rig.deliver(body())] == [Again]
    assert [each["event"] for each in lines] == ["notify.call_fault"]


def test_what_may_have_been_sent_never_goes_on_to_another_provider(build: Build) -> None:
    """The rule for unknown outcomes decides: here a person does."""
    rig = build(Failing(OutcomeUnknown("reset", provider="first")))
    request = body()

    assert rig.deliver(request) == [Done()]

    assert rig.story(request).status is Status.UNKNOWN
    assert len(rig.second.calls) == 0


def test_where_all_providers_fail_it_is_tried_again_later(build: Build) -> None:
    """Each provider is called once; both calls count against the lane's limit."""
    down = TransientError("busy", provider="x", status=503)
    rig = build(Failing(down), Failing(down))
    request = body()

    assert rig.deliver(request) == [Done()]

    story = rig.story(request)
    assert (story.status, len(story.attempts)) == (Status.QUEUED, 2)
    assert story.summary.due_at is not None


def test_the_last_attempt_that_the_lane_allows_does_not_go_on(build: Build) -> None:
    """Three attempts are three calls, through any provider."""
    down = TransientError("busy", provider="x", status=503)
    rig = build(Failing(down), Failing(down))
    request = body()
    rig.deliver(request)
    _make_due(rig, request)

    assert rig.deliver(request) == [Dead()]

    story = rig.story(request)
    assert (story.status, len(story.attempts)) == (Status.FAILED, 3)


def _make_due(rig: Rig, request: bytes) -> None:
    _change(rig, request, due_at=datetime.now(UTC) - SECOND)


def _change(rig: Rig, request: bytes, **values: datetime) -> None:
    with rig.store.writing() as connection:
        connection.execute(
            update(notifications)
            .where(notifications.c.id == UUID(json.loads(request)["id"]))
            .values(**values)
        )


def test_an_open_circuit_sends_everything_to_the_next_provider(build: Build) -> None:
    """No attempt is spent on the first."""
    rig = build()
    rig.open_circuits("first")
    requests = [body() for _ in range(5)]

    assert rig.deliver(*requests) == [Done()] * 5

    assert (len(rig.first.calls), len(rig.second.sent)) == (0, 5)


def test_with_all_circuits_open_a_message_waits_on_record_without_an_attempt(
    build: Build,
) -> None:
    """It is taken up again within a minute, since the circuits may be closed by then."""
    rig = build()
    rig.open_circuits("first", "second", seconds=3600)
    request = body()

    assert rig.deliver(request) == [Done()]

    story = rig.story(request)
    assert (story.status, story.attempts) == (Status.QUEUED, [])
    assert story.summary.due_at is not None
    soon, late = (datetime.now(UTC) + timedelta(seconds=each) for each in (50, 61))
    assert soon <= story.summary.due_at <= late
    assert "circuit" in (story.summary.reason or "")


def test_with_all_circuits_locked_a_message_returns_to_its_queue_at_once(build: Build) -> None:
    """It waits there, unconsumed, and not for a minute after the operator's word."""
    rig = build()
    rig.open_circuits("first", "second")
    request = body()

    assert rig.deliver(request) == [Done()]

    story = rig.story(request)
    assert (story.status, story.attempts) == (Status.QUEUED, [])
    assert story.summary.due_at is not None
    assert story.summary.due_at <= datetime.now(UTC) + timedelta(seconds=4)


class Own(Failing):
    """A provider with addresses of its own."""

    def __init__(self, domain: str) -> None:
        super().__init__(TransientError("busy", provider=domain))
        self._domain = domain

    def takes(self, to: str, /) -> bool:
        """Whether an address is in its domain."""
        return to.endswith(self._domain)


@pytest.mark.parametrize("stop", ["circuit", "hold"])
def test_with_its_circuit_locked_a_message_returns_less_often_to_a_queue_that_is_consumed(
    build: Build, stop: str
) -> None:
    """Otherwise a backlog for one provider keeps the workers busy, and the others' mail waits."""
    rig = build(Own("first.example"), Own("second.example"))
    if stop == "circuit":
        rig.open_circuits("first")
    else:
        with rig.store.writing() as connection:
            place(connection, Scope(provider="first"), actor="ann", reason="stop")
        rig.flow.refresh()
    request = body(to="ada@first.example")

    assert rig.deliver(request) == [Done()]

    assert rig.appetite.of("normal") > 0
    due_at = rig.story(request).summary.due_at
    assert due_at is not None
    assert due_at > datetime.now(UTC) + timedelta(seconds=50)


def test_a_message_with_a_short_wait_stays_buffered(build: Build) -> None:
    """A circuit that may be probed in a moment is not worth a row."""
    rig = build()
    rig.open_circuits("first", "second", seconds=0.5)
    request = body()

    assert rig.deliver(request) == [Done()]

    story = rig.story(request)
    assert (story.status, len(story.attempts)) == (Status.SENT, 1)


def test_failures_open_the_circuit_and_the_rest_goes_elsewhere(build: Build) -> None:
    """The calls that fail are few; no message fails."""
    down = TransientError("busy", provider="first", status=503)
    rig = build(Failing(down), rules=Rules(minimum_calls=5, first_open=3600, longest_open=3600))
    rounds = 0
    while rig.flow.circuits.flows("first"):
        assert rig.deliver(*(body() for _ in range(4))) == [Done()] * 4
        rig.flow.refresh()
        rounds += 1
    failed = len(rig.first.calls)

    assert rig.deliver(*(body() for _ in range(4))) == [Done()] * 4

    assert rounds <= 3
    assert len(rig.first.calls) == failed == 4 * rounds
    assert len(rig.second.sent) == failed + 4


def test_a_held_message_waits_on_record_and_names_who_holds_it(build: Build) -> None:
    """It is neither sent nor failed; others of its batch go."""
    rig = build()
    _hold(rig, Scope(source="shop", template="welcome"))
    data = {"name": "Ada", "product": "Acme", "start_url": "https://example.com/start"}
    fields = {"subject": None, "text": None, "template": "welcome", "data": data}
    held = json.dumps(
        {name: value for name, value in json.loads(body(**fields)).items() if value is not None}
    ).encode()
    free = body()

    assert rig.deliver(held, free) == [Done(), Done()]

    story = rig.story(held)
    assert (story.status, story.attempts) == (Status.QUEUED, [])
    assert story.summary.reason == "held by ann: a reason"
    assert rig.story(free).status is Status.SENT


def test_a_held_message_comes_due_when_it_expires(build: Build) -> None:
    """Then it ends as expired, by the ordinary way."""
    rig = build()
    _hold(rig, Scope(source="shop"))
    expires_at = datetime.now(UTC) + timedelta(hours=2)
    request = body(expires_at=expires_at.isoformat())

    assert rig.deliver(request) == [Done()]

    assert rig.story(request).summary.due_at == expires_at


def test_a_held_provider_is_passed_over(build: Build) -> None:
    """The channel's other provider takes its messages."""
    rig = build()
    _hold(rig, Scope(provider="first"))

    assert rig.deliver(body()) == [Done()]

    assert (len(rig.first.calls), len(rig.second.sent)) == (0, 1)


def _hold(rig: Rig, scope: Scope) -> None:
    with rig.store.writing() as connection:
        place(connection, scope, actor=ANN.name, reason=ANN.reason)
    rig.flow.refresh()


def test_what_exceeds_a_cap_ends_suppressed_and_is_no_dead_letter(build: Build) -> None:
    """The reason names the cap; a retry of one that was counted passes."""
    cap = Cap(name="quota", most=1, period=Period.DAY, unit=Unit.NOTIFICATIONS)
    rig = build(caps=[cap])
    requests = [body(), body()]

    assert rig.deliver(*requests) == [Done(), Done()]

    stories = [rig.story(request) for request in requests]
    assert sorted(story.status for story in stories) == [Status.SENT, Status.SUPPRESSED]
    (refused,) = [story for story in stories if story.status is Status.SUPPRESSED]
    assert "quota" in (refused.summary.reason or "")
    assert refused.attempts == []


def test_a_limit_spreads_what_came_at_once(build: Build) -> None:
    """Ten messages at 20 a second, one of them at once: the last goes nearly half a second on."""
    rig = build(limits={"first": Limit("first", 20.0, 2.0)})
    began = time.monotonic()

    assert rig.deliver(*(body() for _ in range(10))) == [Done()] * 10

    assert time.monotonic() - began >= 0.4
    assert len(rig.first.sent) == 10


def test_a_limit_of_ones_own_puts_one_off_and_no_other(build: Build) -> None:
    """The second message to one person waits on record; another person's goes."""
    rig = build(
        limits={"person": Limit("person", 0.1, 1.0)},
        own=[OwnLimit("person", LimitPer.RECIPIENT)],
    )
    requests = [body(), body(), body(to="bob@example.com")]

    assert rig.deliver(*requests) == [Done()] * 3

    stories = [rig.story(request) for request in requests]
    assert [story.status for story in stories] == [Status.SENT, Status.QUEUED, Status.SENT]
    assert stories[1].attempts == []
    assert "person" in (stories[1].summary.reason or "")


def test_a_vendor_that_complains_pauses_its_own_line(build: Build) -> None:
    """The next message waits on record if the vendor asks for long, and no provider is called."""
    slow_down = Throttled("too fast", provider="x", status=429, retry_after=30.0)
    rig = build(Failing(slow_down), Failing(slow_down))
    first, second = body(), body()
    rig.deliver(first)

    assert rig.deliver(second) == [Done()]

    assert len(rig.first.calls) == 1
    story = rig.story(second)
    assert (story.status, story.attempts) == (Status.QUEUED, [])
    assert rig.flow.circuits.flows("first")


def test_a_complaint_that_comes_at_once_lowers_the_rate_from_what_is_called_by_now(
    build: Build,
) -> None:
    """The other workers' counts are seconds old: by them, no call had been made yet."""
    slow_down = Throttled("too fast", provider="first", status=429)
    now = 1000.0
    rig = build(Failing(slow_down), monotonic=lambda: now)
    circuits = rig.flow.circuits
    permit = circuits.permit("first")
    assert permit is not None
    for _ in range(100):
        now += 0.005
        circuits.ended(permit, Kind.SUCCESS, 0.1)

    rig.deliver(body())

    with rig.store.reading() as connection:
        (seen,), _ = limits.read(connection, ["first"])
    assert seen.state.lowered == pytest.approx(0.7 * 200, rel=0.1)


def test_while_one_provider_is_paused_the_next_one_sends(build: Build) -> None:
    """A backlog that flows on must not become rows: what is consumed is sent."""
    slow_down = Throttled("too fast", provider="x", status=429, retry_after=30.0)
    rig = build(Failing(slow_down))
    rig.deliver(body())

    assert rig.deliver(*(body() for _ in range(5))) == [Done()] * 5

    assert (len(rig.first.calls), len(rig.second.sent)) == (1, 6)


def test_what_moves_from_a_paused_provider_keeps_to_the_share_of_the_next(build: Build) -> None:
    """A message beyond the limit waits on record, with the limit's name as the reason."""
    slow_down = Throttled("too fast", provider="x", status=429, retry_after=30.0)
    moved = Limit("failover:second", 0.1, 2.0)
    rig = build(Failing(slow_down), limits={"failover:second": moved})
    requests = [body() for _ in range(3)]

    for request in requests:
        rig.deliver(request)

    statuses = [rig.story(request).status for request in requests]
    assert statuses == [Status.SENT, Status.QUEUED, Status.QUEUED]
    assert rig.story(requests[2]).attempts == []
    assert rig.appetite.of("normal") == 0


def test_a_refused_key_opens_the_circuit_for_good(build: Build) -> None:
    """Until an operator says that it is mended."""
    rig = build(Failing(Unauthorized("bad key", provider="first", status=401)))
    rig.deliver(body())

    assert rig.deliver(*(body() for _ in range(3))) == [Done()] * 3

    assert len(rig.first.calls) == 1
    assert rig.flow.circuits.wait("first") == float("inf")


def test_what_was_put_off_has_all_its_lanes_patience_before_it(build: Build) -> None:
    """Hours of waiting for an operator are not hours of trying."""
    down = TransientError("busy", provider="x", status=503)
    rig = build(Failing(down), Failing(down))
    rig.open_circuits("first", "second", seconds=3600)
    request = body()
    rig.deliver(request)
    long_ago = datetime.now(UTC) - timedelta(hours=3)
    _change(rig, request, due_at=datetime.now(UTC) - SECOND, received_at=long_ago)
    set_breaker_mode(rig.store, ("first", "second"), Mode.CLOSED, ANN, seconds=None)
    rig.flow.refresh()

    assert rig.deliver(request) == [Done()]

    story = rig.story(request)
    assert (story.status, len(story.attempts)) == (Status.QUEUED, 2)


def test_a_worker_that_stops_puts_off_what_would_have_to_wait(build: Build) -> None:
    """A thousand recipients at a slow limit do not hold up a stop."""
    slow = {name: Limit(name, 1.0, 1.0) for name in ("first", "second")}
    slept: list[float] = []
    rig = build(limits=slow, sleep=slept.append, monotonic=lambda: 1000.0 + sum(slept))
    rig.delivery.hurry()
    requests = [body() for _ in range(20)]

    assert rig.deliver(*requests) == [Done()] * 20

    # Those that were admitted already; without `hurry` it would wait ten seconds for more.
    assert sum(slept) < 5
    statuses = {rig.story(request).status for request in requests}
    assert statuses == {Status.SENT, Status.QUEUED}
