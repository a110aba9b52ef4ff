"""`notify worker receipts` on a real broker: receipts and feedback come from their queues."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import amqp
import pytest

from notify.contract import ReceiptMessage
from notify.message import Status
from notify.receipt import DeliveryReceipt, ReceiptEvent
from notify.topology import DEAD, EXCHANGE, FEEDBACK, RECEIPTS
from tests.support import reporting
from tests.support.patience import connect
from tests.support.rig import Rig, until


def publish(rig: Rig, exchange: str, messages: list[tuple[str, bytes]], **properties: Any) -> None:
    """Publish messages by key to an exchange, confirmed."""
    with connect(rig.broker_url) as connection:
        channel = connection.channel()
        channel.confirm_select()
        for key, body in messages:
            message = amqp.Message(
                body, delivery_mode=2, content_type="application/json", **properties
            )
            channel.basic_publish_confirm(message, exchange, key, mandatory=True, timeout=10)


def report(rig: Rig, *receipts: DeliveryReceipt) -> None:
    """Publish receipts as the web intake does."""
    messages = ReceiptMessage.split(receipts, provider="sendgrid", received_at=datetime.now(UTC))
    publish(
        rig, RECEIPTS, [(each.routing_key, each.model_dump_json().encode()) for each in messages]
    )


@pytest.fixture
def sent(rig: Rig) -> list[UUID]:
    """Emails on record as a worker leaves them once the vendor has accepted them."""
    return [reporting.sent(rig.store).notification.id for _ in range(3)]


def attempt_of(rig: Rig, id_: UUID) -> UUID:
    """The id of a notification's call."""
    story = rig.store.get(id_)
    assert story is not None
    return story.attempts[-1].id


def test_receipts_change_statuses_and_poison_is_a_dead_letter(rig: Rig, sent: list[UUID]) -> None:
    """The others of a batch count."""
    delivered = [
        DeliveryReceipt(ReceiptEvent.DELIVERED, "delivered", attempt_id=attempt_of(rig, each))
        for each in sent
    ]
    report(rig, *delivered)
    publish(rig, RECEIPTS, [("sendgrid.bounced", b"{}"), ("sendgrid.delivered", b"\xff")])
    with rig.worker("receipts", pool="receipts"):
        until(lambda: all(rig.status(each) is Status.DELIVERED for each in sent))
        until(lambda: rig.waiting(RECEIPTS, FEEDBACK) == 0)
    # The broker confirms no rejection, and the dead letter comes after it.
    until(lambda: rig.waiting(DEAD) == 2)
    assert sorted(rig.dead()) == [b"{}", b"\xff"]


def test_a_receipt_that_overtakes_the_answer_is_applied(rig: Rig) -> None:
    """It waits in the record, and not in the queue."""
    with rig.worker():
        (id_,) = rig.requests(1)
        until(lambda: rig.status(id_) is Status.SENT)
    bounced = DeliveryReceipt(
        ReceiptEvent.BOUNCED, "bounce", attempt_id=attempt_of(rig, id_), code="5.1.1"
    )
    with rig.worker("receipts", pool="receipts"):
        report(rig, bounced)
        until(lambda: rig.status(id_) is Status.BOUNCED)
    shown = json.loads(rig.notify("show", id_, "--json").out)
    assert [each["word"] for each in shown["receipts"]] == ["bounce"]


def test_a_producer_confirms_its_own_notifications_only(rig: Rig, sent: list[UUID]) -> None:
    """Another source's report on it matches nothing."""
    own, foreign, failed = sent
    bodies = [
        ("feedback.shop", {"id": str(own), "outcome": "confirmed", "note": "code_used"}),
        ("feedback.other", {"id": str(foreign), "outcome": "confirmed"}),
        ("feedback.shop", {"id": str(failed), "outcome": "failed"}),
        ("feedback.shop", {"id": str(failed), "outcome": "maybe"}),
    ]
    with rig.worker("receipts", pool="receipts"):
        publish(rig, EXCHANGE, [(key, json.dumps(body).encode()) for key, body in bodies])
        until(lambda: rig.status(own) is Status.CONFIRMED)
        until(lambda: rig.waiting(FEEDBACK) == 0)
    assert rig.status(foreign) is rig.status(failed) is Status.SENT
    (shown,) = json.loads(rig.notify("show", failed, "--json").out)["receipts"]
    assert (shown["provider"], shown["event"]) == ("producer", "failed")
    until(lambda: rig.waiting(DEAD) == 1)
    assert [json.loads(each)["outcome"] for each in rig.dead()] == ["maybe"]


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_dead_receipts_and_feedback_are_replayed_to_where_they_came_from(
    rig: Rig, sent: list[UUID]
) -> None:
    """The archive says why each died; only what can be read is published again."""
    delivered, confirmed, _ = sent
    receipts = [
        DeliveryReceipt(ReceiptEvent.DELIVERED, "delivered", attempt_id=attempt_of(rig, delivered))
    ]
    report(rig, *receipts)
    feedback = json.dumps({"id": str(confirmed), "outcome": "confirmed"}).encode()
    publish(rig, EXCHANGE, [("feedback.shop", feedback), ("feedback.shop", b'{"outcome": 1}')])
    publish(rig, RECEIPTS, [("sendgrid.delivered", b"{}")])
    bury_all(rig)
    with rig.worker("dead", pool="dead"):
        until(lambda: len(letters(rig)) == 4)
        causes = [(each["cause"], each["routing_key"], each["source"]) for each in letters(rig)]
        assert sorted(causes, key=str) == [
            ("contract", "feedback.shop", "shop"),
            ("contract", "sendgrid.delivered", None),
            ("other", "feedback.shop", "shop"),
            ("other", "sendgrid.delivered", None),
        ]
        done = rig.notify(
            "dead", "replay", "--since", "1h", "--yes", "--no-wait", "--reason", "fixed"
        )
        assert done.code == 0, done.err
        assert "2 receipts and reports are published again" in done.out
        with rig.worker("receipts", pool="receipts"):
            until(lambda: rig.status(delivered) is Status.DELIVERED)
            until(lambda: rig.status(confirmed) is Status.CONFIRMED)
    states = sorted((each["cause"], each["state"]) for each in letters(rig))
    assert states == [("contract", "waiting")] * 2 + [("other", "replayed")] * 2
    assert rig.notify("ledger").code == 0


def letters(rig: Rig) -> list[dict[str, Any]]:
    """The archive of dead letters."""
    done = rig.notify("dead", "ls", "--json", "--state", "all")
    return [json.loads(line) for line in done.out.splitlines()]


def bury_all(rig: Rig) -> None:
    """Reject every message of the receipts' queues, as a worker with a bug would."""
    with connect(rig.broker_url) as connection:
        channel = connection.channel()
        for queue in (RECEIPTS, FEEDBACK):
            while (message := channel.basic_get(queue)) is not None:
                channel.basic_reject(message.delivery_tag, requeue=False)
