"""SendGrid fails: an SMTP relay takes over, hands back, and mails no recipient SendGrid refuses."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

from sqlalchemy import func, select

from notify.contract import ReceiptMessage
from notify.message import Channel, Status
from notify.publisher import Outgoing, Publisher
from notify.receipt import Blame, DeliveryReceipt, ReceiptEvent
from notify.receipts.intake import outgoing
from notify.sandbox import Behaviour
from notify.store.tables import suppressions
from notify.topology import routing_key
from tests.faults.ledgers import Recorded, Seen
from tests.faults.load import LANE, SOURCE
from tests.faults.stage import Stage, until
from tests.support.smtp_relay import SmtpRelay

GONE = "gone@example.com"
"""The recipient that SendGrid has on its list of bounces."""
TAKEN_OVER = 100
"""Emails through the relay that show that it has taken over."""
QUIET = 3.0
"""Seconds without an email through the relay that show that it has handed back."""
RECEIPTS = "receipts-1"
VENDORS = ["sendgrid"]


def second_takes_over(stage: Stage) -> None:
    """
    Stop SendGrid until the relay has taken over, and restore it until the relay has handed back.

    Raises:
        TimeoutError: It does not take over or hand back, or the recipient is not suppressed.
    """
    relay = stage.relay
    if relay is None:
        raise ValueError("the terms have no relay")
    _suppress(stage)
    stage.sandbox.switch.set(VENDORS, behaviour=Behaviour.DOWN)
    request = _to_the_suppressed()
    before = len(relay.received)
    if not until(lambda: len(relay.received) >= before + TAKEN_OVER, timeout=60):
        raise TimeoutError("the relay does not take over")
    stage.load.flood(request, copies=1, threads=1)
    if not until(lambda: _status(stage, request) is Status.SUPPRESSED, timeout=60):
        raise TimeoutError("a message to a suppressed recipient does not end")
    stage.sandbox.switch.set(VENDORS, behaviour=None)
    stage.healed()
    if not until(lambda: _handed_back(stage, relay), timeout=120):
        raise TimeoutError("the relay does not hand back")
    if any(GONE in each.to for each in relay.received):
        stage.fleet.faulty.append("the relay mailed a recipient that SendGrid had suppressed")


def relayed(relay: SmtpRelay | None, recorded: Recorded) -> Iterator[Seen]:
    """Yield the relay's messages; the return path of each has its call."""
    if relay is None:
        return
    owners = {call.id: row.id for row in recorded.rows for call in row.calls}
    for each in relay.received:
        token = each.sender.partition("@")[0].rpartition("+")[2]
        attempt_id = str(UUID(token[:32]))
        yield Seen(owners.get(attempt_id, ""), attempt_id, each.at, accepted=True, lost=False)


def _suppress(stage: Stage) -> None:
    """Report a bounce of the recipient, as SendGrid's webhook does after a drop."""
    stage.fleet.start(RECEIPTS)
    stage.fleet.ready(RECEIPTS)
    now = datetime.now(UTC)
    dropped = DeliveryReceipt(
        event=ReceiptEvent.BOUNCED,
        word="dropped",
        recipient=GONE,
        at=now,
        blame=Blame.RECIPIENT,
        reason="bounced address",
    )
    messages = ReceiptMessage.split([dropped], provider="sendgrid", received_at=now)
    with Publisher(stage.broker.url) as publisher:
        if any([*publisher.publish_many([outgoing(each) for each in messages])]):
            raise ValueError("the receipt was not confirmed")
    if not until(lambda: _suppressed(stage) == 1, timeout=60):
        raise TimeoutError("the recipient is not suppressed")


def _suppressed(stage: Stage) -> int:
    with stage.store.reading() as connection:
        return connection.scalar(select(func.count()).select_from(suppressions)) or 0


def _to_the_suppressed() -> Outgoing:
    id_ = str(uuid4())
    body = {"id": id_, "to": GONE, "subject": "Hello", "text": "Your code is 1."}
    return Outgoing(
        body=json.dumps(body).encode(),
        routing_key=routing_key(Channel.EMAIL, LANE, SOURCE),
        message_id=id_,
    )


def _status(stage: Stage, request: Outgoing) -> Status | None:
    found = stage.store.get(UUID(request.message_id))
    return found.status if found else None


def _handed_back(stage: Stage, relay: SmtpRelay) -> bool:
    """Return whether SendGrid sends, and the relay nothing, for a few seconds of the load."""
    mailed, seen = len(relay.received), stage.seen()
    time.sleep(QUIET)
    return len(relay.received) == mailed and stage.seen() > seen
