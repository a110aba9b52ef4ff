"""The log lines of outcomes: those that are written together are what each would be alone."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any
from uuid import uuid4

import pytest
import structlog

from notify.arrival import Decision
from notify.delivery import outcome_report
from notify.delivery.metrics import DeliveryMetrics
from notify.delivery.outcome_report import OutcomeReport
from notify.delivery.plan import DeliveryItem
from notify.delivery.recorder import PendingRecord, Recorder
from notify.delivery.settlement import Settlement
from notify.message import Channel, Outcome, Status
from notify.relays import OwnEvents
from notify.store import Claim, Claimed, Entry, Record, Store
from notify.telemetry.logs import configure
from notify.telemetry.metrics import Metrics
from tests.support.migrated import migrated
from tests.support.recording import NOW, accepted, answer_to, asked, call_for, put_off, rejected


def unknown(entry: Entry) -> Record:
    """The outcome of a call whose answer was lost."""
    return put_off(entry, outcome=Outcome.UNKNOWN, status=Status.UNKNOWN, http_status=None)


ENDS: Sequence[Callable[[Entry], Record]] = (
    accepted,
    rejected,
    put_off,
    unknown,
    lambda entry: replace(unknown(entry), due_at=None),
    lambda entry: accepted(entry, http_status=200),
    lambda entry: put_off(entry, http_status=None),
    lambda entry: put_off(entry, code="21611"),
    lambda entry: put_off(entry, reason="100 % of its allowance is used"),
)
TRACE = f"00-{uuid4().hex}-00f067aa0ba902b7-01"


def entries() -> list[Entry]:
    """Two calls for each combination of what a line has."""
    batch = uuid4()
    alike: list[dict[str, Any]] = [
        {},
        {"source": "billing"},
        {"lane": "normal"},
        {"channel": Channel.SMS, "to": "+4915112345678"},
        {"batch_id": batch},
        {"traceparent": TRACE},
        {"batch_id": batch, "traceparent": TRACE},
    ]
    calls = [call_for(asked(**changes)) for changes in alike for _ in range(2)]
    return [*calls, *(replace(call_for(asked()), provider="twilio") for _ in range(2))]


def logged(
    store: Store,
    groups: Sequence[Sequence[tuple[Entry, Record]]],
    monkeypatch: pytest.MonkeyPatch,
) -> list[object]:
    """Record outcomes group by group; return their log lines without the time."""
    out = io.StringIO()
    configure(stream=out)
    monkeypatch.setattr(outcome_report, "log", structlog.get_logger("notify.delivery"))
    recorder = Recorder(store)
    metrics = DeliveryMetrics(Metrics(), channel=Channel.EMAIL, lanes=[], providers=[])
    report = OutcomeReport(recorder, metrics, OwnEvents(), clock=lambda: NOW)
    settled: SimpleQueue[Decision] = SimpleQueue()
    recorder.start()
    for group in groups:
        items = [DeliveryItem(entry.notification, Settlement(settled.put, 1)) for entry, _ in group]
        recorder.put(
            *(
                PendingRecord(record, item, entry, Claimed(Claim.OWNED), report)
                for item, (entry, record) in zip(items, group, strict=True)
            )
        )
        for _ in group:
            settled.get(timeout=10)
    recorder.stop(timeout=60)
    store.close()
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    return [{name: line[name] for name in line if name != "timestamp"} for line in lines]


def test_lines_of_a_group_are_those_of_single_outcomes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each with its own ids and its own end, whatever it shares with its neighbours."""
    calls = [(entry, end) for end in ENDS for entry in entries()]
    ends = [(entry, end(entry)) for entry, end in calls]
    together, alone = (migrated(f"sqlite:///{tmp_path}/{name}.db") for name in ("group", "single"))
    for store in (together, alone):
        for entry, _ in ends:
            answer_to(store, entry)
    expected = logged(alone, [[end] for end in ends], monkeypatch)
    assert len(expected) == len(ends)
    assert logged(together, [ends], monkeypatch) == expected
