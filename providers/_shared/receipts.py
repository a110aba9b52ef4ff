"""Reading of values that vendors report: text, ids and times that may have any form."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import UUID

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_SEPARATORS = re.compile(r"[\s,]+")


def text(value: object) -> str:
    """Return a text without characters that no database stores; empty if it is not a text."""
    return _UNSTORABLE.sub("\ufffd", value) if isinstance(value, str) else ""


def uuid(value: object) -> UUID | None:
    """Return an id of ours; None if the vendor returned none, or another producer's."""
    try:
        return UUID(value) if isinstance(value, str) and len(value) == 36 else None
    except ValueError:
        return None


def moment(value: object) -> datetime | None:
    """Return a time from seconds since 1970; None if it is not one."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return datetime.fromtimestamp(float(value), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def listed(values: str | Iterable[str]) -> list[str]:
    """Return keys or tokens from a list, or from text with white space or commas between them."""
    texts = [values] if isinstance(values, str) else values
    return [each for one in texts for each in _SEPARATORS.split(one) if each]
