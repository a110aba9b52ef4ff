"""The audit of revealed personal data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from notify.store import Actor, Store, write_audit


def record_disclosure(store: Store, actor: Actor, *, details: Mapping[str, Any]) -> None:
    """
    Record that personal data is shown to an operator. Call it before it is shown.

    Args:
        details: The objects by number or id, such as `{"notification": ID}`; never the data.
    """
    now = store.clock()
    with store.writing() as connection:
        write_audit(connection, actor, "console.reveal", details=details, at=now)
