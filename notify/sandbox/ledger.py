"""The effect of each request, and its answer: append-only, the truth that tests check."""

from __future__ import annotations

import json
import threading
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from notify.errors import ConfigError
from notify.private import private
from notify.sandbox.behaviour import Behaviour, Effect, FeedbackEvent, Vendor


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One request to send, to one of its recipients."""

    at: datetime
    """In UTC."""
    vendor: Vendor
    did: Effect
    answered: int | str
    """The HTTP status, or `reset`, or `hang`."""
    account: str = ""
    """The path before the vendor's own path; the vendor's name if there is none."""
    arrived: float = 0.0
    """Seconds since 1970, when the request had been read from its connection."""
    recipient: str = ""
    """Empty, like the ids, if the request was refused unread."""
    notify_id: str = ""
    attempt_id: str = ""
    provider_id: str = ""
    """The vendor's id of the message; empty unless it was accepted."""
    behaviour: Behaviour | None = None
    event: FeedbackEvent | None = None
    """The later event; None unless it was accepted."""

    def as_dict(self) -> dict[str, Any]:
        """Return the entry as JSON values."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {**values, "at": self.at.isoformat(timespec="milliseconds")}


class _Counts:
    """The numbers of effects and answers of some entries."""

    def __init__(self) -> None:
        self._did = Counter({word.value: 0 for word in Effect})
        self._answered = Counter[str]()

    def add(self, did: Effect, answered: str, count: int) -> None:
        self._did[did.value] += count
        self._answered[answered] += count

    def as_dict(self) -> dict[str, Any]:
        return {**self._did, "answered": dict(self._answered)}


class SandboxLedger:
    """
    An append-only record, in memory and in a file. Safe to use from several threads.

    Args:
        path: A JSON Lines file to append to, each line flushed at once; None for memory only.
        keep: The most entries to keep in memory; the file and the counts include all.

    Raises:
        ConfigError: The file cannot be opened.
    """

    def __init__(self, path: Path | None = None, *, keep: int = 10_000) -> None:
        try:
            # Line-buffered: every answered request is in the file, even after a kill.
            self._file = _appending(path) if path else None
        except OSError as error:
            raise ConfigError(f"cannot write the ledger {path}: {error.strerror}") from None
        self._entries: deque[LedgerEntry] = deque(maxlen=keep)
        self._counts: Counter[tuple[Vendor, str, Effect, str]] = Counter()
        self._lock = threading.Lock()

    def add(self, entries: Sequence[LedgerEntry]) -> None:
        """Record the entries of one request."""
        lines = "".join(json.dumps(e.as_dict(), ensure_ascii=False) + "\n" for e in entries)
        with self._lock:
            if self._file:
                self._file.write(lines)
            self._entries.extend(entries)
            self._counts.update((e.vendor, e.account, e.did, str(e.answered)) for e in entries)

    def entries(
        self, *, notify_id: str = "", account: str = "", limit: int | None = None
    ) -> list[LedgerEntry]:
        """Return the entries in memory, newest first; of one notification or account, if given."""
        with self._lock:
            newest_first = list(reversed(self._entries))
        found = (
            entry
            for entry in newest_first
            if notify_id in ("", entry.notify_id) and account in ("", entry.account)
        )
        return list(islice(found, limit))

    def counts(self) -> dict[str, Any]:
        """Return the numbers of all effects and answers so far, by vendor and account."""
        with self._lock:
            counts = dict(self._counts)
        vendors: dict[str, _Counts] = {vendor.value: _Counts() for vendor in Vendor}
        accounts: dict[str, _Counts] = {}
        for (vendor, account, did, answered), count in counts.items():
            vendors[vendor.value].add(did, answered, count)
            accounts.setdefault(account, _Counts()).add(did, answered, count)
        return {
            "total": sum(counts.values()),
            **{name: each.as_dict() for name, each in vendors.items()},
            "accounts": {name: each.as_dict() for name, each in sorted(accounts.items())},
        }

    def close(self) -> None:
        """Close the file."""
        if self._file:
            self._file.close()


def _appending(path: Path) -> TextIO:
    return open(path, "a", buffering=1, encoding="utf-8", opener=private)
