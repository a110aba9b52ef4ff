"""Providers against WireMock: answers that are cut off, malformed or late, and a recovery."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from notify.errors import OutcomeUnknown, ProviderError, Throttled, TransientError
from tests.support.wiremock import WireMock, wiremock
from tests.unit.providers.dialects import (
    MESSAGE,
    SENDGRID,
    SES,
    TWILIO,
    VONAGE,
    WEBPUSH,
    Dialect,
)

FAULTS = (
    "EMPTY_RESPONSE",
    "MALFORMED_RESPONSE_CHUNK",
    "RANDOM_DATA_THEN_CLOSE",
    "CONNECTION_RESET_BY_PEER",
)
OVER_HTTP_1 = (SENDGRID, SES, TWILIO, VONAGE, WEBPUSH)

over_http_1 = pytest.mark.parametrize("dialect", OVER_HTTP_1, ids=lambda dialect: dialect.name)


@pytest.fixture(scope="module")
def server() -> Iterator[WireMock]:
    """One server for all tests: it takes seconds to start."""
    with wiremock() as server:
        yield server


def failure(dialect: Dialect, server: WireMock, *answers: Any, **options: Any) -> ProviderError:
    """The error of one send."""
    server.on(dialect.path, *answers)
    provider = dialect.make(base_url=server.url, **options)
    with pytest.raises(ProviderError) as caught:
        provider.send(MESSAGE)
    provider.close()
    assert "canary" not in f"{caught.value!r}"
    return caught.value


@over_http_1
@pytest.mark.parametrize("fault", FAULTS)
def test_an_answer_that_is_cut_off_or_malformed_is_unknown(
    server: WireMock, dialect: Dialect, fault: str
) -> None:
    """WireMock has read the request: whether it acted on it, nothing in the answer says."""
    error = failure(dialect, server, {"status": dialect.accepts, "fault": fault})
    assert type(error) is OutcomeUnknown
    assert len(server.seen()) == 1


@over_http_1
def test_an_answer_that_trickles_is_bounded(server: WireMock, dialect: Dialect) -> None:
    """Chunks over a minute end with the call's timeout."""
    slow = {"numberOfChunks": 60, "totalDuration": 60_000}
    answer = {"status": dialect.accepts, "body": "x" * 600, "chunkedDribbleDelay": slow}
    assert type(failure(dialect, server, answer, timeout=0.5)) is OutcomeUnknown


def test_a_vendor_recovers(server: WireMock) -> None:
    """503, then 429 with its pause, then accepted: in that order, over kept connections."""
    body = '{"errors": [{"message": "x", "field": null}]}'
    server.on(
        SENDGRID.path,
        {"status": 503, "body": body},
        {"status": 429, "body": body, "headers": {"Retry-After": "7"}},
        {"status": 202, "headers": {"X-Message-Id": "id-1"}},
    )
    provider = SENDGRID.make(base_url=server.url)
    with pytest.raises(TransientError) as down:
        provider.send(MESSAGE)
    with pytest.raises(Throttled) as busy:
        provider.send(MESSAGE)
    assert (type(down.value), busy.value.retry_after) == (TransientError, 7.0)
    assert provider.send(MESSAGE).provider_id == "id-1"
    provider.close()
