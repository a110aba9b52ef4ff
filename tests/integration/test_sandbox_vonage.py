"""Vonage in the sandbox: our provider is answered, and our reader verifies what is posted."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

import pytest

from notify.errors import (
    InvalidRecipient,
    OutcomeUnknown,
    ProviderError,
    Throttled,
    TransientError,
    Unauthorized,
)
from notify.message import Rendered
from notify.receipt import Blame, DeliveryReceipt, Forged, Posted, ReceiptEvent
from notify.sandbox import Effect, ReceiptFault, ReceiptOptions, Sandbox, Vendor
from notify.settings import LONGEST_TIMEOUT
from providers.vonage import Vonage, VonageReceipts
from tests.support.rig import until

MUTE = "+15005553200"
"""The sandbox accepts a message to it, and does not answer."""
SECRET = "sandbox-secret"
SMS = Rendered(notification_id=uuid4(), attempt_id=uuid4(), to="+4915112345678", text="Hi & = you")


@dataclass
class Intake:
    """Verifies and reads what the sandbox posts."""

    url: str = ""
    receipts: list[DeliveryReceipt] = field(default_factory=list)
    forged: int = 0

    def wait(self, count: int) -> list[DeliveryReceipt]:
        """Return the receipts, once there are so many."""
        until(lambda: len(self.receipts) >= count, found=lambda: self.receipts)
        return self.receipts


@pytest.fixture
def intake() -> Iterator[Intake]:
    """A server that reads receipts with our reader."""
    found = Intake()
    reader = VonageReceipts(public_url="https://n.example.com", signature_secrets=SECRET)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            posted = Posted(query="", headers={}, body=body)
            try:
                reader.verify(posted)
                found.receipts += reader.read(posted).receipts
            except Forged:
                found.forged += 1
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def sandbox(intake: Intake) -> Iterator[Sandbox]:
    """A sandbox that posts to the intake."""
    with Sandbox.start(receipts=ReceiptOptions(f"{intake.url}/receipts")) as running:
        yield running


def provider(sandbox: Sandbox, intake: Intake, **options: Any) -> Vonage:
    """Return our provider for the sandbox."""
    own = {"api_key": "abcd1234", "api_secret": SECRET, "sender": "+15005550006"}
    own |= {"base_url": sandbox.url, "callback": f"{intake.url}/receipts/vonage"}
    return Vonage(**{**own, "timeout": LONGEST_TIMEOUT, **options})


@pytest.mark.parametrize(
    ("to", "kind", "did"),
    [
        ("+15005551100", InvalidRecipient, Effect.REFUSED),
        ("+15005551300", Unauthorized, Effect.REFUSED),
        ("+15005552000", Throttled, Effect.REFUSED),
        ("+15005552100", TransientError, Effect.NOTHING),
        ("+15005552300", OutcomeUnknown, Effect.REFUSED),
        ("+15005552400", OutcomeUnknown, Effect.NOTHING),
        ("+15005552500", OutcomeUnknown, Effect.NOTHING),
        (MUTE, OutcomeUnknown, Effect.ACCEPTED),
        ("+15005553300", OutcomeUnknown, Effect.NOTHING),
    ],
)
def test_reserved_numbers_play_their_part(
    sandbox: Sandbox, intake: Intake, to: str, kind: type[ProviderError], did: Effect
) -> None:
    """The same numbers as at Twilio, in Vonage's words."""
    # Only this one is decided by a timeout, however late the sandbox reads the request.
    timeout = 0.5 if to == MUTE else LONGEST_TIMEOUT
    with (
        closing(provider(sandbox, intake, timeout=timeout)) as vonage,
        pytest.raises(ProviderError) as caught,
    ):
        vonage.send(replace(SMS, to=to))
    assert type(caught.value) is kind
    until(lambda: len(sandbox.ledger.entries()) == 1)
    (entry,) = sandbox.ledger.entries()
    assert (entry.vendor, entry.did) == (Vendor.VONAGE, did)


def test_an_sms_is_in_the_inbox_and_its_receipts_are_signed(
    sandbox: Sandbox, intake: Intake
) -> None:
    """With our ids, and the sender to which an opt-out is limited."""
    with closing(provider(sandbox, intake)) as vonage:
        identity = vonage.send(SMS).provider_id
        vonage.check()
    (message,) = sandbox.messages(to=SMS.to)
    assert (message.text, message.sender) == ("Hi & = you", "15005550006")
    accepted, delivered = intake.wait(2)
    assert (accepted.event, delivered.event) == (ReceiptEvent.ACCEPTED, ReceiptEvent.DELIVERED)
    assert (delivered.attempt_id, delivered.provider_id) == (SMS.attempt_id, identity)
    assert (delivered.recipient, intake.forged) == (SMS.to, 0)


def test_fates_after_delivery_are_told_as_vonage_tells_them(
    sandbox: Sandbox, intake: Intake
) -> None:
    """A number that is gone, an opt-out by error 9, and a reply of STOP."""
    with closing(provider(sandbox, intake)) as vonage:
        for to in ("+15005551000", "+15005551200", "+15005551700"):
            vonage.send(replace(SMS, to=to))
    found = {(each.recipient, each.event): each for each in intake.wait(7)}
    gone = found["+15005551000", ReceiptEvent.BOUNCED]
    assert (gone.blame, gone.code) == (Blame.RECIPIENT, "3")
    for number in ("+15005551200", "+15005551700"):
        assert found[number, ReceiptEvent.OPTED_OUT].scope == "15005550006"


def test_a_forged_receipt_is_refused(sandbox: Sandbox, intake: Intake) -> None:
    """The sandbox signs it with another secret."""
    sandbox.switch.set([Vendor.VONAGE], receipts=ReceiptFault.FORGED)
    with closing(provider(sandbox, intake)) as vonage:
        vonage.send(SMS)
    until(lambda: intake.forged >= 2)
    assert intake.receipts == []
