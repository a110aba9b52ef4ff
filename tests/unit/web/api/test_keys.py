"""Keys at the door: every route needs one, and a source's key never sees another's."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from unittest.mock import MagicMock
from uuid import UUID, uuid4

import pytest

from notify.apikeys import KeyScope, list_keys, revoke_key
from notify.message import Channel
from notify.store import Store
from notify.store.apikeys import find_keys
from notify.suppression import Suppression, SuppressionReason, add_entry, source_scope
from notify.web.api.operation import Operation
from notify.web.api.table import operations
from tests.support.api_rig import ANN, ApiRig, email, run
from tests.support.recording import accepted, begin

TABLE = operations(
    sending=MagicMock(),
    notifications=MagicMock(),
    suppressions=MagicMock(),
    templates=MagicMock(),
    events=MagicMock(),
)


def address(operation: Operation, *, id_: object, number: object) -> str:
    """Return the path of an operation with its parameters."""
    path = operation.path.replace("{id:uuid}", str(id_)).replace("{number:int}", str(number))
    return path.replace("{name}", "welcome")


def body(operation: Operation) -> dict[str, Any]:
    """Return a body that the operation accepts."""
    return {
        "sendNotifications": email(),
        "reportFeedback": {"id": str(uuid4()), "outcome": "confirmed"},
        "addSuppression": {"channel": "email", "recipient": "zoe@example.com"},
        "searchSuppressions": {"channel": "email", "recipient": "eve@example.com"},
        "previewTemplate": {"channel": "email"},
    }.get(operation.name, {})


async def ask(rig: ApiRig, secret: str | None, operation: Operation, path: str) -> Any:
    """Return the answer to an operation with a key."""
    content = None if operation.body is None else body(operation)
    async with rig.client(secret) as client:
        return await client.request(operation.method, path, json=content)


@pytest.mark.parametrize("operation", TABLE, ids=lambda each: each.name)
def test_every_route_needs_a_key_with_its_scope(rig: ApiRig, operation: Operation) -> None:
    """Without one 401, with any other scope 403; and the answer is a problem document."""
    path = address(operation, id_=uuid4(), number=1)
    for secret in (None, "notify_wrong", ""):
        answer = run(ask(rig, secret, operation, path))
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.headers["content-type"] == "application/problem+json"
    others = [each for each in KeyScope if each is not operation.scope]
    assert run(ask(rig, rig.key("shop", *others), operation, path)).status_code == 403
    mine = run(ask(rig, rig.key("shop", operation.scope), operation, path))
    assert mine.status_code not in (401, 403)


def test_only_the_description_and_the_probes_need_no_key(rig: ApiRig) -> None:
    """A new route without a key would be found here."""
    open_ = {"/v1/openapi.json", "/v1/docs", "/v1/docs.css", "/livez", "/readyz"}
    app: Any = rig.app
    paths = {route.path for route in app._app._app.routes}
    assert paths == open_ | {each.path.replace(":int}", "}") for each in TABLE}


@pytest.fixture(scope="module")
def secrets_of_shop(shared_rig: ApiRig) -> list[str]:
    """The texts by which an answer would show something of the source shop."""
    store = shared_rig.store
    entry = begin(store, source="shop", to="eve@example.com", template="only_of_shop")
    store.record([accepted(entry)])
    batch = uuid4()
    member = begin(store, source="shop", batch_id=batch, idempotency_key="key-of-shop")
    item = Suppression(
        channel=Channel.EMAIL,
        reason=SuppressionReason.OPT_OUT,
        since=store.clock(),
        recipient="eve@example.com",
        scope=source_scope("shop"),
    )
    added = add_entry(store, item, ANN, now=store.clock())
    assert added is not None
    ids = [str(each) for each in (entry.notification.id, member.notification.id, batch)]
    return [*ids, str(added.id), "only_of_shop", "key-of-shop", "source:shop"]


@pytest.mark.parametrize("operation", TABLE, ids=lambda each: each.name)
def test_a_sources_key_sees_and_changes_nothing_of_another(
    rig: ApiRig, secrets_of_shop: list[str], operation: Operation
) -> None:
    """Over all routes, with the other source's own ids."""
    *ids, number = secrets_of_shop[:4]
    before = _state(rig.store, ids)
    for id_ in ids:
        path = address(operation, id_=id_, number=number)
        queries = [""]
        if operation.name == "listNotifications":
            queries = ["", f"?batch={ids[-1]}", "?template=only_of_shop"]
        for query in queries:
            answer = run(ask(rig, rig.secrets["crm"], operation, path + query))
            # An answer repeats no path: the ids that it contains are from the record.
            shown = [each for each in secrets_of_shop if len(each) > 4 and each in answer.text]
            assert shown == [], (operation.name, answer.text)
            if "{id" in operation.path or "{number" in operation.path:
                assert answer.status_code == 404
    assert _state(rig.store, ids) == before
    assert all(".crm" in each.routing_key for each in rig.broker.sent)


def _state(store: Store, ids: list[str]) -> object:
    """Return the other source's notifications and suppressions."""
    stories = [store.known_as(UUID(each)) for each in ids]
    with store.reading() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM suppressions WHERE scope='source:shop'")
        return stories, [tuple(row) for row in rows]


def test_the_other_sources_key_does_see_its_own(rig: ApiRig, secrets_of_shop: list[str]) -> None:
    """The walk above is not vacuous."""
    found = run(rig.shop.get("/v1/notifications")).text
    assert secrets_of_shop[0] in found
    found = run(rig.shop.get("/v1/suppressions")).text
    assert "source:shop" in found
    events = run(rig.shop.get("/v1/events")).json()
    assert secrets_of_shop[0] in {each["id"] for each in events["events"]}


def test_a_guess_is_compared_by_its_hash_alone(rig: ApiRig) -> None:
    """
    The time of a refusal says nothing about how much of a guess is right.

    A key is looked up by SHA-256 in a table: no comparison reads the guess itself, whether it has
    the right beginning or none; and all wrong keys get one answer.
    """
    secret = rig.secrets["shop"]
    guesses = [secret[:-1] + ("A" if secret[-1] != "A" else "B"), "notify_" + "A" * 43, secret[:9]]
    answers = set()
    for guess in guesses:
        answer = run(rig.client(guess).get("/v1/templates"))
        answers.add((answer.status_code, answer.text, tuple(sorted(answer.headers))))
    assert len(answers) == 1
    with rig.store.reading() as connection:
        hashes = {row.hash for row in find_keys(connection)}
    assert set(rig.keys._keys or ()) <= hashes
    assert all(re.fullmatch(b".{32}", each, re.S) for each in hashes)


def test_a_key_works_at_once_and_ends_after_the_next_read(rig: ApiRig) -> None:
    """An unknown key has the keys read again, at most once a second."""
    secret = rig.key("shop", KeyScope.READ)
    client = rig.client(secret)
    assert run(client.get("/v1/templates")).status_code == 200
    revoke_key(rig.store, list_keys(rig.store)[-1].id, ANN)
    assert run(rig.client(secret).get("/v1/templates")).status_code == 200
    rig.seconds += timedelta(seconds=2).total_seconds()
    rig.keys.refresh()
    assert run(rig.client(secret).get("/v1/templates")).status_code == 401
