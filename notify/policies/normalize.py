"""Normalizing the values that a provider returns or raises, so that any database can store them."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from notify.policies.retry import LONGEST_RETRY_AFTER

EARLIEST = 1970
"""The year before which no vendor noticed anything."""

_STATUS = re.compile(r"[1-9][0-9]{2}")


def text(value: object, *, longest: int) -> str | None:
    """
    Return a vendor's id, code or reason as printable text.

    Numbers and UUIDs are written out and bytes are decoded. Half surrogates, control characters
    and the like become question marks.

    Args:
        longest: How many characters to keep.

    Returns:
        None if the value is empty, a number with too many digits, or of a type whose text might
        contain personal data.
    """
    if isinstance(value, bytes | bytearray):
        value = value.decode(errors="replace")
    if isinstance(value, int | float | Decimal | UUID) and not isinstance(value, bool):
        try:
            value = str(value)
        except ValueError:
            # Python refuses to write an integer of more than some thousands of digits.
            return None
    if not isinstance(value, str):
        return None
    # A subclass may override its text, and drivers check for the exact type.
    plain = str.__str__(value)[:longest]
    if not plain.isprintable():
        plain = "".join(each if each.isprintable() else "?" for each in plain)
    return plain or None


def http_status(value: object) -> int | None:
    """Return an HTTP status as a number of three digits; None if it is not one."""
    written = text(value, longest=4) or ""
    return int(written) if _STATUS.fullmatch(written) else None


def seconds(value: object) -> float | None:
    """
    Return a wait in seconds, between 0.0 and `LONGEST_RETRY_AFTER`; None if it is not a number.

    Bounded, since not every float fits in a clock or date.
    """
    if not isinstance(value, int | float | Decimal | str) or isinstance(value, bool):
        return None
    try:
        wait = float(value)
    except (ValueError, OverflowError):
        return None
    return None if math.isnan(wait) else min(max(wait, 0.0), LONGEST_RETRY_AFTER)


def moment(value: object) -> datetime | None:
    """Return a time in UTC that a database can store; None if it is not a time with a zone."""
    if not isinstance(value, datetime) or value.tzinfo is None:
        return None
    try:
        at = value.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return at if at.year >= EARLIEST else None
