"""Three ledgers of one drill: the publisher's, the record, the vendors'."""

from __future__ import annotations

import enum
import hashlib
import json
import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select

from notify.message import Channel, Outcome, Status
from notify.sandbox import Behaviour, Effect
from notify.store import Store
from notify.store.tables import attempts, dead_letters, events, notifications

LOST_ANSWERS = frozenset(
    {
        Behaviour.ERROR,
        Behaviour.BROKEN,
        Behaviour.GARBLED,
        Behaviour.HANG,
        Behaviour.MUTE,
        Behaviour.RESET,
        Behaviour.LOST,
    }
)
"""After these answers, we cannot know whether the vendor accepted the message."""


class Fate(enum.StrEnum):
    """The state of a message, as its publisher knows it."""

    TRYING = "trying"
    CONFIRMED = "confirmed"
    UNCONFIRMED = "unconfirmed"


@dataclass(frozen=True, slots=True)
class Published:
    """One message as its producer knows it; the latest entry counts."""

    key: str
    """The notification's id; of a poisonous message, the digest of its body."""
    fate: Fate
    poison: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """One row of the attempt journal."""

    id: str
    started_at: datetime
    outcome: Outcome | None


@dataclass(frozen=True, slots=True)
class Row:
    """One notification on record."""

    id: str
    channel: Channel
    status: Status
    due_at: datetime | None
    possible_duplicate: bool
    calls: tuple[Call, ...] = ()
    history: tuple[Status, ...] = ()
    """Each change of its status, in order."""

    @property
    def settled(self) -> bool:
        """Whether it is in a final state."""
        return self.status.final and self.due_at is None


@dataclass(frozen=True, slots=True)
class Recorded:
    """The record and the dead letters at the end of a drill."""

    rows: tuple[Row, ...]
    dead: tuple[bytes, ...] = ()
    """The body of each dead letter that is neither replayed nor discarded."""
    waiting: int = 0
    """Messages left in the work queues."""
    announced: frozenset[tuple[str, str]] | None = None
    """The id and status of each event that a subscriber received; None without a subscriber."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One request that reached a vendor."""

    id: str
    attempt_id: str
    at: datetime
    accepted: bool
    """Whether the vendor sends the message, whatever it answered."""
    lost: bool
    """Whether its answer was lost on purpose."""


@dataclass(slots=True)
class Journal:
    """The publisher's ledger: a line before each try and one after it, synced to disk."""

    path: Path
    _latest: dict[str, Published] = field(default_factory=dict)
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def note(self, words: Iterable[Published]) -> None:
        """Append, and sync to disk."""
        noted = list(words)
        with self._turn, self.path.open("a") as file:
            for word in noted:
                line = {"key": word.key, "fate": word.fate, "poison": word.poison}
                file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self._latest.update((word.key, word) for word in noted)

    def latest(self) -> list[Published]:
        """Return the latest entry for each message."""
        return list(self._latest.values())


def digest(body: bytes) -> str:
    """Return a name for a body without an id."""
    return hashlib.sha256(body).hexdigest()


def id_in(body: bytes) -> str | None:
    """Return a message's id, or None if it cannot be read."""
    try:
        id_ = json.loads(body)["id"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    return id_ if isinstance(id_, str) else None


def read_record(
    store: Store,
    *,
    dead: Iterable[bytes],
    waiting: int,
    announced: Iterable[bytes] | None = None,
) -> Recorded:
    """
    Read the record and the archive.

    Args:
        dead: The bodies that are still in the dead queue.
        announced: The events that a subscriber received; None without a subscriber.
    """
    with store.reading() as connection:
        calls: dict[str, list[Call]] = {}
        for call in connection.execute(select(attempts).order_by(attempts.c.number)):
            outcome = Outcome(call.outcome) if call.outcome else None
            journalled = Call(str(call.id), call.started_at, outcome)
            calls.setdefault(str(call.notification_id), []).append(journalled)
        history: dict[str, list[Status]] = {}
        for event in connection.execute(select(events).order_by(events.c.id)):
            history.setdefault(str(event.notification_id), []).append(Status(event.status))
        left = dead_letters.c.state.not_in(["replayed", "discarded"])
        archived: list[bytes] = list(
            connection.execute(select(dead_letters.c.body).where(left)).scalars()
        )
        rows = [_row(row, calls, history) for row in connection.execute(select(notifications))]
    received = None
    if announced is not None:
        bodies = map(json.loads, announced)
        received = frozenset((event["id"], event["status"]) for event in bodies)
    return Recorded(tuple(rows), (*dead, *archived), waiting, received)


def _row(row: Any, calls: dict[str, list[Call]], history: dict[str, list[Status]]) -> Row:
    id_ = str(row.id)
    return Row(
        id=id_,
        channel=Channel(row.channel),
        status=Status(row.status),
        due_at=row.due_at,
        possible_duplicate=row.possible_duplicate,
        calls=tuple(calls.get(id_, ())),
        history=tuple(history.get(id_, ())),
    )


def read_sandbox(path: Path) -> list[Seen]:
    """Read the sandbox's ledger from its file, which is complete."""
    lines = (json.loads(line) for line in path.read_text().splitlines())
    return [
        Seen(
            id=line["notify_id"],
            attempt_id=line["attempt_id"],
            at=datetime.fromisoformat(line["at"]),
            accepted=line["did"] == Effect.ACCEPTED,
            lost=line["behaviour"] in LOST_ANSWERS,
        )
        for line in lines
    ]
