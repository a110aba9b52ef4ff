"""The audit of checks that users start from the console."""

from __future__ import annotations

from notify.people.sessions import SignedIn
from notify.store import Store, write_audit


def record_check(store: Store, user: SignedIn, *, check: str) -> None:
    """
    Record that a user starts a check, `doctor` or `ledger`.

    Raises:
        StoreError: The record cannot be written.
    """
    actor = user.actor(f"started the {check}")
    now = store.clock()
    with store.writing() as connection:
        write_audit(connection, actor, "console.check", details={"check": check}, at=now)
