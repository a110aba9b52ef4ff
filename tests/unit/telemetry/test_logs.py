"""The form of a log line, and the values that never get into one."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
import timeit
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn
from uuid import UUID

import pytest
import structlog

from notify.errors import ProviderError, StoreError
from notify.message import Channel, Content
from notify.telemetry.logs import FORBIDDEN, HIDDEN, configure

CANARY = "jane.canary@example.com"


@pytest.fixture
def stream() -> io.StringIO:
    """Log as JSON from `info` up, into this stream."""
    out = io.StringIO()
    configure(level="info", format="json", stream=out)
    return out


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    """Return the logged objects."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def fail(error: Exception) -> NoReturn:
    """Raise the error."""
    raise error


def test_a_line_is_one_json_object_with_a_utc_time(stream: io.StringIO) -> None:
    """Time, level and event come first, then the fields of the call in their order."""
    structlog.get_logger().info("notify.sent", provider="sendgrid", attempt=2)
    (line,) = lines(stream)
    assert list(line) == ["timestamp", "level", "event", "provider", "attempt"]
    assert datetime.fromisoformat(line["timestamp"]).utcoffset() == timedelta(0)
    assert line["level"] == "info"


def test_a_lower_level_is_not_logged_and_costs_next_to_nothing(stream: io.StringIO) -> None:
    """A disabled call stays under 5 microseconds even on a busy machine (0.8 on a quiet one)."""
    log = structlog.get_logger()
    runs = [timeit.timeit(lambda: log.debug("x.y", a=1, b=2), number=1000) for _ in range(20)]
    assert lines(stream) == []
    assert min(runs) / 1000 < 5e-6


@pytest.mark.parametrize("name", sorted(FORBIDDEN))
def test_a_forbidden_field_is_hidden_wherever_it_stands(stream: io.StringIO, name: str) -> None:
    """At the top, in any case of letters, and inside tables and lists."""
    fields: dict[str, Any] = {name: CANARY, name.upper(): CANARY}
    structlog.get_logger().info("notify.sent", seen=[{"deep": {name: CANARY}}], **fields)
    assert CANARY not in stream.getvalue()
    assert lines(stream)[0][name] == HIDDEN


def test_an_object_is_named_and_not_shown(stream: io.StringIO) -> None:
    """A value that holds a recipient does not print it; plain values are written as text."""
    values = {
        "message": Content(text=CANARY),
        "raw": CANARY.encode(),
        "error": ValueError(CANARY),
        "id": UUID(int=1),
        "channel": Channel.SMS,
        "file": Path("a/b"),
        "none": None,
    }
    structlog.get_logger().info("notify.sent", **values)
    (line,) = lines(stream)
    assert CANARY not in stream.getvalue()
    assert (line["message"], line["raw"], line["error"]) == ("<Content>", "<bytes>", "ValueError")
    assert (line["id"], line["channel"], line["file"]) == (str(UUID(int=1)), "sms", "a/b")


def test_an_exception_is_logged_with_type_and_place_without_its_text(stream: io.StringIO) -> None:
    """A library's error may quote the recipient; frames carry no local variables."""
    try:
        try:
            int(CANARY)
        except ValueError as error:
            raise RuntimeError(CANARY) from error
    except RuntimeError:
        structlog.get_logger().exception("worker.broke")
    (line,) = lines(stream)
    assert CANARY not in stream.getvalue()
    here = "test_an_exception_is_logged_with_type_and_place_without_its_text"
    assert line["exception"]["type"] == "RuntimeError"
    assert line["exception"]["frames"][0].startswith(f"{__name__}:")
    assert line["exception"]["frames"][0].endswith(here)
    assert line["exception"]["cause"]["type"] == "ValueError"


def test_our_own_error_keeps_its_text(stream: io.StringIO) -> None:
    """Its text is written by us, without personal data; a hidden cause stays hidden."""
    try:
        try:
            int(CANARY)
        except ValueError:
            raise StoreError("the store is locked") from None
    except StoreError as error:
        structlog.get_logger().error("store.away", exc_info=error)
    (line,) = lines(stream)
    assert line["exception"]["type"] == "notify.errors.StoreError"
    assert line["exception"]["message"] == "the store is locked"
    assert "cause" not in line["exception"]


def test_our_own_error_as_a_field_keeps_its_text(stream: io.StringIO) -> None:
    """`reason=error` is the short form, without frames."""
    error = ProviderError("status 503", provider="sendgrid", status=503)
    structlog.get_logger().warning("notify.failed", reason=error)
    assert lines(stream)[0]["reason"] == "notify.errors.ProviderError: status 503"


def test_an_endless_chain_of_causes_is_cut(stream: io.StringIO) -> None:
    """A loop of causes does not hang the log."""
    one, two = ValueError("1"), ValueError("2")
    one.__cause__, two.__cause__ = two, one
    structlog.get_logger().error("worker.broke", exc_info=one)
    assert stream.getvalue().count("ValueError") == 5


def test_the_console_is_readable(stream: io.StringIO) -> None:
    """One line an event, an exception below it, no colours where there is no terminal."""
    configure(level="info", format="console", stream=stream)
    try:
        fail(StoreError("locked"))
    except StoreError:
        structlog.get_logger().exception("store.away", to=CANARY)
    first, second, *_ = stream.getvalue().splitlines()
    assert "[error    ] store.away" in first
    assert second == "notify.errors.StoreError: locked"
    assert "\x1b" not in stream.getvalue()
    assert CANARY not in stream.getvalue()


def test_libraries_log_from_warnings_up_in_the_same_form(stream: io.StringIO) -> None:
    """Their sentence is filled with plain words and numbers; the rest is hidden."""
    log = logging.getLogger("celery.worker")
    log.info("started")
    log.warning("queue %s has %d messages, %r", "notify.sms.bulk", 3, OSError(CANARY))
    log.error("task %(name)s got %(args)r", {"name": "notify.deliver", "args": [CANARY]})
    log.error("cannot decode %r", f'{{"to": "{CANARY}"}}')
    log.error(f"sent to {CANARY}")  # noqa: G004 - what a careless library does
    log.error("waited %d s", Decimal(3))
    said = [(line["library"], line["level"], line["said"]) for line in lines(stream)]
    assert said == [
        ("celery.worker", "warning", "queue notify.sms.bulk has 3 messages, 'OSError'"),
        ("celery.worker", "error", "task notify.deliver got '[hidden]'"),
        ("celery.worker", "error", "cannot decode '[hidden]'"),
        ("celery.worker", "error", HIDDEN),
        ("celery.worker", "error", "waited %d s"),
    ]
    assert CANARY not in stream.getvalue()


def test_a_librarys_exception_is_logged_without_its_text(stream: io.StringIO) -> None:
    """`exc_info` of a library is treated like the service's own."""
    try:
        fail(ValueError(CANARY))
    except ValueError:
        logging.getLogger("kombu").exception("connection lost")
    (line,) = lines(stream)
    assert line["exception"]["type"] == "ValueError"
    assert CANARY not in stream.getvalue()


@pytest.mark.parametrize("name", ["python_http_client.client", "twilio.http_client", "urllib3"])
def test_debug_logs_of_http_libraries_stay_silent(name: str) -> None:
    """They would show keys and bodies, even when the service itself logs at debug."""
    out = io.StringIO()
    configure(level="debug", stream=out)
    logging.getLogger(name).debug("Authorization: Bearer %s", "SG.key")
    logging.getLogger(name).info("Authorization: Bearer %s", "SG.key")
    structlog.get_logger().debug("service.ready")
    assert [line["event"] for line in lines(out)] == ["service.ready"]


def test_a_library_that_sets_its_own_level_stays_silent_too(stream: io.StringIO) -> None:
    """Below warnings nothing of a library passes, whatever its logger says."""
    log = logging.getLogger("twilio.http_client")
    log.setLevel(logging.DEBUG)
    try:
        log.info("Body: %s", "plain")
    finally:
        log.setLevel(logging.NOTSET)
    assert stream.getvalue() == ""


def test_configuring_again_does_not_double_the_lines() -> None:
    """The bridge from the libraries is installed once."""
    out = io.StringIO()
    configure(stream=out)
    configure(stream=out)
    logging.getLogger("kombu").warning("once")
    assert len(lines(out)) == 1


def test_logs_go_to_stderr_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output is for the output of commands."""
    configure(stream=sys.stderr)
    structlog.get_logger().info("service.ready")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert json.loads(captured.err)["event"] == "service.ready"


def test_lines_of_many_threads_do_not_mix(stream: io.StringIO) -> None:
    """Each line is whole."""
    log = structlog.get_logger()

    def _log() -> None:
        for number in range(200):
            log.info("notify.sent", number=number, filler="x" * 200)

    threads = [threading.Thread(target=_log) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(lines(stream)) == 1600
