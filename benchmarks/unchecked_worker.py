"""`notify worker` without the check of the suppression list: the baseline of its cost."""

from __future__ import annotations

from notify.cli import main
from notify.store.delivery import postgresql

_SCAN = "recipient_hash = ANY (%(hashes)b::bytea[])"


def unchecked() -> str:
    """Return the claim's statement with a check that PostgreSQL's planner removes."""
    statement = postgresql._CLAIM
    if _SCAN not in statement:
        raise RuntimeError("the statement does not contain the check")
    return statement.replace(_SCAN, "false")


if __name__ == "__main__":
    postgresql._CLAIM = unchecked()
    main()
