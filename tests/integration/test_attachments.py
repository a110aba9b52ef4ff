"""Attachments through a real broker and worker: sent whole, stored apart, tried again, deleted."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select

from notify.message import Status
from notify.sandbox.behaviour import Behaviour
from notify.store import Filter
from notify.store.deadletters.search import LetterFilter, find_letters
from notify.store.tables import attempts, audit, dead_letters, notifications, shared_bodies
from tests.support.rig import Rig, surroundings, until

CONTENT = b"%PDF-" + bytes(range(256)) * 27_343
"""Nearly seven megabytes, the most that a request may have."""
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def _file(content: bytes = CONTENT) -> dict[str, str]:
    encoded = b64encode(content).decode()
    return {"name": "terms.pdf", "type": "application/pdf", "content": encoded}


def _publish(rig: Rig, to: object, **fields: Any) -> UUID:
    id_ = uuid4()
    body = {"id": str(id_), "to": to, "subject": "Terms", "html": "<p>Hi</p>", **fields}
    rig.publish(json.dumps(body).encode(), key="email.normal.shop")
    return id_


def _counts(rig: Rig) -> dict[Status, int]:
    return {status: n for status, n in rig.store.count(Filter()).items() if n}


def _tried(rig: Rig) -> int:
    """Count the notifications whose first call has ended."""
    called = select(func.count(attempts.c.notification_id.distinct()))
    with rig.store.reading() as connection:
        ended = attempts.c.outcome.is_not(None)
        return int(connection.execute(called.where(ended)).scalar_one())


def _bodies(rig: Rig) -> tuple[list[int], list[int]]:
    """Return the sizes of the bodies and of their shared parts on record."""
    with rig.store.reading() as connection:
        own = connection.execute(select(notifications.c.body)).all()
        shared = connection.execute(select(shared_bodies.c.content)).all()
        return [len(row.body) for row in own], [len(row.content) for row in shared]


def test_the_largest_files_arrive_whole(rig: Rig) -> None:
    """One recipient and a batch: each gets the file; the record has it once for each request."""
    with rig.worker():
        _publish(rig, "ann@example.com", attachments=[_file()], reply_to="help@example.com")
        people = [f"a{n}@example.com" for n in range(10)]
        _publish(rig, people, attachments=[_file()], headers={"X-Order-Id": "7"})
        until(lambda: _counts(rig) == {Status.SENT: 11})

    messages = rig.sandbox.messages()
    assert {message.to for message in messages} == {"ann@example.com", *people}
    for message in messages:
        (file,) = message.details["attachments"]
        assert (file["filename"], file["sha256"]) == ("terms.pdf", DIGEST)
        assert message.text == "Hi"
    (alone,) = (message for message in messages if message.to == "ann@example.com")
    assert alone.details["reply_to"] == {"email": "help@example.com"}
    assert all(
        message.details["headers"]["X-Order-Id"] == "7" for message in messages if message != alone
    )
    own, shared = _bodies(rig)
    assert max(own) < 2000
    assert len(shared) == 2


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_files_wait_and_are_tried_again(rig: Rig) -> None:
    """A later time, and a vendor that is down: the relay publishes them with their files."""
    small = _file(b"%PDF-small")
    at = datetime.now(UTC) + timedelta(seconds=2)
    rig.sandbox.switch.set(behaviour=Behaviour.DOWN)
    with rig.worker():
        for n in range(3):
            _publish(rig, f"a{n}@example.com", attachments=[small], send_at=at.isoformat())
        _publish(rig, ["b@example.com", "c@example.com"], attachments=[small])
        until(lambda: _tried(rig) == 5)
        rig.sandbox.switch.set(behaviour=Behaviour.DELIVER)
        until(lambda: _counts(rig) == {Status.SENT: 5})

    digest = hashlib.sha256(b"%PDF-small").hexdigest()
    for message in rig.sandbox.messages():
        (file,) = message.details["attachments"]
        assert file["sha256"] == digest
    assert len(rig.sandbox.messages()) == 5
    assert len(_bodies(rig)[1]) == 4


@pytest.fixture
def sqlite_rig(tmp_path: Path, broker_url: str) -> Iterator[Rig]:
    """A worker's surroundings on SQLite: a replay publishes the same bytes from any database."""
    url = f"sqlite:///{tmp_path}/notify.db"
    with surroundings(tmp_path, broker_url=broker_url, store_url=url) as rig:
        yield rig


def _letters(rig: Rig) -> list[str]:
    with rig.store.reading() as connection:
        return [str(each.id) for each in find_letters(connection, LetterFilter(), limit=9)]


def test_a_replayed_dead_letter_has_its_files(
    sqlite_rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The archive shows no content; an erasure deletes it there and in the record."""
    rig = sqlite_rig
    monkeypatch.setenv("NOTIFY_LANES__NORMAL__ATTEMPTS", "1")
    canary = b"%PDF-canary"
    encoded = b64encode(canary).decode()
    rig.sandbox.switch.set(behaviour=Behaviour.DOWN)
    with rig.worker(), rig.worker("dead", pool="dead"):
        _publish(rig, "ann@example.com", attachments=[_file(canary)])
        until(lambda: bool(_letters(rig)))
        (letter,) = _letters(rig)
        shown = rig.notify("dead", "show", letter).out
        assert "terms.pdf" in shown
        assert encoded not in shown
        rig.sandbox.switch.set(behaviour=Behaviour.DELIVER)
        replayed = rig.notify("dead", "replay", letter, "--reason", "INC-7", "--yes")
        assert replayed.code == 0, replayed
        until(lambda: _counts(rig) == {Status.SENT: 1})
        (message,) = rig.sandbox.messages()
        assert message.details["attachments"][0]["sha256"] == hashlib.sha256(canary).hexdigest()
        erased = rig.notify("erase", "ann@example.com", "--yes", "--reason", "INC-8")
        assert erased.code == 0, erased
    assert _bodies(rig)[1] == []
    with rig.store.reading() as connection:
        for row in connection.execute(select(dead_letters.c.body)):
            assert encoded.encode() not in row.body
        assert encoded not in str(connection.execute(select(audit)).all())
