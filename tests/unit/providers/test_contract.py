"""The contract that every provider keeps, with a real server in the vendor's place."""

from __future__ import annotations

import logging
import socket
import traceback
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest

from notify.errors import (
    InvalidRecipient,
    OutcomeUnknown,
    PermanentError,
    ProviderError,
    Throttled,
    TransientError,
    Unauthorized,
)
from notify.provider import Provider
from tests.support.rig import until
from tests.support.vendor import Reply, Vendor, hang, hang_up, reset, say, then_close
from tests.unit.providers.calling import Hurry
from tests.unit.providers.dialects import (
    ALL,
    MESSAGE,
    OVER_HTTP,
    Dialect,
    Relaying,
    Remembering,
    token,
)
from tests.unit.providers.dialects.apns import OverHttp2

AnyDialect = Dialect | Relaying | Remembering

CANARIES = ("canary", "nary-")
HTML = b"<html><body>canary</body></html>"

over_http = pytest.mark.parametrize("dialect", OVER_HTTP, ids=lambda dialect: dialect.name)
# nghttpx, which stands before a vendor over HTTP/2, may use a closed connection of its own again;
# what the provider itself does is tested in test_apns_http2.py.
over_http1 = pytest.mark.parametrize(
    "dialect",
    [each for each in OVER_HTTP if not isinstance(each, OverHttp2)],
    ids=lambda dialect: dialect.name,
)
over_all = pytest.mark.parametrize("dialect", ALL, ids=lambda dialect: dialect.name)


def failure(provider: Provider) -> ProviderError:
    """The error of one send; it must not be another's, nor tell what is private."""
    with pytest.raises(ProviderError) as caught:
        provider.send(MESSAGE)
    error = caught.value
    told = [str(error), repr(error), repr(provider), str(error.code)]
    told += traceback.format_exception(error, limit=0)
    assert not any(canary in text for text in told for canary in CANARIES), told
    assert error.provider in str(error)
    return error


def broken(dialect: Dialect, vendor: Vendor, reply: Reply) -> ProviderError:
    """The error of a send that is answered so."""
    provider = dialect.build(vendor, "accepted")
    vendor.on(dialect.path, reply)
    error = failure(provider)
    provider.close()
    return error


@over_all
def test_an_accepted_message_gives_a_receipt(dialect: AnyDialect, vendor: Vendor) -> None:
    """The receipt carries the vendor's own id, and the class its channel."""
    provider = dialect.build(vendor, "accepted")
    assert provider.send(MESSAGE).provider_id in ("id-1", f"memory-{MESSAGE.attempt_id}")
    assert type(provider).channel == dialect.channel
    provider.close()


@over_all
@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("transient", TransientError),
        ("throttled", Throttled),
        ("unauthorized", Unauthorized),
        ("permanent", PermanentError),
        ("invalid", InvalidRecipient),
        ("unknown", OutcomeUnknown),
    ],
)
def test_a_refusal_has_one_meaning_for_every_vendor(
    dialect: AnyDialect, vendor: Vendor, word: str, kind: type[ProviderError]
) -> None:
    """A vendor's answer in its own form becomes exactly one branch of the tree."""
    provider = dialect.build(vendor, word)
    refused = type(failure(provider))
    # Some vendors say more about an invalid recipient.
    assert refused is kind or (kind is InvalidRecipient and issubclass(refused, kind))
    provider.close()


@over_http
def test_a_vendor_that_cannot_be_reached_got_nothing(dialect: Dialect, vendor: Vendor) -> None:
    """A refused connection is a certain failure, whichever host refuses."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        nowhere = f"http://127.0.0.1:{free.getsockname()[1]}"
    provider = dialect.make(base_url=nowhere)
    assert type(failure(provider)) is TransientError
    assert vendor.seen == []


@over_http
def test_retry_after_counts_seconds(dialect: Dialect, vendor: Vendor) -> None:
    """The vendor's number is handed on."""
    provider = dialect.build(vendor, "throttled", {"Retry-After": "7"})
    assert failure(provider).retry_after == 7.0
    provider.close()


@over_http
def test_retry_after_may_be_a_date(dialect: Dialect, vendor: Vendor) -> None:
    """A date is told as seconds from now."""
    now = datetime(2026, 11, 20, 12, 0, tzinfo=UTC).timestamp()
    date = format_datetime(datetime(2026, 11, 20, 12, 0, 30, tzinfo=UTC), usegmt=True)
    provider = dialect.build(vendor, "throttled", {"Retry-After": date}, clock=lambda: now)
    assert failure(provider).retry_after == 30.0
    provider.close()


@over_http
@pytest.mark.parametrize("status", [200, 201, 202, 302, 500, 502, 503, 504])
def test_an_answer_that_is_not_the_vendors_leaves_the_outcome_unknown(
    dialect: Dialect, vendor: Vendor, status: int
) -> None:
    """A proxy's page says nothing about what the vendor did, whatever its status."""
    assert type(broken(dialect, vendor, say(status, HTML))) is OutcomeUnknown


@over_http
@pytest.mark.parametrize("status", [400, 403, 404, 408, 301, 308])
def test_a_refusal_that_is_not_the_vendors_rejects_no_message(
    dialect: Dialect, vendor: Vendor, status: int
) -> None:
    """It was not sent, but only the vendor itself may call a message hopeless."""
    assert type(broken(dialect, vendor, say(status, HTML))) is TransientError


@over_http
@pytest.mark.parametrize("body", [b"{", b"[]", b"[" * 60_000, b'{"errors": 1}', b"\xff", b"null"])
def test_an_answer_in_broken_json_is_no_answer(
    dialect: Dialect, vendor: Vendor, body: bytes
) -> None:
    """Not even with the status of success: the outcome is unknown and nothing else breaks."""
    reply = say(dialect.accepts, body)
    assert type(broken(dialect, vendor, reply)) is OutcomeUnknown


@over_http
@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(hang, id="hang"),
        pytest.param(reset, id="reset"),
        pytest.param(hang_up, id="hang-up"),
        pytest.param(say(202, b"x" * 1_000_000), id="huge"),
    ],
)
def test_a_lost_answer_leaves_the_outcome_unknown_in_bounded_time(
    dialect: Dialect, vendor: Vendor, reply: Reply, hurry: Hurry
) -> None:
    """The request left, so the message may have been sent; the caller waits no longer for it."""
    provider = dialect.build(vendor, "accepted", timeout=10.0)
    provider.send(MESSAGE)
    vendor.on(dialect.path, reply)
    if reply is hang:
        # The vendor is silent until the test ends: without a bound, so is the provider.
        hurry(9.7)
    assert type(failure(provider)) is OutcomeUnknown
    # On a busy machine the vendor reads it later than the provider gives up.
    until(lambda: [seen.path for seen in vendor.seen].count(dialect.path) == 2)
    provider.close()


@over_http
def test_our_ids_travel_with_the_message(dialect: Dialect, vendor: Vendor) -> None:
    """The vendor's later reports can be matched to the attempt."""
    provider = dialect.build(vendor, "accepted")
    provider.send(MESSAGE)
    assert dialect.ids(vendor.seen[-1]) == (str(MESSAGE.notification_id), str(MESSAGE.attempt_id))
    provider.close()


@over_http
def test_one_connection_serves_many_messages(dialect: Dialect, vendor: Vendor) -> None:
    """Of a thousand none leaks one: one for the messages, and one for a token if there is one."""
    provider = dialect.build(vendor, "accepted")
    for _ in range(1000):
        provider.send(MESSAGE)
    assert vendor.connections == dialect.connections
    provider.close()
    # A proxy keeps its own connection to the vendor.
    vendor.closing.close()
    assert vendor.wait_for_no_connection()


@over_http1
def test_a_connection_that_the_vendor_closed_is_not_used_again(
    dialect: Dialect, vendor: Vendor
) -> None:
    """A vendor that closes idle connections costs no message."""
    provider = dialect.build(vendor, "accepted")
    for path, reply in ((dialect.path, dialect.words["accepted"]({})), ("/token", token("t"))):
        vendor.on(path, then_close(reply))
    for _ in range(3):
        provider.send(MESSAGE)
        assert vendor.wait_for_no_connection()
    provider.close()


@over_all
def test_sixteen_threads_send_at_once(dialect: AnyDialect, vendor: Vendor) -> None:
    """Every message gets its own answer."""
    provider = dialect.build(vendor, "accepted")
    with ThreadPoolExecutor(16) as threads:
        receipts = list(threads.map(provider.send, [MESSAGE] * 64))
    assert len(receipts) == 64
    assert vendor.connections <= 17
    assert len(vendor.seen) in (0, 64, 65)
    provider.close()


@over_http
@pytest.mark.parametrize("word", ["accepted", "invalid", "unauthorized"])
def test_nothing_private_reaches_a_log(
    dialect: Dialect, vendor: Vendor, word: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Not even at the level that the libraries use to tell everything."""
    caplog.set_level(logging.DEBUG)
    provider = dialect.build(vendor, word)
    if word == "accepted":
        provider.send(MESSAGE)
    else:
        failure(provider)
    assert "canary" not in caplog.text
    provider.close()
