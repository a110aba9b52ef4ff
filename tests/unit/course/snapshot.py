"""The record at one moment, read without the product's own queries."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from notify.message import Outcome, Status
from notify.store.sealing.row_cipher import RowCipher

Key = tuple[str, str, int]
"""Source, idempotency key and position, which identify a notification."""


class Row(NamedTuple):
    """One notification; ids and times as SQLite keeps them."""

    id: str
    source: str
    idempotency_key: str
    position: int
    digest: bytes
    lane: str
    status: str
    fence: int
    attempts: int
    possible_duplicate: int
    due_at: str | None
    relay_until: str | None
    expires_at: str | None
    batch_id: str | None

    @property
    def key(self) -> Key:
        """Its identity."""
        return self.source, self.idempotency_key, self.position

    @property
    def stands(self) -> Status:
        """Its status, as an enum."""
        return Status(self.status)


class Attempt(NamedTuple):
    """One call on record."""

    id: str
    notification_id: str
    number: int
    started_at: str
    outcome: str | None


class Letter(NamedTuple):
    """One dead letter."""

    id: int
    body: bytes
    routing_key: str
    cause: str
    state: str
    fingerprint: bytes
    key_id: str | None

    def opened(self, cipher: RowCipher) -> Letter:
        """Return the body unsealed."""
        body = cipher.open_letter_part(self.fingerprint, self.key_id, "body", self.body)
        return self._replace(body=body)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The whole record."""

    rows: Mapping[str, Row]
    attempts: Mapping[str, Attempt]
    letters: Sequence[Letter]

    @classmethod
    def of(cls, database: sqlite3.Connection, cipher: RowCipher) -> Snapshot:
        """Read the committed record; no transaction may be open."""
        rows = [Row(*each) for each in database.execute(_select(Row, "notifications"))]
        calls = database.execute(f"{_select(Attempt, 'attempts')} ORDER BY number")
        attempts = [Attempt(*each) for each in calls]
        found = [Letter(*each) for each in database.execute(_select(Letter, "dead_letters"))]
        letters = [each.opened(cipher) for each in found]
        return cls({row.id: row for row in rows}, {each.id: each for each in attempts}, letters)

    def calls_of(self, id_: str, *outcomes: Outcome | None) -> list[Attempt]:
        """Return a notification's calls with these outcomes, in order."""
        return [
            each
            for each in self.attempts.values()
            if each.notification_id == id_ and each.outcome in outcomes
        ]


def histories(database: sqlite3.Connection) -> dict[str, list[Status]]:
    """Return each notification's events, in order."""
    told: dict[str, list[Status]] = {}
    for id_, status in database.execute("SELECT notification_id, status FROM events ORDER BY id"):
        told.setdefault(id_, []).append(Status(status))
    return told


def _select(of: type[Row | Attempt | Letter], table: str) -> str:
    return f"SELECT {', '.join(of._fields)} FROM {table}"  # noqa: S608 - our own names
