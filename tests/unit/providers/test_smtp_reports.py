"""Mail that comes back: which call it proves, what it reports, and what it must not do."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notify.errors import ConfigError
from notify.receipt import Blame, DeliveryReceipt, Forged, Posted, ReceiptEvent, Unreadable
from providers.smtp import SmtpReports
from providers.smtp.return_path import BounceKey
from tests.support.examples import examples
from tests.support.tables import each_of

KEY = "k" * 40
ATTEMPT = UUID("0193a5c0-0000-7000-8000-000000000001")
TO = "Ann@example.org"
TOKEN = BounceKey(KEY).token(ATTEMPT, TO)
READER = SmtpReports(public_url="", bounce_keys=KEY)

# As Postfix writes it; shortened.
DSN = """\
Return-Path: <>
Date: Mon, 30 Nov 2026 03:00:05 +0000 (UTC)
From: MAILER-DAEMON@relay.example.com
Subject: Undelivered Mail Returned to Sender
To: bounces+{token}@bounces.example.com
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="4XyZ.1/relay.example.com"

--4XyZ.1/relay.example.com
Content-Type: text/plain; charset=us-ascii

This is the mail system at host relay.example.com.

--4XyZ.1/relay.example.com
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; relay.example.com
X-Postfix-Queue-ID: 4XyZ
Arrival-Date: Mon, 30 Nov 2026 03:00:00 +0000 (UTC)

Final-Recipient: rfc822; {final}
{original}Action: {action}
Status: {status}
Remote-MTA: dns; mx.example.org
Diagnostic-Code: smtp; {diagnostic}

--4XyZ.1/relay.example.com
Content-Description: Undelivered Message Headers
Content-Type: text/rfc822-headers

To: {to}
Subject: canary

--4XyZ.1/relay.example.com--
"""

ARF = """\
From: <abuse@mailbox.example>
Date: Thu, 8 Mar 2027 17:40:36 EDT
To: <fbl@bounces.example.com>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="part"

--part
Content-Type: text/plain; charset="US-ASCII"

This is an email abuse report.

--part
Content-Type: message/feedback-report

Feedback-Type: {kind}
User-Agent: SomeGenerator/1.0
Version: 1
{recipient}Received-Date: Thu, 8 Mar 2027 14:00:00 +0000

--part
Content-Type: message/rfc822
Content-Disposition: inline

From: <no-reply@example.com>
To: {to}
Message-ID: <{token}@example.com>
Subject: canary

canary
--part--
"""


def dsn(**fields: str) -> Posted:
    """A report of delivery."""
    usual = {"token": TOKEN, "final": TO, "original": "", "action": "failed", "to": TO}
    others = {"status": "5.1.1", "diagnostic": "550 5.1.1 <Ann@example.org>: unknown"}
    return Posted("", {}, DSN.format(**{**usual, **others, **fields}).encode())


def arf(**fields: str) -> Posted:
    """A complaint."""
    usual = {"token": TOKEN, "kind": "abuse", "recipient": "", "to": TO}
    return Posted("", {}, ARF.format(**{**usual, **fields}).encode())


def read(posted: Posted) -> DeliveryReceipt:
    """The one receipt of a message."""
    READER.verify(posted)
    (receipt,) = READER.read(posted).receipts
    return receipt


def test_a_bounce_names_its_call_and_recipient() -> None:
    """The report of a server that we have never spoken to."""
    assert read(dsn()) == DeliveryReceipt(
        event=ReceiptEvent.BOUNCED,
        word="failed",
        attempt_id=ATTEMPT,
        recipient=TO,
        at=datetime(2026, 11, 30, 3, 0, tzinfo=UTC),
        blame=Blame.RECIPIENT,
        code="5.1.1",
    )


@each_of(
    ("fields", "event", "blame", "code"),
    [
        ({"action": "delayed", "status": "4.4.1"}, "deferred", Blame.MOMENT, "4.4.1"),
        ({"action": "delivered", "status": "2.0.0", "diagnostic": ""}, "delivered", None, "2.0.0"),
        ({"action": "relayed", "status": "2.0.0", "diagnostic": ""}, "accepted", None, "2.0.0"),
        ({"status": "5.7.26", "diagnostic": ""}, "bounced", Blame.SENDER, "5.7.26"),
        ({"status": "5.2.2", "diagnostic": ""}, "bounced", Blame.MOMENT, "5.2.2"),
        ({"status": "5.6.3", "diagnostic": ""}, "bounced", Blame.MESSAGE, "5.6.3"),
        ({"status": "4.4.7", "diagnostic": ""}, "bounced", Blame.MOMENT, "4.4.7"),
        ({"status": "5.0.0"}, "bounced", Blame.RECIPIENT, "5.1.1"),
        ({"status": "5.0.0", "diagnostic": "550 no"}, "bounced", Blame.MOMENT, "5.0.0"),
        ({"status": "canary", "diagnostic": "canary"}, "bounced", Blame.MOMENT, None),
    ],
)
def test_a_report_is_mapped_by_its_action_and_code(
    fields: dict[str, str], event: str, blame: Blame | None, code: str | None
) -> None:
    """The receiving server's own code counts where the relay's is a general one."""
    receipt = read(dsn(**fields))
    assert (receipt.event, receipt.blame, receipt.code) == (event, blame, code)
    assert "canary" not in repr(receipt)


def test_a_bounce_behind_a_forward_suppresses_nothing() -> None:
    """Ann's address works; the one to which she forwards does not exist."""
    receipt = read(dsn(final="ann@elsewhere.example"))
    assert (receipt.blame, receipt.recipient) == (Blame.MOMENT, "")
    original = f"Original-Recipient: rfc822; {TO.lower()}\n"
    receipt = read(dsn(final="ann@elsewhere.example", original=original))
    assert (receipt.blame, receipt.recipient) == (Blame.RECIPIENT, TO.lower())


def test_a_report_can_name_no_other_recipient() -> None:
    """A person who got one mail cannot have another address suppressed with it."""
    for posted in (
        dsn(final="victim@example.org", original="Original-Recipient: rfc822; victim@a.org\n"),
        arf(to="victim@example.org", recipient="Original-Rcpt-To: victim@example.org\n"),
    ):
        assert read(posted).recipient == ""


@pytest.mark.parametrize(
    "token",
    ["", TOKEN[:-1] + "aa", TOKEN[1:], "0" * 32 + TOKEN[32:], TOKEN[:32] + "a" * 18],
)
def test_a_report_without_a_token_of_ours_is_forged(token: str) -> None:
    """Anyone can write to a return path."""
    for posted in (dsn(token=token), arf(token=token)):
        with pytest.raises(Forged):
            READER.verify(posted)


def test_a_token_of_another_key_counts_only_while_that_key_is_configured() -> None:
    """Both are valid while a key is replaced."""
    old, new = "o" * 32, "n" * 32
    posted = dsn(token=BounceKey(old).token(ATTEMPT, TO).upper())
    with pytest.raises(Forged):
        SmtpReports(public_url="", bounce_keys=new).verify(posted)
    SmtpReports(public_url="", bounce_keys=f"{new},{old}").verify(posted)
    for keys in ("short", "", "two words " * 10):
        with pytest.raises(ConfigError):
            SmtpReports(public_url="", bounce_keys=keys)


@pytest.mark.parametrize(
    ("kind", "event"),
    [("abuse", "complained"), ("fraud", "complained"), ("opt-out", "opted_out")],
)
def test_a_complaint_is_matched_by_the_message_id(kind: str, event: str) -> None:
    """It is sent to the address of the feedback loop, and quotes the message."""
    receipt = read(arf(kind=kind))
    assert (receipt.event, receipt.attempt_id, receipt.recipient) == (event, ATTEMPT, TO)
    assert receipt.at == datetime(2027, 3, 8, 14, tzinfo=UTC)
    redacted = read(arf(kind=kind, to="redacted@mailbox.example"))
    assert (redacted.attempt_id, redacted.recipient) == (ATTEMPT, "")


def test_what_is_no_report_changes_nothing() -> None:
    """An answer of an absent recipient, a withdrawn complaint, another action."""
    reply = f"To: bounces+{TOKEN}@b.example\nAuto-Submitted: auto-replied\n\nI am away. 5.1.1"
    for posted in (Posted("", {}, reply.encode()), arf(kind="not-spam"), dsn(action="canary")):
        READER.verify(posted)
        report = READER.read(posted)
        assert (list(report.receipts), report.ignored) == ([], 1)


def test_a_long_report_is_read_to_a_limit() -> None:
    """Hundreds of recipients behind a list, or parts within parts."""
    group = "\nFinal-Recipient: rfc822; a@b.example\nAction: failed\nStatus: 5.1.1\n"
    many = dsn(diagnostic="550 5.1.1 x\n" + group * 500)
    assert len(READER.read(many).receipts) == 10
    nested = "".join(f"Content-Type: multipart/mixed; boundary={n}\n\n--{n}\n" for n in range(5000))
    with suppress(Unreadable):
        assert READER.read(Posted("", {}, f"X: {TOKEN}\n{nested}".encode())).receipts == []


@settings(max_examples=examples(30), deadline=None)
@given(st.binary(max_size=300), st.integers(0, len(DSN)))
def test_no_message_breaks_the_reader(noise: bytes, at: int) -> None:
    """Whatever a stranger sends, it is forged, unreadable, or a report."""
    whole = dsn().body
    posted = Posted("", {}, whole[:at] + noise + whole[at:])
    with suppress(Forged, Unreadable):
        READER.verify(posted)
        READER.read(posted)


def test_tokens_differ_by_call_and_by_recipient() -> None:
    """Neither can be computed from the other."""
    key = BounceKey("k" * 32)
    tokens = {key.token(attempt, to) for attempt in (ATTEMPT, uuid4()) for to in ("a@b", "c@d")}
    assert len(tokens) == 4
    assert all(len(each) == 50 and each.isalnum() and each.islower() for each in tokens)
