"""A delivery's metrics: each outcome once, under its labels, and nothing else."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from notify.delivery.metrics import DeliveryMetrics
from notify.message import Channel, Notification, Outcome, Status
from notify.policies.retry import Verdict
from notify.store import Claim, Claimed, Entry, Record
from notify.store.delivery.claims import FRESH
from notify.telemetry.metrics import Metrics
from tests.support.recording import NOW, asked

SECOND = timedelta(seconds=1)
LANE = 'channel="email",lane="normal"'


class Counted:
    """Delivery metrics, and what they have counted."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.delivery = DeliveryMetrics(
            self.metrics,
            channel=Channel.EMAIL,
            lanes=["normal"],
            providers=["sendgrid"],
            clock=lambda: NOW + SECOND,
        )

    def samples(self) -> dict[str, float]:
        """Read all samples but buckets."""
        lines = self.metrics.text().decode().splitlines()
        pairs = (line.rpartition(" ") for line in lines if not line.startswith("#"))
        return {name: float(value) for name, _, value in pairs if "_bucket" not in name}

    def found(self) -> dict[str, float]:
        """Read what is not zero, by its name without `notify_`."""
        return {name[7:]: value for name, value in self.samples().items() if value}


@pytest.fixture
def counted() -> Counted:
    """Delivery metrics that have counted nothing."""
    return Counted()


def _asked(**changes: Any) -> Notification:
    return asked(lane="normal", published_at=NOW, **changes)


def _ended(notification: Notification, **changes: Any) -> Record:
    values: dict[str, Any] = {"outcome": Outcome.ACCEPTED, "status": Status.SENT}
    return Record(notification.id, uuid4(), NOW + 9 * SECOND, **(values | changes))


@pytest.mark.parametrize(
    ("status", "claimed", "expected"),
    [
        (Status.SENDING, FRESH, {"accepted_total": 1}),
        (Status.SENDING, Claimed(Claim.OWNED, fence=2), {}),
        (Status.SCHEDULED, FRESH, {"accepted_total": 1}),
        (Status.QUEUED, FRESH, {"accepted_total": 1, "deferred_total": 1}),
        (Status.EXPIRED, FRESH, {"accepted_total": 1, "expired": 1}),
        (Status.REJECTED, Claimed(Claim.OWNED, fence=3), {"rejected": 1}),
    ],
)
def test_what_is_owned_counts_once_as_accepted_and_by_what_became_of_it(
    counted: Counted, status: Status, claimed: Claimed, expected: dict[str, float]
) -> None:
    """Taken up again, it is not accepted again; each time it was queued for a while."""
    counted.delivery.claimed(Entry(_asked(), status), claimed)
    found = counted.found()
    ends = {name: value for name, value in found.items() if name.startswith("ended_total")}
    lane = {name.partition("{")[0]: value for name, value in found.items() if LANE + "}" in name}
    assert lane.pop("queued_seconds_count") == 1
    assert lane.pop("queued_seconds_sum") == 1
    assert lane == {name: value for name, value in expected.items() if name.endswith("_total")}
    assert ends == {
        f'ended_total{{{LANE},status="{name}"}}': value
        for name, value in expected.items()
        if not name.endswith("_total")
    }


@pytest.mark.parametrize(
    ("claim", "expected"),
    [
        (Claim.DUPLICATE, {f"duplicates_total{{{LANE}}}": 1}),
        (Claim.DEAD, {f"duplicates_total{{{LANE}}}": 1}),
        (Claim.CONFLICT, {f"conflicts_total{{{LANE}}}": 1}),
        (Claim.BUSY, {}),
        (Claim.LAPSED, {}),
        (None, {}),
    ],
)
def test_what_is_not_owned_counts_by_why(
    counted: Counted, claim: Claim | None, expected: dict[str, float]
) -> None:
    """A message that another worker claims, or that got no answer, is counted when it returns."""
    answer = None if claim is None else Claimed(claim)
    counted.delivery.claimed(Entry(_asked(), Status.SENDING), answer)
    assert counted.found() == expected


@pytest.mark.parametrize(
    ("fields", "waited_since", "seconds"),
    [
        ({}, None, 9),
        ({}, NOW + 2 * SECOND, 7),
        ({"send_at": NOW + 5 * SECOND}, None, 4),
        ({"send_at": NOW - SECOND}, NOW + 2 * SECOND, 7),
    ],
)
def test_a_delivery_lasts_from_when_it_could_begin(
    counted: Counted, fields: dict[str, Any], waited_since: datetime | None, seconds: float
) -> None:
    """From its publishing or its replay, or from the time that its producer asked for."""
    notification = _asked(**fields)
    claimed = Claimed(Claim.OWNED, waited_since=waited_since)
    counted.delivery.recorded(notification, claimed, _ended(notification))
    assert counted.found() == {
        f'ended_total{{{LANE},status="sent"}}': 1,
        f"delivery_seconds_count{{{LANE}}}": 1,
        f"delivery_seconds_sum{{{LANE}}}": seconds,
    }


def test_what_is_tried_again_has_not_ended(counted: Counted) -> None:
    """Not even where its answer was lost; that it may be sent twice counts at once."""
    notification = _asked()
    again = {"status": Status.QUEUED, "outcome": Outcome.UNKNOWN, "due_at": NOW}
    record = _ended(notification, **again, possible_duplicate=True)
    counted.delivery.recorded(notification, FRESH, record)
    assert counted.found() == {f"possible_duplicates_total{{{LANE}}}": 1}


def test_what_did_not_reach_its_recipient_is_no_delivery(counted: Counted) -> None:
    """It would make the deliveries look quicker, or slower, than they are."""
    notification = _asked()
    counted.delivery.recorded(notification, FRESH, _ended(notification, status=Status.REJECTED))
    assert counted.found() == {f'ended_total{{{LANE},status="rejected"}}': 1}


def test_a_call_counts_by_its_outcome_and_duration(counted: Counted) -> None:
    """Under the provider's name."""
    counted.delivery.called("sendgrid", [Verdict.SENT], 0.25)
    assert counted.found() == {
        'attempts_total{outcome="accepted",provider="sendgrid",verdict="sent"}': 1,
        'call_seconds_count{provider="sendgrid"}': 1,
        'call_seconds_sum{provider="sendgrid"}': 0.25,
    }


def test_a_lane_that_no_pool_has_makes_no_label(counted: Counted) -> None:
    """A producer could make up a million of them."""
    counted.delivery.claimed(Entry(asked(lane="made-up"), Status.SENDING), Claimed(Claim.DUPLICATE))
    assert counted.found() == {'duplicates_total{channel="email",lane="other"}': 1}


def test_all_is_there_from_the_start_with_zero(counted: Counted) -> None:
    """Without a zero before it, Prometheus does not see that the first one was an increase."""
    there = counted.samples().keys()
    names = {name.partition("{")[0] for name in there}
    for name in ("accepted", "duplicates", "conflicts", "deferred", "possible_duplicates"):
        assert f"notify_{name}_total{{{LANE}}}" in there
    for status in ("sent", "rejected", "failed", "expired", "suppressed", "unknown"):
        assert f'notify_ended_total{{{LANE},status="{status}"}}' in there
    assert {"notify_call_seconds_count", "notify_attempts_total"} <= names
