"""Many recipients in one call: formed, claimed, refused in part, lost, handed over, recorded."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from uuid import uuid4

import pytest

from notify.arrival import Dead, Decision, Done
from notify.errors import GroupRefused, OutcomeUnknown, Throttled, TransientError
from notify.gateway import Gateway
from notify.message import Outcome, Receipt, Rendered, Status, Unknown
from notify.policies.breaker import Rules
from notify.policies.caps import Cap, Period
from notify.policies.ratelimit import Limit
from notify.policies.retry import RetryPolicy
from notify.store import Store
from providers.memory import Memory
from tests.support.bulk import Bulk, BulkRig, people, refusing, request
from tests.support.delivering import policy_for
from tests.support.flowing import flow_on

TEMPLATE: Any = {"template": "login_code"}
Build = Callable[..., BulkRig]


@pytest.fixture
def build(store: Store) -> Iterator[Build]:
    """Return a function that makes deliveries on one record."""
    rigs = []

    def make(*args: object, **options: object) -> BulkRig:
        rigs.append(BulkRig(store, *args, **options))  # type: ignore[arg-type]
        return rigs[-1]

    yield make
    for rig in rigs:
        rig.delivery.stop(timeout=5)


def _policy(attempts: int = 3, unknown: Unknown = Unknown.PARK) -> Callable[[Gateway], RetryPolicy]:
    return lambda gateway: policy_for(gateway, ["bulk"], attempts=attempts, unknown=unknown)


def test_the_recipients_of_a_batch_are_one_call(build: Build) -> None:
    """The first is claimed alone, since it shows whether the request is in conflict."""
    provider = Bulk()
    rig = build(provider)

    assert rig.deliver(request(*people(400))) == [Done()]

    assert provider.sizes == [1, 399]
    assert rig.counts() == {"sent": 400}
    story = rig.of("user-399@example.com")
    (attempt,) = story.attempts
    assert (attempt.outcome, attempt.provider_id) == (Outcome.ACCEPTED, "request")
    assert [event.status for event in story.events] == [Status.SENT]


def test_single_messages_that_arrive_together_are_one_call(build: Build) -> None:
    """Each is settled by itself."""
    provider = Bulk()
    rig = build(provider)

    assert rig.deliver(*(request(each) for each in people(40))) == [Done()] * 40

    assert provider.sizes == [40]
    assert rig.counts() == {"sent": 40}


@pytest.mark.parametrize(("batch_size", "most"), [(1, 1), (4, 4), (8, 8), (100, 8)])
def test_the_lane_limits_the_size_of_a_call(build: Build, batch_size: int, most: int) -> None:
    """A lost answer concerns no more messages than that."""
    provider = Bulk()
    rig = build(provider, batch_size=batch_size)

    rig.deliver(request(*people(9)))

    # Two threads may share what is left in other ways than by four.
    assert provider.sizes[0] == 1
    assert (max(provider.sizes), sum(provider.sizes)) == (most, 9)


def test_a_provider_of_single_messages_gets_single_messages(build: Build) -> None:
    """Whatever the lane allows."""
    rig = build(Memory())
    assert rig.deliver(request(*people(30))) == [Done()]
    assert rig.counts() == {"sent": 30}


def test_one_recipient_is_not_twice_in_a_call(build: Build) -> None:
    """Whatever the case of its letters."""
    provider = Bulk()
    rig = build(provider)

    rig.deliver(*(request(to) for to in ("ann@example.com", "Ann@example.com", "bo@example.com")))

    assert sorted(provider.sizes) == [1, 2]
    assert all(len({m.to.lower() for m in group}) == len(group) for group in provider.groups)


def test_messages_that_no_request_can_share_are_calls_of_their_own(build: Build) -> None:
    """Here those of another subject."""
    provider = Bulk()
    rig = build(provider)

    rig.deliver(*(request(to, subject=to[5]) for to in people(20)))

    assert sorted(provider.sizes) == [1] * 8 + [12] or sum(provider.sizes) == 20
    assert all(len({m.subject for m in group}) == 1 for group in provider.groups)
    assert rig.counts() == {"sent": 20}


def test_more_calls_than_permits_follow_one_another(build: Build) -> None:
    """A hundred subjects with permits for a few calls: none is lost, and all permits return."""
    provider = Bulk()
    rig = build(provider)

    decisions = rig.deliver(*(request(to, subject=to) for to in people(100)))

    assert decisions == [Done()] * 100
    assert provider.sizes == [1] * 100
    rig.delivery.stop(timeout=5)
    assert rig.delivery._lanes["bulk"].permits.taken == 0


@pytest.mark.parametrize("named", [1000, 1, 0])
def test_a_refused_recipient_ends_alone(build: Build, named: int) -> None:
    """Named, it is left out; not named, halves find it. The others are sent once."""
    bad = ["user-7@example.com", "user-90@example.com"]
    provider = Bulk(refusing(*bad, named=named))
    rig = build(provider)

    assert rig.deliver(request(*people(100))) == [Done()]

    assert rig.with_status(Status.REJECTED) == set(bad)
    assert rig.counts() == {"rejected": 2, "sent": 98}
    accepted = [group for group in provider.groups if not {m.to for m in group} & set(bad)]
    sent = [message.to for group in accepted for message in group]
    assert len(sent) == len(set(sent)) == 98


def test_a_request_that_is_too_large_is_halved(build: Build) -> None:
    """Until it is small enough."""

    def reply(messages: Sequence[Rendered]) -> Sequence[Receipt | GroupRefused]:
        large = GroupRefused("too large", provider="bulk", status=413)
        return [large if len(messages) > 50 else Receipt("r")] * len(messages)

    provider = Bulk(reply)
    rig = build(provider)

    assert rig.deliver(request(*people(201))) == [Done()]

    assert rig.counts() == {"sent": 201}
    assert sorted(provider.sizes) == [1, 50, 50, 50, 50, 100, 100, 200]


def test_endless_refusals_end(build: Build) -> None:
    """Messages that were not sent then follow the lane's rule for retries."""
    refused = GroupRefused("apart", provider="bulk", status=400)
    provider = Bulk(lambda messages: [refused] * len(messages))
    rig = build(provider)

    assert rig.deliver(*(request(to) for to in people(300))) == [Done()] * 300

    assert len(provider.groups) <= 3 * 25
    assert rig.counts() == {"queued": 300}


def test_a_refused_request_is_no_failure_of_the_provider(build: Build, store: Store) -> None:
    """Its circuit stays closed."""
    flow = flow_on(store, providers=["p0"], rules=Rules(minimum_calls=1, failure_rate=0.01))
    rig = build(Bulk(refusing("user-3@example.com")), flow=flow)

    rig.deliver(request(*people(9)))
    flow.refresh()

    assert flow.circuits.flows("p0")


@pytest.mark.parametrize(
    ("unknown", "counts"),
    [(Unknown.PARK, {"unknown": 50}), (Unknown.RESEND, {"queued": 50})],
)
def test_a_lost_answer_leaves_the_outcome_of_all_unknown(
    build: Build, unknown: Unknown, counts: dict[str, int]
) -> None:
    """Under one attempt each, and the lane's rule decides."""

    def lose(_: Sequence[Rendered]) -> Sequence[Receipt]:
        raise OutcomeUnknown("lost", provider="bulk")

    rig = build(Bulk(lose), policy=_policy(unknown=unknown))

    assert rig.deliver(*(request(to) for to in people(50))) == [Done()] * 50

    assert rig.counts() == counts
    story = rig.of("user-49@example.com")
    assert [attempt.outcome for attempt in story.attempts] == [Outcome.UNKNOWN]
    assert story.summary.possible_duplicate is (unknown is Unknown.RESEND)


def test_throttled_messages_wait_as_one_call(build: Build) -> None:
    """The limit waits as long as the vendor asks."""

    def throttle(_: Sequence[Rendered]) -> Sequence[Receipt]:
        raise Throttled("slow down", provider="bulk", retry_after=5)

    rig = build(Bulk(throttle), monotonic=lambda: 0.0)

    rig.deliver(*(request(to) for to in people(20)))

    assert rig.counts() == {"queued": 20}
    assert rig.flow.limiter.wait(["p0"]) > 4


def test_a_group_goes_to_the_next_provider_as_a_group(build: Build) -> None:
    """In one transaction and one call, if that provider accepts many as well."""

    def down(_: Sequence[Rendered]) -> Sequence[Receipt]:
        raise TransientError("down", provider="bulk", status=503)

    first, second = Bulk(down), Bulk()
    rig = build(first, second)

    assert rig.deliver(*(request(to) for to in people(60))) == [Done()] * 60

    assert (first.sizes, second.sizes) == ([60], [60])
    assert rig.counts() == {"sent": 60}
    story = rig.of("user-59@example.com")
    assert [(a.provider, a.outcome) for a in story.attempts] == [
        ("p0", Outcome.NOT_SENT),
        ("p1", Outcome.ACCEPTED),
    ]


def test_a_group_is_handed_over_within_the_lease(build: Build) -> None:
    """To a provider of single messages only as long as the call's own claim allows."""
    now = 0.0

    def down(_: Sequence[Rendered]) -> Sequence[Receipt]:
        raise TransientError("down", provider="bulk", status=503)

    class Slow(Memory):
        def send(self, message: Rendered, /) -> Receipt:
            nonlocal now
            now += 3.0
            return super().send(message)

    class SlowEmail(Slow):
        channel = Bulk.channel

        def __new__(cls, **_: object) -> SlowEmail:
            return object.__new__(cls)

    second = SlowEmail()
    rig = build(Bulk(down), second, monotonic=lambda: now)

    assert rig.deliver(*(request(to) for to in people(30))) == [Done()] * 30

    assert len(second.sent) == 4
    assert rig.counts() == {"sent": 4, "queued": 26}


def test_limits_count_recipients(build: Build, store: Store) -> None:
    """Not requests: ten of a burst of ten, and the rest when the rate allows it."""
    flow = flow_on(store, providers=["p0"], limits={"p0": Limit("p0", 0.01, 20)})
    provider = Bulk()
    rig = build(provider, flow=flow)

    rig.deliver(*(request(to) for to in people(30)))

    assert sum(provider.sizes) == 10
    assert rig.counts() == {"sent": 10, "queued": 20}


def test_under_a_limit_requests_are_still_of_many(build: Build, store: Store) -> None:
    """Messages wait for others of their request as long as their limit allows, half a second."""
    flow = flow_on(store, providers=["p0"], limits={"p0": Limit("p0", 200, 200)})
    provider = Bulk()
    rig = build(provider, flow=flow)

    rig.deliver(*(request(to) for to in people(300)))

    assert rig.counts() == {"sent": 300}
    assert len(provider.sizes) < 20


def test_caps_count_recipients(build: Build, store: Store) -> None:
    """The rest of a batch above a cap is suppressed."""
    flow = flow_on(store, providers=["p0"], caps=[Cap(name="few", most=10, period=Period.DAY)])
    provider = Bulk()
    rig = build(provider, flow=flow)

    rig.deliver(request(*people(30)))

    assert sum(provider.sizes) == 10
    assert rig.counts() == {"sent": 10, "suppressed": 20}


def test_the_circuit_counts_requests(build: Build, store: Store) -> None:
    """A failed call of many is one failure."""

    def down(_: Sequence[Rendered]) -> Sequence[Receipt]:
        raise TransientError("down", provider="bulk", status=503)

    flow = flow_on(store, providers=["p0"], rules=Rules(minimum_calls=2, failure_rate=0.5))
    rig = build(Bulk(down), flow=flow)

    rig.deliver(*(request(to) for to in people(200)))
    flow.refresh()

    assert flow.circuits.flows("p0")


def test_a_batch_that_arrives_again_is_not_sent_again(build: Build) -> None:
    """A worker was killed before it acknowledged the message."""
    provider = Bulk()
    rig = build(provider)
    body = request(*people(50))

    assert rig.deliver(body) == rig.deliver(body) == [Done()]

    assert sum(provider.sizes) == 50


def test_a_batch_in_conflict_reaches_no_one(build: Build) -> None:
    """Its key was used by another request, with fewer recipients."""
    provider = Bulk()
    rig = build(provider)
    key = str(uuid4())
    rig.deliver(request(*people(3), idempotency_key=key))

    decisions: list[Decision] = rig.deliver(request(*people(30), idempotency_key=key))

    assert decisions == [Dead()]
    assert sum(provider.sizes) == 3


def test_a_claim_is_limited_by_its_content(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand recipients may have large bodies, each its own."""
    monkeypatch.setattr("notify.delivery.delivery.LARGEST_CONTENT", 1000)
    provider = Bulk()
    rig = build(provider)
    data = {"product": "shop", "code": "1", "minutes": 5}
    rig.deliver(*(request(to, subject=None, text=None, data=data, **TEMPLATE) for to in people(20)))

    assert rig.counts() == {"sent": 20}
    assert max(provider.sizes) < 5


def test_own_words_and_ids_reach_each_recipient(build: Build) -> None:
    """As in a call of one."""
    provider = Bulk()
    rig = build(provider)
    body = json.loads(request(*people(3)))
    del body["text"], body["subject"]
    data = {"code": "1", "minutes": 5}
    recipients = [{"to": to, "data": {**data, "product": to}} for to in people(3)]
    rig.deliver(json.dumps({**body, "template": "login_code", "to": recipients}).encode())

    sent = [message for group in provider.groups for message in group]
    assert len(sent) == 3
    for message in sent:
        story = rig.of(message.to)
        assert story.summary.id == message.notification_id
        assert story.attempts[0].id == message.attempt_id
