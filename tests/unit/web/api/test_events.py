"""Events by HTTP: page by page, and as a stream that is continued where it ended."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
from anyio.to_thread import run_sync

from notify.apikeys import list_keys, revoke_key
from notify.contract import Event
from notify.store import Actor
from notify.web.api import feed
from tests.support.api_rig import ApiRig, run
from tests.support.patience import PATIENCE
from tests.support.recording import accepted, begin

STREAM = {"Accept": "text/event-stream"}


def sent(rig: ApiRig, source: str = "shop") -> str:
    """Record a notification that ends as sent; return its id."""
    entry = begin(rig.store, source=source)
    rig.store.record([accepted(entry)])
    return str(entry.notification.id)


def newest(rig: ApiRig) -> str:
    """Return where the events of shop end that other tests have recorded."""
    return str(run(rig.shop.get("/v1/events", params={"limit": "500"})).json()["next"])


def events_of(text: str) -> list[dict[str, str]]:
    """Return the fields of each event of a stream."""
    found = []
    for block in text.split("\n\n"):
        lines = [line.partition(": ") for line in block.splitlines() if not line.startswith(":")]
        fields = {name: value for name, _, value in lines}
        if "data" in fields:
            found.append(fields)
    return found


async def looked(rig: ApiRig) -> None:
    """Wait until an open stream has sent all that the feed has now."""
    # The next look may be followed by the read of an older state, the one after it not.
    enough = rig.looks + 2
    await met(lambda: rig.looks >= enough)


async def met(true: Callable[[], bool]) -> None:
    """Wait for a condition of the event loop's own."""
    async with asyncio.timeout(PATIENCE):
        while not true():
            await asyncio.sleep(0.01)


async def streamed(rig: ApiRig, client: httpx.AsyncClient, during: Any, **headers: str) -> Any:
    """Open a stream, do something while it is open, and return what it said at its end."""
    rig.stopping = False
    asked = asyncio.create_task(client.get("/v1/events", headers={**STREAM, **headers}))
    await looked(rig)
    for act in during:
        await run_sync(act)
        await run_sync(rig.feed.step)
        await looked(rig)
    rig.stopping = True
    return await asked


def test_pages_have_each_event_once_and_in_order(rig: ApiRig) -> None:
    """The JSON is that of AMQP; `next` continues."""
    before = newest(rig)
    ids = [sent(rig) for _ in range(3)]
    sent(rig, "crm")
    first = run(rig.shop.get("/v1/events", params={"since": before, "limit": "2"})).json()
    assert [each["id"] for each in first["events"]] == ids[:2]
    assert first["complete"] is False
    assert Event.model_validate(first["events"][0]).status == "sent"
    rest = run(rig.shop.get("/v1/events", params={"since": first["next"]})).json()
    assert ([each["id"] for each in rest["events"]], rest["complete"]) == (ids[2:], True)
    again = run(rig.shop.get("/v1/events", params={"since": rest["next"]})).json()
    assert again["events"] == []
    by_time = run(rig.shop.get("/v1/events", params={"since": "2099-01-01T00:00:00Z"})).json()
    assert by_time["events"] == []
    first_of_all = run(rig.shop.get("/v1/events", params={"since": "0001-01-01T00:00:00Z"})).json()
    assert [each["id"] for each in first_of_all["events"]][-3:] == ids


def test_a_stream_has_the_old_events_and_the_new_ones(rig: ApiRig) -> None:
    """Its own source's only, and each once; `Last-Event-ID` continues it."""
    before = newest(rig)
    new: list[str] = []
    during = [
        lambda: new.append(sent(rig)),
        lambda: sent(rig, "crm"),
        lambda: new.append(sent(rig)),
    ]
    answer = run(streamed(rig, rig.shop, during, **{"Last-Event-ID": before}))
    assert answer.headers["content-type"].startswith("text/event-stream")
    found = events_of(answer.text)
    assert [json.loads(each["data"])["id"] for each in found] == new
    assert {each["event"] for each in found} == {"sent"}
    last = found[0]["id"]
    answer = run(streamed(rig, rig.shop, [lambda: None], **{"Last-Event-ID": last}))
    assert [json.loads(each["data"])["id"] for each in events_of(answer.text)] == new[1:]


def test_a_stream_ends_with_its_key(rig: ApiRig) -> None:
    """A key that was revoked reads no further event; other keys' streams stay open."""
    secret = rig.key("shop")
    number = list_keys(rig.store)[-1].id

    async def work() -> str:
        rig.stopping = False
        client = rig.client(secret)
        asked = asyncio.create_task(client.get("/v1/events", headers=STREAM))
        await looked(rig)
        assert not asked.done()
        await run_sync(revoke_key, rig.store, number, Actor("ann@ops-1", "INC-1"))
        rig.seconds += 2
        await run_sync(rig.keys.refresh)
        return (await asyncio.wait_for(asked, timeout=PATIENCE)).text

    assert run(work()).startswith("retry: ")


def test_a_client_that_has_gone_occupies_no_stream(rig: ApiRig) -> None:
    """Also one that went before its answer began: it would count until the process ends."""
    secret = rig.secrets["crm"]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "method": "GET",
        "path": "/v1/events",
        "raw_path": b"/v1/events",
        "query_string": b"",
        "headers": [
            (b"authorization", f"Bearer {secret}".encode()),
            (b"accept", b"text/event-stream"),
        ],
    }

    async def gone() -> Any:
        return {"type": "http.disconnect"}

    async def send(_: Any) -> None:
        """Wait for a client that does not read."""
        await asyncio.sleep(60)

    async def work() -> None:
        rig.stopping = False
        for _ in range(feed.MOST_OF_KEY):
            await rig.app(scope, gone, send)

    run(work())
    with rig.feed.stream(list_keys(rig.store, source="crm")[0].id) as room:
        assert room


def test_the_head_of_a_stream_ends(rig: ApiRig) -> None:
    """It has no body, which would keep the connection from its next request."""
    rig.stopping = False
    answer = run(asyncio.wait_for(rig.shop.head("/v1/events", headers=STREAM), timeout=PATIENCE))
    assert answer.status_code == 200


def test_a_key_opens_few_streams(rig: ApiRig) -> None:
    """One that leaks connections does not use up those of others."""

    async def work() -> list[int]:
        rig.stopping = False
        get = rig.shop.get
        asked = [
            asyncio.create_task(get("/v1/events", headers=STREAM))
            for _ in range(feed.MOST_OF_KEY + 1)
        ]
        # The first that ends is the one that is refused.
        await asyncio.wait(asked, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        other = asyncio.create_task(rig.crm.get("/v1/events", headers=STREAM))
        await met(lambda: len(rig.feed._open) == 2 or other.done())
        rig.stopping = True
        return [each.status_code for each in await asyncio.gather(*asked, other)]

    statuses = run(work())
    assert sorted(statuses[:-1]) == [200] * feed.MOST_OF_KEY + [429]
    assert statuses[-1] == 200
    rig.feed.step()
    assert rig.feed.settled is None, "no stream is open, and nothing is read"
