"""The meaning of an answer, by its status and its Retry-After."""

from __future__ import annotations

from notify.errors import (
    OutcomeUnknown,
    PermanentError,
    ProviderError,
    Throttled,
    TransientError,
    Unauthorized,
)
from providers._shared.answer import Answer
from providers._shared.plain_answer import Headers
from providers._shared.verdict import LONGEST_WAIT, failure, retry_after
from tests.support.tables import each_of

NOW = 1_800_000_000.0


@each_of(
    ("status", "genuine", "foreign"),
    [
        (200, OutcomeUnknown, OutcomeUnknown),
        (301, TransientError, TransientError),
        (302, OutcomeUnknown, OutcomeUnknown),
        (303, OutcomeUnknown, OutcomeUnknown),
        (308, TransientError, TransientError),
        (400, PermanentError, TransientError),
        (401, Unauthorized, Unauthorized),
        (402, Unauthorized, TransientError),
        (403, Unauthorized, TransientError),
        (404, TransientError, TransientError),
        (405, TransientError, TransientError),
        (406, TransientError, TransientError),
        (408, TransientError, TransientError),
        (413, PermanentError, PermanentError),
        (415, TransientError, TransientError),
        (422, PermanentError, TransientError),
        (429, Throttled, Throttled),
        (500, OutcomeUnknown, OutcomeUnknown),
        (502, OutcomeUnknown, OutcomeUnknown),
        (503, TransientError, OutcomeUnknown),
        (504, OutcomeUnknown, OutcomeUnknown),
        (599, OutcomeUnknown, OutcomeUnknown),
    ],
)
def test_a_status_means_what_it_proves(
    status: int, genuine: type[ProviderError], foreign: type[ProviderError]
) -> None:
    """The same status proves more in the vendor's own form than from a proxy."""
    answer = Answer(status, Headers({}), b"")
    assert type(failure("acme", answer, genuine=True, now=NOW)) is genuine
    assert type(failure("acme", answer, genuine=False, now=NOW)) is foreign


def test_an_error_names_provider_status_and_code() -> None:
    """The values that an operator needs to look it up, in the text and as attributes."""
    answer = Answer(429, Headers({}), b"")
    error = failure("acme", answer, genuine=True, now=NOW, code="20429")
    assert str(error) == "acme asks to slow down (HTTP 429, 20429)"
    assert (error.provider, error.status, error.code) == ("acme", 429, "20429")


@each_of(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("0", 0.0),
        ("120", 120.0),
        ("-1", None),
        ("1.5", None),
        ("²", None),
        ("soon", None),
        ("9" * 30, LONGEST_WAIT),
        ("9" * 5000, None),
        ("Fri, 15 Jan 2027 08:00:30 GMT", 30.0),
        ("Fri, 15 Jan 2027 08:00:30 -0000", 30.0),
        ("Fri, 15 Jan 2027 07:59:00 GMT", 0.0),
        ("Fri, 15 Jan 9999 07:59:00 GMT", LONGEST_WAIT),
        ("Fri, 99 Jan 2027 07:59:00 GMT", None),
    ],
)
def test_retry_after_is_believed_within_reason(value: str | None, seconds: float | None) -> None:
    """Seconds or a date, never in the past nor for ever; what is neither is ignored."""
    assert retry_after(value, now=NOW) == seconds
