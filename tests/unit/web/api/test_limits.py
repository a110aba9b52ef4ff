"""The bounds of a client: rate, size, time, and addresses that do not exist."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from notify.contract import check_document
from tests.support.api_rig import BODY_LIMIT, ApiRig, email, run
from tests.support.clocks import Clock
from tests.support.migrated import migrated

PROBLEM = "application/problem+json"
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def slow_rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiRig]:
    """An API whose keys may send 5 at once and 5 a second, of a clock that stands."""
    store = migrated(f"sqlite:///{tmp_path_factory.mktemp('slow') / 'notify.db'}")
    clock = Clock()
    clock.keep(store)
    yield ApiRig(store, rate=5, monotonic=clock)
    store.close()


def test_a_key_that_has_used_its_rate_is_refused(slow_rig: ApiRig) -> None:
    """With the fields that tell a client how to go on; another key is not affected."""
    answer = run(slow_rig.shop.post("/v1/notifications", json=[email()] * 3))
    assert answer.status_code == 202
    assert answer.headers["ratelimit-policy"] == '"api";q=5;w=1'
    assert answer.headers["ratelimit"] == '"api";r=2;t=1'
    refused = run(slow_rig.shop.post("/v1/notifications", json=[email()] * 5))
    assert (refused.status_code, refused.headers["content-type"]) == (429, PROBLEM)
    assert int(refused.headers["retry-after"]) == 1
    assert "ratelimit" in refused.headers
    assert len(slow_rig.broker.sent) == 3, "none of the five was published"
    assert run(slow_rig.crm.get("/v1/templates")).status_code == 200


def test_more_than_a_key_may_ever_send_at_once_is_not_to_be_repeated(slow_rig: ApiRig) -> None:
    """To wait would not help: the client has to split the request."""
    refused = run(slow_rig.crm.post("/v1/notifications", json=[email()] * 6))
    assert (refused.status_code, refused.headers["content-type"]) == (413, PROBLEM)
    assert "at most 5 notifications at once" in refused.json()["detail"]
    assert "retry-after" not in refused.headers


def test_a_broken_body_counts(tmp_path: Path) -> None:
    """To find its mistakes costs as much as to accept it."""
    store = migrated(f"sqlite:///{tmp_path / 'notify.db'}")
    rig = ApiRig(store, rate=0.001)
    used = 0
    while run(rig.shop.post("/v1/notifications", content=b"{", headers=JSON)).status_code == 422:
        used += 1
        assert used < 10
    assert run(rig.shop.post("/v1/notifications", json=email())).status_code == 429
    store.close()


@pytest.mark.parametrize(
    ("headers", "status"),
    [({**JSON, "Content-Length": str(BODY_LIMIT + 1)}, 413), ({"Content-Type": "text/xml"}, 415)],
)
def test_a_body_that_is_refused_unread_counts(
    tmp_path: Path, headers: dict[str, str], status: int
) -> None:
    """Otherwise a client that does not stop would have no limit."""
    store = migrated(f"sqlite:///{tmp_path / 'notify.db'}")
    rig = ApiRig(store, rate=0.001)
    answers = [
        run(rig.shop.post("/v1/notifications", content=b"{", headers=headers)) for _ in range(5)
    ]
    statuses = [each.status_code for each in answers]
    assert statuses == sorted(statuses)
    assert set(statuses) == {status, 429}
    assert all("ratelimit" in each.headers for each in answers)
    if status == 413:
        assert {each.headers["connection"] for each in answers} == {"close"}
    store.close()


@pytest.mark.parametrize("name", ["Authorization", "Idempotency-Key"])
def test_a_header_that_is_there_twice_is_refused(rig: ApiRig, name: str) -> None:
    """A proxy may act on one of them, and this process on the other."""
    headers = [*rig.shop.headers.items(), (name, rig.shop.headers["authorization"]), (name, "b")]
    answer = run(rig.shop.post("/v1/notifications", json=email(), headers=headers))
    assert (answer.status_code, answer.headers["content-type"]) == (400, PROBLEM)
    assert f"the header {name} is there twice" in answer.json()["detail"]


def test_a_large_body_is_refused_before_it_is_read(rig: ApiRig) -> None:
    """By its declared length; one that lies, once it has exceeded the limit."""
    headers = {"Content-Type": "application/json", "Content-Length": str(BODY_LIMIT + 1)}
    read = []

    async def body() -> AsyncIterator[bytes]:
        for _ in range(100):
            read.append(1)
            yield b" " * 10_000

    refused = run(rig.shop.post("/v1/notifications", content=body(), headers=headers))
    assert (refused.status_code, refused.headers["content-type"]) == (413, PROBLEM)
    assert refused.headers["connection"] == "close"
    undeclared = run(
        rig.shop.post(
            "/v1/notifications", content=body(), headers={"Content-Type": "application/json"}
        )
    )
    assert undeclared.status_code == 413
    zipped = gzip.compress(b" " * 10 * BODY_LIMIT)
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    answer = run(rig.shop.post("/v1/notifications", content=zipped, headers=headers))
    assert answer.status_code == 413
    assert rig.broker.sent == []


def test_a_compressed_body_is_read(rig: ApiRig) -> None:
    """Arrays compress well."""
    zipped = gzip.compress(json.dumps([email()] * 10).encode())
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    answer = run(rig.shop.post("/v1/notifications", content=zipped, headers=headers))
    assert answer.status_code == 202


def test_a_slow_body_is_refused(rig: ApiRig) -> None:
    """It would occupy a connection."""

    async def body() -> AsyncIterator[bytes]:
        yield b"["
        await anyio.sleep(1)
        yield b"]"

    headers = {"Content-Type": "application/json"}
    refused = run(rig.shop.post("/v1/notifications", content=body(), headers=headers))
    assert (refused.status_code, refused.headers["content-type"]) == (408, PROBLEM)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/v1/notifications/../../etc/passwd", 404),
        ("GET", "/v1/notifications/not-a-uuid", 404),
        ("DELETE", "/v1/suppressions/99999999999999999999", 404),
        ("DELETE", f"/v1/suppressions/{'9' * 5000}", 404),
        ("DELETE", "/v1/suppressions/-1", 404),
        ("DELETE", "/v1/notifications", 405),
        ("GET", "/v1/notifications?limit=0", 400),
        ("GET", "/v1/notifications?limit=10&limit=20", 400),
        ("GET", "/v1/notifications?recipient=ann@example.com", 400),
        ("GET", "/v1/notifications?after=x", 400),
        ("GET", "/v1/events?since=yesterday", 400),
        ("GET", "/v1/events?since=2026-01-01T00:00:00", 400),
        ("GET", "/v1/suppressions?before=-1", 400),
        ("POST", "/v1/templates/..%2f..%2fetc/preview", 404),
        ("POST", "/v1/templates/no_such/preview", 404),
    ],
)
def test_every_error_is_a_problem_document(
    rig: ApiRig, method: str, path: str, status: int
) -> None:
    """With its type, title and status."""
    content = {"channel": "email"} if method == "POST" else None
    answer = run(rig.shop.request(method, path, json=content))
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM)
    body = answer.json()
    assert body["status"] == status
    assert body["type"].startswith("urn:notify:problem:")
    assert body["title"]
    if status == 405:
        assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "POST"}


def test_another_content_type_is_refused(rig: ApiRig) -> None:
    """A form of another site can send no JSON, and has no key either."""
    headers = {"Content-Type": "text/plain"}
    refused = run(rig.shop.post("/v1/notifications", content="{}", headers=headers))
    assert refused.status_code == 415


def test_a_fault_shows_nothing_of_itself(rig: ApiRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its text may contain anything."""
    monkeypatch.setattr("notify.apikeys.acceptance.digest_of", lambda *_: 1 / 0)
    answer = run(rig.shop.post("/v1/notifications", json=email(idempotency_key="x")))
    assert (answer.status_code, answer.headers["content-type"]) == (500, PROBLEM)
    assert "division" not in answer.text


def test_a_fault_in_one_request_is_not_the_answer_of_others(
    rig: ApiRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests of one key that arrive together share a thread."""

    def check(document: dict[str, Any], *args: Any, **options: Any) -> Any:
        return (
            1 / 0 if document["subject"] == "fault" else check_document(document, *args, **options)
        )

    monkeypatch.setattr("notify.apikeys.acceptance.check_document", check)

    async def play() -> list[int]:
        subjects = ("one", "fault", "two", "three")
        posts = [rig.shop.post("/v1/notifications", json=email(subject=each)) for each in subjects]
        return [each.status_code for each in await asyncio.gather(*posts)]

    assert run(play()) == [202, 500, 202, 202]
    assert len(rig.broker.sent) == 3
