"""Bulk with a worker, SendGrid's provider and the sandbox, which has SendGrid's rules."""

from __future__ import annotations

import json
import threading
from collections import Counter
from uuid import uuid4

import pytest

from notify.message import Status
from notify.store import Filter
from tests.support.patience import PATIENCE
from tests.support.rig import Rig, until

COUNT = 1000
INVALID = ("invalid+1@sandbox.test", "invalid+2@sandbox.test")


def _counts(rig: Rig) -> dict[Status, int]:
    return {status: n for status, n in rig.store.count(Filter()).items() if n}


@pytest.mark.parametrize(
    ("own", "store_url"),
    [(True, "postgresql"), (False, "sqlite")],
    ids=["own words", "same content"],
    indirect=["store_url"],
)
def test_a_thousand_recipients_are_a_few_requests(rig: Rig, own: bool) -> None:
    """Each gets its own words once; two that SendGrid refuses by index are rejected."""
    people = [f"user-{n}@example.com" for n in range(COUNT - len(INVALID))]
    people[500:500] = INVALID
    content: dict[str, object] = {"subject": "News", "html": "<p>News</p>" * 3000, "text": "News"}
    if own:
        content = {"template": "login_code", "data": {"product": "shop", "minutes": 5}}
    to = [{"to": each, "data": {"code": str(n)}} for n, each in enumerate(people)]
    with rig.worker():
        rig.publish(
            json.dumps({"id": str(uuid4()), "to": to, **content}).encode(), key="email.bulk.shop"
        )
        expected = {Status.SENT: COUNT - 2, Status.REJECTED: 2}
        until(lambda: _counts(rig) == expected)

    entries = rig.sandbox.ledger.entries()
    accepted = Counter(each.recipient for each in entries if each.provider_id)
    assert accepted == dict.fromkeys(set(people) - set(INVALID), 1)
    assert len({each.arrived for each in entries}) <= 5
    rejected = rig.store.find(Filter(status=Status.REJECTED), limit=3)
    assert {each.recipient for each in rejected} == set(INVALID)
    for message in rig.sandbox.messages()[:50]:
        assert str(people.index(message.to)) in message.text if own else message.text == "News"


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_stop_drains_a_request_of_many(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGTERM while a thousand wait for one answer: none is lost, none is sent twice."""
    # The sandbox's answers wait for this event, with or without a stop of the sandbox.
    answer = threading.Event()
    monkeypatch.setattr(rig.sandbox._server, "stopping", answer)
    rig.sandbox.switch.set(latency=PATIENCE)
    to = [f"user-{n}@example.com" for n in range(COUNT)]
    with rig.worker("first") as worker:
        body = {"id": str(uuid4()), "to": to, "subject": "News", "text": "News"}
        rig.publish(json.dumps(body).encode(), key="email.bulk.shop")
        until(lambda: _counts(rig).get(Status.SENDING, 0) > 900)
        worker.terminate()
        answer.set()
        worker.wait(PATIENCE)
    counts = _counts(rig)
    assert counts == {Status.SENT: COUNT}
    accepted = Counter(each.recipient for each in rig.sandbox.ledger.entries() if each.provider_id)
    assert accepted == dict.fromkeys(to, 1)
