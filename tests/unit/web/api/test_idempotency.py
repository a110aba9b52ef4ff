"""`Idempotency-Key`: one request for each key, whatever is repeated and whenever."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest.mock import patch

import httpx

from notify.errors import StoreError
from notify.store import Store
from tests.support.api_rig import ApiRig, email, run

REPLAYED = "idempotent-replayed"


async def _send(rig: ApiRig, key: str, **changes: Any) -> httpx.Response:
    headers = {"Idempotency-Key": key}
    return await rig.shop.post("/v1/notifications", json=email(**changes), headers=headers)


def test_a_repeat_is_answered_as_before_and_not_published(rig: ApiRig) -> None:
    """With the same id, and a header that says so."""
    first = run(_send(rig, "order-1"))
    again = run(_send(rig, "order-1"))
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["id"] == again.json()["id"]
    assert (first.json()["status"], again.json()["status"]) == ("accepted", "replayed")
    assert (first.headers.get(REPLAYED), again.headers.get(REPLAYED)) == (None, "true")
    assert len(rig.broker.sent) == 1
    assert b'"idempotency_key":"order-1"' in rig.broker.sent[0].body


def test_another_body_with_the_key_is_refused(rig: ApiRig) -> None:
    """Nothing is published."""
    run(_send(rig, "order-2"))
    other = run(_send(rig, "order-2", text="Something else."))
    assert (other.status_code, other.json()["type"]) == (409, "urn:notify:problem:conflict")
    assert other.json()["requests"] == [0]
    assert len(rig.broker.sent) == 1
    assert run(_send(rig, "order-2")).status_code == 202


def test_the_order_of_fields_and_the_lane_are_not_part_of_a_request(rig: ApiRig) -> None:
    """The same request means the same as in the contract."""
    run(_send(rig, "order-3"))
    turned = dict(reversed(email(lane="bulk").items()))
    headers = {"Idempotency-Key": '"order-3"'}
    answer = run(rig.shop.post("/v1/notifications", json=turned, headers=headers))
    assert answer.headers.get(REPLAYED) == "true"


def test_of_two_at_once_one_is_the_first(rig: ApiRig) -> None:
    """And both have one id: whatever is published twice is one request at the claim."""

    async def both() -> list[httpx.Response]:
        return await asyncio.gather(*(_send(rig, "order-4") for _ in range(8)))

    answers = run(both())
    assert {each.status_code for each in answers} == {202}
    assert len({each.json()["id"] for each in answers}) == 1
    assert [each.headers.get(REPLAYED) for each in answers].count(None) == 1
    assert len({each.message_id for each in rig.broker.sent}) == 1


def test_of_two_different_ones_at_once_one_wins(rig: ApiRig) -> None:
    """The other one is refused, and only the winner is published."""

    async def both() -> list[httpx.Response]:
        texts = [f"Text {n}." for n in range(6)]
        return await asyncio.gather(*(_send(rig, "order-5", text=text) for text in texts))

    answers = run(both())
    assert sorted(each.status_code for each in answers) == [202, *[409] * 5]
    assert len(rig.broker.sent) == 1


def test_an_unconfirmed_request_keeps_its_key_and_its_id(rig: ApiRig) -> None:
    """It may have arrived: a repeat is published again under its id, and then it is the first."""
    rig.broker.lost = 1
    lost = run(_send(rig, "order-6"))
    assert lost.status_code == 503
    assert run(_send(rig, "order-6", text="Something else.")).status_code == 409
    again = run(_send(rig, "order-6"))
    assert (again.status_code, again.headers.get(REPLAYED)) == (202, None)
    assert again.json()["id"] == lost.json()["notifications"][0]["id"]
    assert len({each.message_id for each in rig.broker.sent}) == 1
    assert run(_send(rig, "order-6")).headers.get(REPLAYED) == "true"


def test_many_notifications_have_a_key_each(rig: ApiRig) -> None:
    """The header names one; in an array each has its own field."""
    many = [email(idempotency_key=f"row-{n}") for n in range(3)]
    first = run(rig.shop.post("/v1/notifications", json=many))
    again = run(rig.shop.post("/v1/notifications", json=[*many, email(idempotency_key="row-3")]))
    statuses = [each["status"] for each in again.json()["notifications"]]
    assert statuses == ["replayed"] * 3 + ["accepted"]
    assert (first.headers.get(REPLAYED), again.headers.get(REPLAYED)) == (None, None)
    clash = [email(idempotency_key="row-9"), email(idempotency_key="row-9", text="Other.")]
    answer = run(rig.shop.post("/v1/notifications", json=clash))
    assert (answer.status_code, answer.json()["requests"]) == (409, [1])
    twice = [email(idempotency_key="row-8")] * 2
    assert run(rig.shop.post("/v1/notifications", json=twice)).status_code == 202
    answer = run(rig.shop.post("/v1/notifications", json=many, headers={"Idempotency-Key": "x"}))
    assert answer.status_code == 400


def test_a_key_that_the_body_contradicts_is_a_mistake(rig: ApiRig) -> None:
    """One of both would be ignored."""
    answer = run(_send(rig, "order-7", idempotency_key="order-8"))
    assert answer.status_code == 422
    assert run(_send(rig, "")).status_code == 400
    assert run(_send(rig, "x" * 201)).status_code == 400


def test_without_the_record_a_key_is_refused_and_the_rest_goes_on(rig: ApiRig) -> None:
    """A repeat could not be recognised; a notification without a key needs RabbitMQ alone."""
    with patch.object(Store, "writing", side_effect=StoreError("away")):
        keyed = run(_send(rig, "order-9"))
        plain = run(rig.shop.post("/v1/notifications", json=email()))
    assert (keyed.status_code, "retry-after" in keyed.headers) == (503, True)
    assert plain.status_code == 202
    assert len(rig.broker.sent) == 1
