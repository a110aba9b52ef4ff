"""The intake: stored by the broker, else by the inbox, else refused."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from notify.contract import ReceiptMessage
from notify.errors import PublishError, StoreError, Unconfirmed
from notify.publisher import Outgoing, Publisher
from notify.receipt import DeliveryReceipt, Forged, Posted, ReceiptEvent, Report, Unreadable
from notify.receipts.intake import BROKER_PAUSE, NotStored, ReceiptIntake, UnknownReader
from notify.receipts.intake_metrics import IntakeMetrics
from notify.telemetry.metrics import Metrics
from notify.topology import RECEIPTS

NOW = datetime(2026, 11, 29, tzinfo=UTC)
POSTED = Posted(query="", headers={}, body=b"canary@example.com")


def _receipt(event: ReceiptEvent = ReceiptEvent.DELIVERED) -> DeliveryReceipt:
    at = NOW - timedelta(seconds=3)
    return DeliveryReceipt(event=event, word="w", recipient="canary@example.com", at=at)


class _Reader:
    """A vendor's reader that does what a test says."""

    def __init__(self, report: Report, *, forged: bool = False, readable: bool = True) -> None:
        self.report = report
        self._forged = forged
        self._readable = readable

    def verify(self, _: Posted, /) -> None:
        """Refuse a forged request."""
        if self._forged:
            raise Forged("acme: not signed")

    def read(self, _: Posted, /) -> Report:
        """Return the report."""
        assert not self._forged, "a forged request must not be parsed"
        if not self._readable:
            raise Unreadable("acme: not JSON")
        return self.report


class _Broker(Publisher):
    """A broker that confirms some messages."""

    def __init__(self, *, confirms: Sequence[bool] = ()) -> None:
        super().__init__("pyamqp://127.0.0.1:1//")
        self._confirms = list(confirms)
        self.tried: list[Outgoing] = []

    def publish_many(self, messages: Iterable[Outgoing]) -> Iterator[PublishError | None]:
        """Confirm each message, or not."""
        for message in messages:
            self.tried.append(message)
            confirms = self._confirms.pop(0) if self._confirms else True
            yield None if confirms else Unconfirmed("away", message_id=message.message_id)


class _Inbox:
    """An inbox that may be away."""

    def __init__(self, *, up: bool = True) -> None:
        self.up = up
        self.stored: list[ReceiptMessage] = []

    def put(self, messages: Sequence[ReceiptMessage]) -> None:
        """Store messages."""
        if not self.up:
            raise StoreError("the database is away")
        self.stored += messages


class _Rig:
    """An intake with its parts."""

    def __init__(self, reader: _Reader, *, broker: _Broker, inbox: _Inbox | None = None) -> None:
        self.broker, self.inbox = broker, inbox or _Inbox()
        self.metrics = Metrics()
        self.seconds = 0.0
        self.intake = ReceiptIntake(
            {"acme": reader},
            publisher=broker,
            inbox=self.inbox,
            metrics=IntakeMetrics(self.metrics, providers=["acme"]),
            clock=lambda: NOW,
            monotonic=lambda: self.seconds,
        )

    def counted(self, event: str, verdict: str) -> float:
        """Return a value of the metric of receipts; 0 without a series."""
        wanted = f'notify_receipts_total{{event="{event}",provider="acme",verdict="{verdict}"}} '
        lines = self.metrics.text().decode().splitlines()
        return next(
            (float(each.removeprefix(wanted)) for each in lines if each.startswith(wanted)), 0
        )


MIXED = Report([_receipt(), _receipt(ReceiptEvent.BOUNCED), _receipt()], unreadable=2, ignored=4)


def test_confirmed_receipts_are_not_in_the_inbox() -> None:
    """One message an event, and everything is counted."""
    rig = _Rig(_Reader(MIXED), broker=_Broker())
    with capture_logs() as logs:
        assert rig.intake.accept("acme", POSTED) == 3
    keys = [(each.exchange, each.routing_key, each.mandatory) for each in rig.broker.tried]
    assert keys == [(RECEIPTS, "acme.delivered", True), (RECEIPTS, "acme.bounced", True)]
    assert rig.inbox.stored == []
    assert (rig.counted("delivered", "stored"), rig.counted("bounced", "stored")) == (2, 1)
    assert (rig.counted("none", "unreadable"), rig.counted("none", "ignored")) == (2, 4)
    assert b'lag_seconds_sum{provider="acme",stage="intake"} 9.0' in rig.metrics.text()
    assert [line["event"] for line in logs] == ["notify.receipts_unreadable"]
    assert "canary" not in str(logs)


def test_only_unconfirmed_messages_go_to_the_inbox() -> None:
    """The broker has the others."""
    rig = _Rig(_Reader(MIXED), broker=_Broker(confirms=[False, True]))
    rig.intake.accept("acme", POSTED)
    assert [each.routing_key for each in rig.inbox.stored] == ["acme.delivered"]
    assert b"notify_receipts_inbox_total 1.0" in rig.metrics.text()


def test_after_a_failure_the_broker_is_left_alone_for_a_moment() -> None:
    """So that a vendor's request does not wait for its confirm each time."""
    rig = _Rig(_Reader(Report([_receipt()])), broker=_Broker(confirms=[False]))
    for _ in range(3):
        rig.intake.accept("acme", POSTED)
    assert (len(rig.broker.tried), len(rig.inbox.stored)) == (1, 3)
    rig.seconds = BROKER_PAUSE
    rig.intake.accept("acme", POSTED)
    assert (len(rig.broker.tried), len(rig.inbox.stored)) == (2, 3)


def test_without_broker_and_inbox_nothing_is_accepted() -> None:
    """Neither is it counted as stored."""
    rig = _Rig(_Reader(MIXED), broker=_Broker(confirms=[False, False]), inbox=_Inbox(up=False))
    with capture_logs() as logs, pytest.raises(NotStored):
        rig.intake.accept("acme", POSTED)
    assert rig.counted("delivered", "stored") == 0
    events = [line["event"] for line in logs]
    assert events[-2:] == ["notify.receipts_to_inbox", "notify.receipts_not_stored"]
    assert "canary" not in str(logs)


def test_a_forged_request_is_not_parsed() -> None:
    """It is counted, and nothing is stored."""
    rig = _Rig(_Reader(MIXED, forged=True), broker=_Broker())
    with capture_logs() as logs, pytest.raises(Forged):
        rig.intake.accept("acme", POSTED)
    assert (rig.broker.tried, rig.inbox.stored, rig.counted("none", "forged")) == ([], [], 1)
    assert [line["event"] for line in logs] == ["notify.receipts_forged"]


def test_a_flood_of_forgeries_is_counted_and_fills_no_log() -> None:
    """One line at once, and one a minute with the number."""
    rig = _Rig(_Reader(MIXED, forged=True), broker=_Broker())
    with capture_logs() as logs:
        for seconds in (0, 1, 2, 59, 60, 61):
            rig.seconds = seconds
            with pytest.raises(Forged):
                rig.intake.accept("acme", POSTED)
    assert [line["count"] for line in logs] == [1, 4]
    assert rig.counted("none", "forged") == 6


def test_an_unreadable_request_is_an_error_in_the_log() -> None:
    """The vendor has changed its format."""
    rig = _Rig(_Reader(MIXED, readable=False), broker=_Broker())
    with capture_logs() as logs, pytest.raises(Unreadable):
        rig.intake.accept("acme", POSTED)
    assert rig.counted("none", "unreadable") == 1
    assert [line["log_level"] for line in logs] == ["error"]


def test_an_unknown_provider_is_not_counted() -> None:
    """Its name would be a label of the client's choice."""
    rig = _Rig(_Reader(MIXED), broker=_Broker())
    before = rig.metrics.text()
    with pytest.raises(UnknownReader):
        rig.intake.accept("other", POSTED)
    assert rig.metrics.text() == before


def test_a_request_without_receipts_needs_no_broker() -> None:
    """Such as one with opens only."""
    rig = _Rig(_Reader(Report((), ignored=3)), broker=_Broker(confirms=[False]))
    assert rig.intake.accept("acme", POSTED) == 0
    assert (rig.broker.tried, rig.counted("none", "ignored")) == ([], 3)


class _ByBody(_Reader):
    """A reader that treats each request by its body."""

    def verify(self, posted: Posted, /) -> None:
        """Refuse a forged request."""
        if posted.body == b"forged":
            raise Forged("acme: not signed")

    def read(self, posted: Posted, /) -> Report:
        """Return the report, or fail."""
        if posted.body == b"poison":
            raise RuntimeError("a fault of the reader")
        return self.report


def _bodies(*bodies: bytes) -> list[Posted]:
    return [Posted(query="", headers={}, body=each) for each in bodies]


def test_requests_that_wait_together_share_messages_and_each_has_its_own_end() -> None:
    """One forgery, or a fault of the reader, changes nothing for its neighbours."""
    rig = _Rig(_ByBody(MIXED), broker=_Broker())
    with capture_logs():
        ends = rig.intake.accept_all("acme", _bodies(b"a", b"forged", b"poison", b"b"))
    assert [type(each) for each in ends] == [type(None), Forged, RuntimeError, type(None)]
    assert [each.routing_key for each in rig.broker.tried] == ["acme.delivered", "acme.bounced"]
    assert len(json.loads(rig.broker.tried[0].body)["receipts"]) == 4
    assert (rig.counted("delivered", "stored"), rig.counted("none", "forged")) == (4, 1)


def test_no_request_of_a_batch_that_is_not_stored_is_accepted() -> None:
    """The vendor posts them all again; a receipt that the broker has is applied once."""
    rig = _Rig(_ByBody(MIXED), broker=_Broker(confirms=[True, False]), inbox=_Inbox(up=False))
    with capture_logs():
        ends = rig.intake.accept_all("acme", _bodies(b"a", b"forged", b"b"))
    assert [type(each) for each in ends] == [NotStored, Forged, NotStored]


def test_requests_to_an_unknown_provider() -> None:
    """Each is refused, and none is counted."""
    rig = _Rig(_Reader(MIXED), broker=_Broker())
    ends = rig.intake.accept_all("other", [POSTED, POSTED])
    assert [type(each) for each in ends] == [UnknownReader, UnknownReader]
