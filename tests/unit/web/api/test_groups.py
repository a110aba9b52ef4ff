"""Requests that arrive at the same time: handled together, each with an answer of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from anyio import CapacityLimiter

from notify.apikeys import ApiKey
from notify.web.api.groups import AT_WORK, LARGEST_GROUP, CallGroups
from notify.web.api.models import AcceptedManyView, AcceptedView
from notify.web.api.operation import ApiAnswer, ApiCall, Together
from notify.web.api.sending import SHARED_BYTES, shares
from tests.support.api_rig import ApiRig, email, ids_of, run
from tests.support.patience import PATIENCE


def call_of(body: bytes, *, key: int = 1, headers: Mapping[str, str] = {}) -> ApiCall:
    """Return a request of a key."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    owner = ApiKey(
        id=key,
        source="shop",
        name="",
        scopes=frozenset(),
        created_at=at,
        expires_at=None,
        revoked_at=None,
        used_at=None,
        replaces=None,
    )
    return ApiCall(owner, {}, None, body, "application/json", headers)


class Handler:
    """Answers each request with its body; those of the body `slow` once it may."""

    def __init__(self) -> None:
        self.groups: list[list[bytes]] = []
        self.may = threading.Event()

    def __call__(self, calls: Sequence[ApiCall]) -> Sequence[ApiAnswer | Exception]:
        """Handle a group."""
        bodies = [each.body for each in calls]
        self.groups.append(bodies)
        if b"slow" in bodies:
            assert self.may.wait(PATIENCE)
        if b"crash" in bodies:
            raise KeyError("a fault")
        return [ValueError("no") if each == b"bad" else ApiAnswer(each) for each in bodies]

    async def at(self, count: int) -> None:
        """Wait until so many groups have begun."""
        async with asyncio.timeout(PATIENCE):
            while len(self.groups) < count:
                await asyncio.sleep(0.001)


def groups_of(handler: Handler, *, seconds: float = PATIENCE) -> CallGroups:
    """Return groups that the handler answers."""
    together = Together(handler, lambda _: True)
    return CallGroups(together, seconds=seconds, threads=CapacityLimiter(16))


def test_requests_that_arrive_together_share_a_thread_and_have_their_own_ends() -> None:
    """A mistake in one does not affect the others."""
    handler = Handler()

    async def play() -> list[Any]:
        groups = groups_of(handler)
        calls = [call_of(body) for body in (b"a", b"bad", b"b")]
        return await asyncio.gather(*map(groups.answer, calls), return_exceptions=True)

    first, bad, second = run(play())
    assert (first.document, second.document) == (b"a", b"b")
    assert isinstance(bad, ValueError)
    assert handler.groups == [[b"a", b"bad", b"b"]]


def test_while_groups_are_at_work_the_next_one_gathers_and_no_other_key_waits() -> None:
    """A group is bounded."""
    handler = Handler()

    async def play() -> None:
        groups = groups_of(handler)
        slow = []
        for number in range(AT_WORK):
            slow.append(asyncio.create_task(groups.answer(call_of(b"slow"))))
            await handler.at(number + 1)
        late = [
            asyncio.create_task(groups.answer(call_of(b"late"))) for _ in range(LARGEST_GROUP + 1)
        ]
        assert (await groups.answer(call_of(b"other", key=2))).document == b"other"
        assert len(handler.groups) == AT_WORK + 1
        handler.may.set()
        await asyncio.gather(*slow, *late)

    run(play())
    assert sorted(map(len, handler.groups[AT_WORK + 1 :])) == [1, LARGEST_GROUP]


def test_a_request_ends_in_time_and_a_fault_ends_its_group() -> None:
    """One whose time is over before its turn is not handled."""
    handler = Handler()

    async def play() -> list[Any]:
        groups = groups_of(handler, seconds=0.05)
        slow = []
        for number in range(AT_WORK):
            slow.append(asyncio.create_task(groups.answer(call_of(b"slow"))))
            await handler.at(number + 1)
        late = asyncio.create_task(groups.answer(call_of(b"late")))
        ends = await asyncio.gather(*slow, late, return_exceptions=True)
        handler.may.set()
        # A group that ends would go on with `late`, were it still to be handled.
        await asyncio.gather(*groups._tasks)
        crashing = groups_of(handler).answer(call_of(b"crash"))
        crash = await asyncio.gather(crashing, return_exceptions=True)
        return [*ends, *crash]

    *late, crash = run(play())
    assert all(isinstance(each, TimeoutError) for each in late)
    assert isinstance(crash, KeyError)
    assert [b"late"] not in handler.groups


@pytest.mark.parametrize(
    ("call", "shared"),
    [
        (call_of(b'{"to": "x"}'), True),
        (call_of(b'[{"to": "x"}]'), False),
        (call_of(b'{"idempotency_key": "x"}'), False),
        (call_of(b"{}", headers={"idempotency-key": "x"}), False),
        (call_of(b"{" + b" " * SHARED_BYTES), False),
    ],
)
def test_none_waits_for_the_record_or_for_a_large_request(call: ApiCall, shared: bool) -> None:
    """Those with an idempotency key, and arrays, have a thread of their own."""
    assert shares(call) is shared


def test_of_many_at_once_each_has_its_own_answer(rig: ApiRig) -> None:
    """Those that break the contract too."""
    requests = [email(to=f"a{n}@example.com" if n % 3 else "no address") for n in range(30)]

    async def play() -> list[Any]:
        posts = [rig.shop.post("/v1/notifications", json=each) for each in requests]
        return await asyncio.gather(*posts)

    answers = run(play())
    assert [each.status_code for each in answers] == [202 if n % 3 else 422 for n in range(30)]
    sent = {each.message_id: each.body for each in rig.broker.sent}
    assert len(sent) == 20
    for number, answer in enumerate(answers):
        if number % 3:
            assert f"a{number}@example.com".encode() in sent[answer.json()["id"]]


def test_answers_are_those_of_the_described_models(rig: ApiRig) -> None:
    """Byte for byte, though no object of the models is made."""
    to = ["ann@example.com", "bo@example.com"]
    one = run(rig.shop.post("/v1/notifications", json=email(to=to)))
    assert one.content == AcceptedView(**one.json()).model_dump_json().encode()
    many = run(rig.shop.post("/v1/notifications", json=[email(), email(to=to)]))
    views = [AcceptedView.model_validate(each) for each in many.json()["notifications"]]
    assert many.content == AcceptedManyView(notifications=views).model_dump_json().encode()
    assert len(ids_of(many)) == 2
