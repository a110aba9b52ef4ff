"""Entries in a CSV file: read for an import, written by an export."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from notify.channels import CHANNELS
from notify.contract import normal_form
from notify.message import Channel
from notify.store.suppression import ALL, ListedSuppression, Suppression, SuppressionReason

COLUMNS = (
    *("id", "channel", "hash", "scope", "reason", "binding", "evidence", "provider"),
    *("since", "until"),
)
"""The columns of an export; an import reads them too."""

_SCOPE = re.compile(
    r"all|source:[a-z0-9][a-z0-9_-]{0,62}"
    r"|category:[a-z][a-z0-9_-]{0,30}(?:/[a-z0-9][a-z0-9_-]{0,62})?|sender:.{1,64}"
)
_Word = TypeVar("_Word", Channel, SuppressionReason)
_HASH = re.compile(r"[0-9a-f]{32}")
_RECIPIENT = ("recipient", "email", "phone", "to", "address")
_LONGEST = 4096


class CsvProblem(ValueError):
    """A row that cannot be imported; the text names the column, never a value."""


def is_scope(text: str) -> bool:
    """Whether a text is a scope: `all`, `source:...`, `category:...` or `sender:...`."""
    return _SCOPE.fullmatch(text) is not None and text.isprintable()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportDefaults:
    """The values of columns that a file lacks."""

    now: datetime
    channel: Channel | None = None
    scope: str = ALL
    reason: SuppressionReason = SuppressionReason.IMPORTED
    until: datetime | None = None


def read_csv(
    lines: Iterable[str], defaults: ImportDefaults, *, refuse: Callable[[int, str], None]
) -> Iterator[Suppression]:
    """
    Yield the entries of a file, row by row.

    The first row names the columns: `recipient` (or `email`, `phone`, `to`, `address`) or `hash`,
    and optionally those of `COLUMNS`; others are ignored. Without such a row, the first column has
    the recipients.

    Args:
        refuse: Called with the line's number and the reason for each row that cannot be imported.
    """
    # Strict: a quotation mark without its end would make one row of the rest of the file.
    reader = csv.reader(lines, strict=True)
    names: list[str] = []
    for row in reader:
        cells = [cell.strip() for cell in row]
        if not any(cells):
            continue
        if not names:
            names = [cell.lower() for cell in cells]
            if {*_RECIPIENT, "hash"} & {*names}:
                continue
            names = ["recipient"]
        try:
            yield _suppression(dict(zip(names, cells, strict=False)), defaults)
        except CsvProblem as problem:
            refuse(reader.line_num, str(problem))


def csv_row(entry: ListedSuppression) -> list[str]:
    """Return the cells of an entry, in the order of `COLUMNS`."""
    return [
        str(entry.id),
        entry.channel.value,
        entry.recipient_hash.hex(),
        entry.scope,
        entry.reason.value,
        str(entry.binding).lower(),
        entry.evidence,
        entry.provider or "",
        entry.since.isoformat(),
        entry.until.isoformat() if entry.until else "",
    ]


def _suppression(cells: Mapping[str, str], defaults: ImportDefaults) -> Suppression:
    channel = _word(cells, "channel", Channel) or defaults.channel
    if channel is None:
        raise CsvProblem("no channel: add the column `channel`, or --channel")
    reason = _word(cells, "reason", SuppressionReason) or defaults.reason
    scope = cells.get("scope") or defaults.scope
    if not is_scope(scope):
        raise CsvProblem("scope is not `all`, `source:`, `category:` or `sender:` with a name")
    to, hash_ = _recipient(cells, channel)
    return Suppression(
        channel=channel,
        reason=reason,
        since=_time(cells, "since") or defaults.now,
        recipient=to,
        recipient_hash=hash_,
        scope=scope,
        until=_time(cells, "until") or defaults.until,
        binding=True if cells.get("binding") == "true" else None,
        evidence=_plain(cells.get("evidence", "")) or "imported",
        provider=_plain(cells.get("provider", ""))[:64] or None,
    )


def _recipient(cells: Mapping[str, str], channel: Channel) -> tuple[str, bytes | None]:
    written = next((cells[name] for name in _RECIPIENT if cells.get(name)), "")
    if written:
        to = normal_form(written) if len(written) <= _LONGEST else ""
        if not CHANNELS[channel].is_address(to):
            raise CsvProblem(f"the recipient is not an address of {channel}")
        return to, None
    found = cells.get("hash", "")
    if not found:
        raise CsvProblem("no recipient and no hash")
    if not _HASH.fullmatch(found):
        raise CsvProblem("hash is not 32 hexadecimal digits, as an export writes it")
    return "", bytes.fromhex(found)


def _word(cells: Mapping[str, str], name: str, words: type[_Word]) -> _Word | None:
    found = cells.get(name, "").lower()
    if not found:
        return None
    if found not in [each.value for each in words]:
        raise CsvProblem(f"{name} is not one of {', '.join(words)}")
    return words(found)


def _time(cells: Mapping[str, str], name: str) -> datetime | None:
    found = cells.get(name, "")
    if not found:
        return None
    try:
        at = datetime.fromisoformat(found)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise CsvProblem(f"{name} is not a time, such as 2026-01-31T09:00:00Z") from None


def _plain(text: str) -> str:
    """Return evidence without what may be an address: it is shown and kept in clear."""
    printable = text if text.isprintable() else ""
    return "" if "@" in printable else printable[:255]
