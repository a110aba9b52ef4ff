"""Any outcome that a provider can cause is written on both databases, and so are the others."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from queue import SimpleQueue
from typing import Any, ClassVar, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from notify.arrival import Decision, Done
from notify.delivery.call import send
from notify.delivery.metrics import DeliveryMetrics
from notify.delivery.outcome_recorder import OutcomeRecorder
from notify.delivery.outcome_report import OutcomeReport
from notify.delivery.plan import Attempt, DeliveryItem
from notify.delivery.recorder import PendingRecord, Recorder
from notify.delivery.settlement import Settlement
from notify.errors import (
    OutcomeUnknown,
    PermanentError,
    ProviderError,
    Throttled,
    TransientError,
)
from notify.gateway import ConfiguredProvider
from notify.message import Channel, Outcome, Receipt, Rendered, Status, Unknown
from notify.policies.retry import RetryPolicy, RetrySettings, UnknownRules
from notify.provider import Provider
from notify.relays import OwnEvents
from notify.store import Claim, Claimed, Entry, Record, Store
from notify.store.relays import PendingEvent
from notify.telemetry.metrics import Metrics
from tests.support.examples import examples
from tests.support.recording import LEASE, NOW, accepted, answer_to, asked, call_for
from tests.support.rig import until

MINUTE = timedelta(minutes=1)
ERRORS = (TransientError, Throttled, PermanentError, OutcomeUnknown, ProviderError)
ODD = st.one_of(
    st.sampled_from(["SM\ud800", "SM\x00", "SM\udfff" * 200, "503", 2**31, 2**63]),
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=10**300),
    st.floats(),
    st.text(),
    st.text(st.characters(categories=["Cs", "Cc", "Cf", "Lu"]), min_size=200),
    st.binary(),
    st.lists(st.text()),
    st.dictionaries(st.text(), st.text()),
)


class Bare(TransientError):
    """A provider's own error that sets none of its attributes."""

    def __init__(self, text: str) -> None:
        Exception.__init__(self, text)


class Odd:
    """A provider that returns or raises whatever it is set to."""

    channel: ClassVar[Channel] = Channel.EMAIL
    can_find: ClassVar[bool] = False

    def __init__(self, end: object) -> None:
        self._end = end

    def send(self, _: Rendered, /) -> Any:
        """End as set."""
        if isinstance(self._end, Exception):
            raise self._end
        return self._end


@st.composite
def errors(draw: st.DrawFn) -> Exception:
    """Errors with attributes of any type, or with none at all."""
    words = draw(st.text())
    if draw(st.booleans()):
        return draw(st.sampled_from([Bare(words), RuntimeError(words)]))
    attributes = {name: draw(ODD) for name in ("status", "code", "retry_after")}
    kind = draw(st.sampled_from(ERRORS))
    return kind(words, provider="odd", **attributes)


receipts = st.builds(Receipt, cast(Any, ODD), cast(Any, ODD))
ends = st.lists(st.one_of(receipts, errors(), ODD), min_size=1, max_size=6)


def record_of(entry: Entry, claimed: Claimed, end: object, unused: Any) -> Record:
    """Call a provider that ends so, and return what is to be recorded of it."""
    message = Rendered(entry.notification.id, cast(Any, entry.attempt_id), "a@example.com")
    (result,) = send(ConfiguredProvider("odd", cast(Provider, Odd(end))), [message])
    lane = RetrySettings(3, timedelta(hours=1), MINUTE, MINUTE)
    policy = RetryPolicy(
        lanes={"critical": lane},
        unknown=UnknownRules({Channel.EMAIL: Unknown.RESEND}),
        lookups={},
        rng=random.Random(7),
    )
    outcomes = OutcomeRecorder(
        policy=policy,
        recorder=cast(Recorder, unused),
        metrics=cast(DeliveryMetrics, unused),
        clock=lambda: NOW,
    )
    item = DeliveryItem(entry.notification, cast(Any, unused))
    return outcomes.record_of(Attempt(item, entry, message, claimed), result)


def write(store: Store, records: Sequence[Record]) -> list[bool]:
    """Have a recorder write these, as one group if it can; return whether each was written."""
    owners: dict[object, bool] = {}

    class Heard:
        """Remembers the reports."""

        def recorded(self, alike: Sequence[tuple[PendingRecord, int]]) -> None:
            """These are on record."""
            owners.update({each.record.notification_id: True for each, _ in alike})

        def lost(self, pending: PendingRecord) -> None:
            """This one is not."""
            owners[pending.record.notification_id] = False

    def heard(record: Record) -> PendingRecord:
        no_one = cast(Any, None)
        return PendingRecord(record, no_one, no_one, no_one, Heard())

    recorder = Recorder(store)
    for record in records:
        recorder.put(heard(record))
    recorder.start()
    recorder.stop(timeout=60)
    return [owners[record.notification_id] for record in records]


@settings(
    max_examples=examples(40),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(ends=ends)
def test_any_outcome_that_a_provider_can_cause_is_written(store: Store, ends: list[object]) -> None:
    """Ids, codes, statuses and waits of any type and size: one outcome for each, in one group."""
    entries = [call_for(asked()) for _ in ends]
    records = [
        record_of(entry, answer_to(store, entry), end, None)
        for entry, end in zip(entries, ends, strict=True)
    ]
    # Not a recorder's doing, which would leave out what is refused.
    assert store.record(records) == set()
    for record, end in zip(records, ends, strict=True):
        story = store.get(record.notification_id)
        assert story is not None
        assert story.status is record.status
        (attempt,) = story.attempts
        assert attempt.outcome is record.outcome
        if not isinstance(end, Exception):
            assert record.status is Status.SENT


UNWRITABLE = {
    "half a surrogate": {"provider_id": "SM\ud800"},
    "too long": {"provider_id": "x" * 256},
    "a code too long": {"code": "x" * 65},
    "a reason with half a surrogate": {"reason": "\udfff"},
    "a number that no column holds": {"http_status": 2**63},
}


@pytest.mark.parametrize("values", UNWRITABLE.values(), ids=UNWRITABLE.keys())
def test_one_outcome_that_cannot_be_written_holds_up_no_other(
    store: Store, values: dict[str, Any]
) -> None:
    """The group is split, and the odd one is written without what cannot be."""
    entries = [call_for(asked()) for _ in range(9)]
    for entry in entries:
        answer_to(store, entry)
    records = [accepted(entry) for entry in entries]
    records[4] = replace(records[4], **values)

    assert write(store, records) == [True] * 9

    for record in records:
        story = store.get(record.notification_id)
        assert story is not None
        assert (story.status, story.attempts[0].outcome) == (Status.SENT, Outcome.ACCEPTED)


def test_an_outcome_that_cannot_be_written_at_all_is_left_to_its_lease(
    store: Store,
) -> None:
    """The others are written; its message is looked at again, and the claim stays as it was."""
    entries = [call_for(asked()) for _ in range(3)]
    for entry in entries:
        answer_to(store, entry)
    never = datetime(1, 1, 1, tzinfo=UTC) + LEASE
    records = [accepted(entry) for entry in entries]
    records[1] = replace(records[1], spent=2**70, due_at=never)

    assert write(store, records) == [True, False, True]

    story = store.get(records[1].notification_id)
    assert story is not None
    assert story.status is Status.SENDING


def test_a_fault_in_a_report_keeps_no_other_outcome_from_being_written(store: Store) -> None:
    """Without the recorder's thread a worker sends, and records nothing until it is restarted."""
    entries = [call_for(asked()) for _ in range(2)]
    for entry in entries:
        answer_to(store, entry)
    settled: SimpleQueue[Decision] = SimpleQueue()

    class Faulty(OwnEvents):
        """Fails at the first event."""

        def put(self, event: PendingEvent) -> None:
            """Fail once."""
            if event.event.id == entries[0].notification.id:
                raise RuntimeError

    recorder = Recorder(store)
    metrics = DeliveryMetrics(Metrics(), channel=Channel.EMAIL, lanes=[], providers=[])
    report = OutcomeReport(recorder, metrics, Faulty(), clock=lambda: NOW)
    with capture_logs() as lines:
        recorder.start()
        for entry in entries:
            record = replace(accepted(entry), announced_until=NOW + MINUTE)
            item = DeliveryItem(entry.notification, Settlement(settled.put, 1))
            recorder.put(PendingRecord(record, item, entry, Claimed(Claim.OWNED), report))
            assert settled.get(timeout=10) == Done()
        recorder.stop(timeout=60)
    assert [each["event"] for each in lines] == ["notify.call_fault", "notify.sent"]
    found = [store.get(entry.notification.id) for entry in entries]
    assert [story and story.status for story in found] == [Status.SENT] * 2


def test_a_stop_also_writes_an_outcome_whose_lost_claim_is_made_again(store: Store) -> None:
    """Otherwise its call counts as lost, although this worker knows how it ended."""
    entry = call_for(asked())
    answer_to(store, entry)
    recorder = Recorder(store)
    done: list[PendingRecord] = []

    class ClaimsAgain:
        """Puts an outcome back, under the claim that the record has."""

        def recorded(self, alike: Sequence[tuple[PendingRecord, int]]) -> None:
            """It is on record."""
            done.extend(each for each, _ in alike)

        def lost(self, pending: PendingRecord) -> None:
            """Make the claim again, after the stop has begun."""
            until(lambda: not recorder._pending.empty())
            recorder.put(replace(pending, record=accepted(entry)))

    no_one = cast(Any, None)
    stale = replace(accepted(entry), fence=7)
    recorder.put(PendingRecord(stale, no_one, no_one, no_one, ClaimsAgain()))
    recorder.start()
    recorder.stop(timeout=60)
    assert [each.record.fence for each in done] == [accepted(entry).fence]
