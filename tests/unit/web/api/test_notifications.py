"""Sending, reading, listing and cancelling notifications by HTTP."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID, uuid4, uuid5

import pytest

from notify.apikeys import KeyScope
from notify.contract import Incoming, decode
from notify.message import Status
from notify.service.contract import contract_limits
from notify.store import ActFilter, Entry, find_acts
from tests.support.api_rig import ApiRig, email, ids_of, run
from tests.support.recording import LATER, accepted, asked, begin, call_for, claim_one

PROBLEM = "application/problem+json"


def test_one_notification_is_answered_once_rabbitmq_has_it(rig: ApiRig) -> None:
    """The body is the contract's without channel and lane; the source is the key's."""
    answer = run(rig.shop.post("/v1/notifications", json=email()))
    assert answer.status_code == 202
    assert answer.json()["status"] == "accepted"
    [sent] = rig.broker.sent
    assert (sent.routing_key, sent.message_id) == ("email.normal.shop", answer.json()["id"])
    incoming = Incoming(sent.body, sent.routing_key, sent.content_type, message_id=sent.message_id)
    [notification] = decode(incoming, contract_limits(rig.settings))
    assert (str(notification.id), notification.to) == (answer.json()["id"], "ann@example.com")


def test_an_array_and_json_lines_are_answered_with_all_ids(rig: ApiRig) -> None:
    """In their order, each with its own channel and lane."""
    many = [email(), {**email(lane="bulk"), "id": str(uuid4())}]
    answer = run(rig.shop.post("/v1/notifications", json=many))
    assert answer.status_code == 202
    assert [str(each) for each in ids_of(answer)] == [each.message_id for each in rig.broker.sent]
    assert ids_of(answer)[1] == UUID(many[1]["id"])
    assert [each.routing_key for each in rig.broker.sent] == [
        "email.normal.shop",
        "email.bulk.shop",
    ]
    lines = "\n".join(json.dumps(each) for each in many) + "\n\n"
    headers = {"Content-Type": "application/x-ndjson"}
    answer = run(rig.shop.post("/v1/notifications", content=lines, headers=headers))
    assert (answer.status_code, len(ids_of(answer))) == (202, 2)


def test_a_batch_is_answered_with_the_ids_of_its_recipients(rig: ApiRig) -> None:
    """As the contract computes them."""
    to = ["ann@example.com", "bo@example.com"]
    answer = run(rig.shop.post("/v1/notifications", json=email(to=to))).json()
    assert answer["members"] == [str(uuid5(UUID(answer["id"]), str(n))) for n in range(2)]


def test_every_mistake_is_reported_and_nothing_is_published(rig: ApiRig) -> None:
    """With its place and its fix, as `notify lint` reports it."""
    many = [email(), email(to="no address", subjec="x"), {"channel": "fax", "to": "x"}]
    answer = run(rig.shop.post("/v1/notifications", json=many))
    assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM)
    body = answer.json()
    assert (body["type"], body["status"]) == ("urn:notify:problem:invalid", 422)
    assert {(each["request"], each["where"]) for each in body["problems"]} == {
        (1, "to"),
        (1, "subjec"),
        (2, "channel"),
        (2, "lane"),
    }
    assert all(each["why"] and each["hint"] for each in body["problems"])
    assert rig.broker.sent == []


@pytest.mark.parametrize(
    ("content", "media_type", "where"),
    [
        ("{", "application/json", (0, 1, 2)),
        ("", "application/json", (0, None, None)),
        ("[]", "application/json", (0, None, None)),
        ("[1]", "application/json", (0, None, None)),
        ('{"a": 1}\n{"a"', "application/jsonl", (1, 2, 5)),
        ('[{"a": NaN}]', "application/json", (0, None, None)),
        ("[" * 9999, "application/json", (0, None, None)),
    ],
)
def test_broken_json_is_reported_with_its_place(
    rig: ApiRig, content: str, media_type: str, where: tuple[int, int | None, int | None]
) -> None:
    """Line and column, where there is one."""
    headers = {"Content-Type": media_type}
    answer = run(rig.shop.post("/v1/notifications", content=content, headers=headers))
    assert answer.status_code == 422
    first = answer.json()["problems"][0]
    assert (first["request"], first.get("line"), first.get("column")) == where


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"batch": {"id": str(uuid4()), "position": 0, "digest": "0" * 64}}, "batch"),
        ({"template": "no_such", "subject": ..., "text": ...}, "template"),
        ({"lane": "fast"}, "lane"),
        ({"channel": ["email"]}, "channel"),
        ({"subject": "x" * 200_000}, ""),
    ],
)
def test_what_the_contract_cannot_see_is_refused_too(
    rig: ApiRig, changes: dict[str, Any], where: str
) -> None:
    """The service's own field, an unknown template, a lane without a queue."""
    answer = run(rig.shop.post("/v1/notifications", json=email(**changes)))
    assert answer.status_code in (413, 422)
    if answer.status_code == 422:
        assert where in {each["where"] for each in answer.json()["problems"]}
    assert rig.broker.sent == []


def test_a_thousand_at_once_and_no_more(rig: ApiRig) -> None:
    """A larger request would occupy a thread for seconds."""
    small = {"channel": "sms", "lane": "bulk", "to": "+4915112345678", "text": "x"}
    answer = run(rig.shop.post("/v1/notifications", json=[small] * 1000))
    assert (answer.status_code, len(rig.broker.sent)) == (202, 1000)
    answer = run(rig.shop.post("/v1/notifications", json=[small] * 1001))
    assert answer.status_code == 422


def test_no_more_lines_are_read_than_a_request_may_have(rig: ApiRig) -> None:
    """400 kB of broken lines would else keep the process busy for seconds."""
    headers = {"Content-Type": "application/x-ndjson"}
    answer = run(rig.shop.post("/v1/notifications", content=b"x\n" * 5000, headers=headers))
    assert answer.status_code == 422
    assert answer.json()["detail"] == "1001 mistakes; nothing was published"


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
def test_a_time_that_no_record_holds_is_a_mistake(rig: ApiRig, at: str) -> None:
    """It is not 503: the same request would fail again, for ever."""
    assert run(rig.shop.get("/v1/events", params={"since": at})).status_code == 400
    body = {"channel": "email", "recipient": "ann@example.com", "until": at}
    assert run(rig.shop.post("/v1/suppressions", json=body)).status_code == 422


def test_a_text_that_no_record_holds_is_a_mistake(rig: ApiRig) -> None:
    """PostgreSQL refuses NUL, which would be 503: the same request would fail again."""
    for name in ("template", "lane", "category"):
        assert run(rig.shop.get("/v1/notifications", params={name: "a\0"})).status_code == 400
    body = {"channel": "email", "recipient": "ann@example.com", "note": "a\0"}
    assert run(rig.shop.post("/v1/suppressions", json=body)).status_code == 422
    path = f"/v1/notifications/{uuid4()}/cancel"
    assert run(rig.shop.post(path, json={"reason": "a\0"})).status_code == 422


def test_without_a_confirm_the_answer_is_503(rig: ApiRig) -> None:
    """With Retry-After, the ids, and never a promise."""
    rig.broker.away = True
    answer = run(rig.shop.post("/v1/notifications", json=email()))
    assert (answer.status_code, answer.headers["content-type"]) == (503, PROBLEM)
    assert int(answer.headers["retry-after"]) > 0
    assert [each["status"] for each in answer.json()["notifications"]] == ["unconfirmed"]
    rig.broker.away, rig.broker.lost = False, 1
    answer = run(rig.shop.post("/v1/notifications", json=[email(), email()]))
    assert answer.status_code == 503
    statuses = [each["status"] for each in answer.json()["notifications"]]
    assert statuses == ["unconfirmed", "accepted"]


def test_a_notification_is_shown_with_its_timeline(rig: ApiRig) -> None:
    """The recipient is masked."""
    entry = begin(rig.store)
    rig.store.record([accepted(entry)])
    shown = run(rig.shop.get(f"/v1/notifications/{entry.notification.id}")).json()
    assert (shown["status"], shown["to"], shown["source"]) == ("sent", "a•••@example.com", "shop")
    assert shown["timeline"][0]["name"] == "received"
    assert shown["calls"][0]["outcome"] == "accepted"
    missing = run(rig.shop.get(f"/v1/notifications/{uuid4()}"))
    assert (missing.status_code, missing.headers["content-type"]) == (404, PROBLEM)


def test_a_batch_is_shown_by_its_counts_and_listed_by_its_members(rig: ApiRig) -> None:
    """One page at a time."""
    batch = uuid4()
    for position in range(5):
        begin(rig.store, batch_id=batch, position=position, idempotency_key=str(batch))
    shown = run(rig.shop.get(f"/v1/notifications/{batch}")).json()
    assert shown == {"batch_id": str(batch), "counts": {"sending": 5}}
    found: list[int] = []
    after: dict[str, str] = {}
    while True:
        query = {"batch": str(batch), "limit": "2", **after}
        page = run(rig.shop.get("/v1/notifications", params=query)).json()
        found += [each["position"] for each in page["notifications"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert found == [0, 1, 2, 3, 4]


def test_a_waiting_notification_is_cancelled_with_an_audit_row(rig: ApiRig) -> None:
    """By the key; one that has ended is refused with its status."""
    entry = begin(rig.store)
    rig.store.record([accepted(entry)])
    path = f"/v1/notifications/{entry.notification.id}/cancel"
    late = run(rig.shop.post(path, json={"reason": "wrong price"}))
    assert (late.status_code, late.json()["type"]) == (409, "urn:notify:problem:too-late")
    unknown = run(rig.shop.post(f"/v1/notifications/{uuid4()}/cancel", json={}))
    assert unknown.status_code == 404
    waiting = Entry(asked(), Status.SCHEDULED, due_at=LATER)
    claim_one(rig.store, waiting)
    id_ = str(waiting.notification.id)
    done = run(rig.shop.post(f"/v1/notifications/{id_}/cancel", json={"reason": "wrong price"}))
    assert (done.status_code, done.json()) == (200, {"cancelled": [id_], "left": {}})
    shown = run(rig.shop.get(f"/v1/notifications/{id_}")).json()
    assert (shown["status"], shown["reason"]) == ("cancelled", "its source cancelled it")
    with rig.store.reading() as connection:
        act = find_acts(connection, ActFilter(), limit=1)[0]
    assert (act.action, act.reason, act.actor) == ("cancel", "wrong price", "api key 1")


def test_feedback_is_published_as_the_sources_own(rig: ApiRig) -> None:
    """Checked first by the contract's model."""
    id_ = str(uuid4())
    good = {"id": id_, "outcome": "confirmed", "note": "code_used"}
    answer = run(rig.shop.post("/v1/feedback", json=good))
    assert (answer.status_code, answer.json()) == (202, {"id": id_})
    assert [each.routing_key for each in rig.broker.sent] == ["feedback.shop"]
    bad = run(rig.shop.post("/v1/feedback", json={**good, "outcome": "maybe"}))
    assert (bad.status_code, bad.json()["problems"][0]["where"]) == (422, "outcome")
    rig.broker.away = True
    away = run(rig.shop.post("/v1/feedback", json=good))
    assert (away.status_code, "retry-after" in away.headers) == (503, True)


def test_a_key_without_the_scope_is_refused(rig: ApiRig) -> None:
    """Each operation names the one that it needs."""
    reader = rig.client(rig.key("shop", KeyScope.READ))
    answer = run(reader.post("/v1/notifications", json=email()))
    assert (answer.status_code, rig.broker.sent) == (403, [])
    assert 'scope="send"' in answer.headers["www-authenticate"]
    assert claim_one(rig.store, call_for(asked())) is not None
    assert run(reader.get("/v1/notifications")).status_code == 200
