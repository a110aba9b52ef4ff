"""Erasing a recipient from the dead letters, in every form a letter may have."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, null, select, update

from notify.contract import same_recipient
from notify.message import Identity
from notify.store.deadletters.archive import PARTS, LetterState, open_parts
from notify.store.deadletters.letter_text import document_of, searchable_texts
from notify.store.ids import identities
from notify.store.privacy.erasure import Person, batches
from notify.store.queries import ERASED
from notify.store.sealing.row_cipher import cipher_of
from notify.store.tables import dead_letters

_AT_ONCE = 50
_TEXTS = ("message_id", "reason", "routing_key", "mended_key")


@dataclass(frozen=True, slots=True)
class LetterMatch:
    """
    One letter that contains data of a person.

    Attributes:
        waits: Whether no operator has settled it yet.
        shared: Whether it is also for other recipients.
    """

    id: int
    waits: bool
    shared: bool


def letters_of(connection: Connection, person: Person, ids: Sequence[UUID]) -> list[LetterMatch]:
    """
    Return the letters that contain a person's address, or ask for one of these notifications.

    Every letter is read: bodies have no index.

    Raises:
        Sealed: The keyring cannot open one of them.
    """
    columns, cipher, known = dead_letters.c, cipher_of(connection), set[Identity]()
    for batch in batches(ids, _AT_ONCE):
        known |= identities(connection, batch)
    names = ("state", "source", "notification_id", *_TEXTS)
    query = select(*PARTS, *(columns[name] for name in names))
    query = query.where(columns.erased_at.is_(None)).order_by(columns.id)
    found = []
    for row in connection.execute(query.execution_options(yield_per=_AT_ONCE)):
        parts = open_parts(cipher, row)
        if (row.source, row.notification_id) in known or _within(person, row, parts):
            body = parts["mended_body"] or parts["body"]
            found.append(
                LetterMatch(row.id, row.state == LetterState.WAITING, _shared(body, person))
            )
    return found


def _within(person: Person, row: Row[Any], parts: dict[str, Any]) -> bool:
    texts = [row._mapping[name] for name in _TEXTS]
    texts += [json.dumps(parts["properties"], ensure_ascii=False)]
    texts += [text for name in ("body", "mended_body") for text in searchable_texts(parts[name])]
    return any(person.is_in(text) for text in texts)


def _shared(body: bytes, person: Person) -> bool:
    """Return whether a letter is also for other recipients; one that cannot be read is not."""
    document = document_of(body)
    if not isinstance(document, dict):
        return False
    return any(
        not isinstance(each, str) or not same_recipient(each, person.recipient)
        for each in _addresses(document)
    )


def _addresses(document: dict[str, Any]) -> list[Any]:
    """Return the recipients of a request, or those that the receipts of one message name."""
    to, receipts = document.get("to"), document.get("receipts")
    if to is None and isinstance(receipts, list):
        named = [each.get("recipient") for each in receipts if isinstance(each, dict)]
        return [each for each in named if each]
    if to is None:
        return []
    recipients = to if isinstance(to, list) else [to]
    return [each.get("to") if isinstance(each, dict) else each for each in recipients]


def erase_letters(
    connection: Connection, person: Person, ids: Sequence[int], *, now: datetime
) -> None:
    """Remove all content from letters; one that still waits is also discarded."""
    columns = dead_letters.c
    query = select(columns.id, columns.state, *(columns[name] for name in _TEXTS))
    query = query.where(columns.id.in_(ids), columns.erased_at.is_(None)).order_by(columns.id)
    for row in connection.execute(query.with_for_update()).all():
        texts = {name: row._mapping[name] for name in _TEXTS}
        values: dict[str, Any] = {
            name: ERASED if name == "routing_key" else None
            for name, text in texts.items()
            if person.is_in(text)
        }
        if row.state == LetterState.WAITING:
            values |= {"state": LetterState.DISCARDED, "state_at": now}
        nothing: dict[str, Any] = {
            "properties": {},
            "body": b"",
            "mended_body": None,
            "refused_event": null(),
            "publish_to": None,
            "key_id": None,
        }
        # The fingerprint is of the content. If the message dies again, it is a new letter.
        change = values | nothing | {"fingerprint": os.urandom(32), "erased_at": now}
        connection.execute(update(dead_letters).where(columns.id == row.id).values(change))
