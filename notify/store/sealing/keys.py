"""The keys that have sealed rows of this record, so that a wrong keyring is found at the start."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, select

from notify.errors import Sealed
from notify.keyring import HASH, NAME, Keyring
from notify.store.db import upsert
from notify.store.tables import keys


def compare_keys(connection: Connection, keyring: Keyring) -> dict[str, bytes]:
    """
    Compare a keyring with the keys on record.

    Returns:
        The proofs to record before this keyring seals anything; mostly none.

    Raises:
        Sealed: The keyring lacks a key, or has another one under its name.
    """
    proofs = keyring.proofs()
    recorded = {row.id: row.proof for row in connection.execute(select(keys.c.id, keys.c.proof))}
    for name, proof in sorted(recorded.items()):
        if name not in proofs:
            hint = f"add it to {NAME}" if keyring.names else f"there is no {NAME}"
            raise Sealed(f"the record is sealed with the key {name}: {hint}", key=name)
        if proofs[name] != proof:
            text = f"{NAME} has another key {name} than the one that the record is sealed with"
            raise Sealed(text, key=name)
    if keyring.current is None:
        return {}
    return {name: proofs[name] for name in (keyring.current, HASH) if name not in recorded}


def add_keys(connection: Connection, proofs: Mapping[str, bytes], *, now: datetime) -> None:
    """Record keys that will seal rows; existing ones stay as they are."""
    rows = [{"id": name, "proof": proof, "since": now} for name, proof in proofs.items()]
    connection.execute(upsert.insert(keys, connection).on_conflict_do_nothing(), rows)
