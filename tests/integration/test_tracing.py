"""Traces through a real broker: a producer's trace continues in workers, to the last attempt."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from notify.message import Status
from tests.support.malformed import JSON
from tests.support.rig import Rig, surroundings, until

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"
MANY = 20
"""Enough for one of them to be delivered by both workers."""


class Collector:
    """Receives OTLP over HTTP, like a collector."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        spans = self.spans

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                request = ExportTraceServiceRequest.FromString(body)
                for resource in request.resource_spans:
                    for scope in resource.scope_spans:
                        spans.extend(scope.spans)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop receiving."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """A collector, to which workers export."""
    collector = Collector()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
    monkeypatch.setenv("NOTIFY_TRACING__ENABLED", "true")
    monkeypatch.setenv("NOTIFY_LANES__NORMAL__FIRST_WAIT", "0.2")
    yield collector
    collector.close()


@pytest.fixture
def rig(tmp_path: Path, broker_url: str) -> Iterator[Rig]:
    """A worker's surroundings on SQLite."""
    url = f"sqlite:///{tmp_path}/notify.db"
    with surroundings(tmp_path, broker_url=broker_url, store_url=url) as rig:
        yield rig


def test_a_producers_trace_goes_on_to_the_last_attempt(rig: Rig, collector: Collector) -> None:
    """Each attempt is a span under the producer's, with its steps under it."""
    id_ = "0d9c2f0e-6f3b-4c59-9a55-0f4b7f2f6f10"
    body = f'{{"id": "{id_}", "to": "flaky@sandbox.test", "subject": "S", "text": "Private."}}'
    with rig.worker():
        rig.publish(body.encode(), properties={**JSON, "headers": {"traceparent": TRACEPARENT}})
        until(lambda: rig.status(UUID(id_)) is Status.SENT)
    spans = [span for span in collector.spans if span.trace_id.hex() == TRACE]
    attempts = [span for span in spans if span.name == "process email.normal"]
    assert {span.parent_span_id.hex() for span in attempts} == {PARENT}
    assert [_attributes(span)["notify.status"] for span in attempts] == ["queued", "queued", "sent"]
    for attempt in attempts:
        steps = [span for span in spans if span.parent_span_id == attempt.span_id]
        assert {"render", "claim", "send", "record"} <= {step.name for step in steps}
        assert all(step.start_time_unix_nano <= step.end_time_unix_nano for step in steps)
    calls = [_attributes(span) for span in spans if span.name == "send"]
    assert [call["notify.outcome"] for call in calls] == ["not_sent", "not_sent", "accepted"]
    assert all(call["notify.provider"] == "sendgrid" for call in calls)
    told = "".join(str(span) for span in collector.spans)
    assert "flaky" not in told
    assert "Private" not in told
    assert f'"trace_id": "{TRACE}"' in rig.log()


def _attributes(span: Any) -> dict[str, str]:
    return {each.key: each.value.string_value for each in span.attributes}


def test_each_notification_is_one_trace_and_one_id_whichever_process_has_it(
    rig: Rig, collector: Collector
) -> None:
    """Its retries go to either of two workers, and its message had no trace."""
    with rig.worker("one"), rig.worker("two"):
        batches = [rig.request(to=["flaky@sandbox.test"]) for _ in range(MANY)]
        until(lambda: len(_lines(rig, "notify.sent")) == MANY)
    # So many failures may open the circuit, and then some calls are deferred.
    ends = ("notify.queued", "notify.deferred", "notify.sent")
    lines = [line for event in ends for line in _lines(rig, event)]
    workers_of: dict[str, set[str]] = {}
    for line in lines:
        workers_of.setdefault(line["id"], set()).add(line["worker"])
    assert {"one", "two"} in workers_of.values()
    assert {line["batch_id"] for line in lines} == {str(each) for each in batches}
    ids = {(line["id"], line["batch_id"], line["trace_id"]) for line in lines}
    assert len(ids) == MANY
    attempts = [span for span in collector.spans if span.name == "process email.normal"]
    assert len(attempts) == len(lines) >= 3 * MANY
    told = {(_attributes(span)["notify.id"], span.trace_id.hex()) for span in attempts}
    assert told == {(id_, trace) for id_, _, trace in ids}


def _lines(rig: Rig, event: str) -> list[dict[str, str]]:
    """Find what two workers have logged."""
    lines = [
        {**json.loads(line), "worker": worker}
        for worker in ("one", "two")
        for line in rig.log(worker).splitlines()
    ]
    return [line for line in lines if line["event"] == event]
