"""The record of the posts: each event, and the answer of the service."""

from __future__ import annotations

import json
import threading
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from notify.errors import ConfigError
from notify.private import private
from notify.sandbox.behaviour import ReceiptFault, Vendor


@dataclass(frozen=True, slots=True)
class PostEntry:
    """One event in one post."""

    at: datetime
    """When the post was answered, or failed; in UTC."""
    vendor: Vendor
    account: str
    event: str
    """The vendor's word; `one-click` for an unsubscribing mail program, `STOP` for a reply."""
    answered: int | str
    """The HTTP status; `connect` or `timeout` if there was none."""
    tries: int
    """Which try of the post it was, from 1."""
    recipient: str
    notify_id: str
    attempt_id: str
    provider_id: str
    fault: ReceiptFault | None = None

    @property
    def accepted(self) -> bool:
        """Whether the service answered 2xx."""
        return isinstance(self.answered, int) and 200 <= self.answered < 300

    def as_dict(self) -> dict[str, Any]:
        """Return the entry as JSON values."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {**values, "at": self.at.isoformat(timespec="milliseconds")}


class PostLedger:
    """
    An append-only record, in memory and in a file. Safe to use from several threads.

    Args:
        path: A JSON Lines file to append to; None for memory only.
        keep: The most entries to keep in memory; the file and the counts include all.

    Raises:
        ConfigError: The file cannot be opened.
    """

    def __init__(self, path: Path | None = None, *, keep: int = 10_000) -> None:
        try:
            self._file = open(path, "a", buffering=1, opener=private) if path else None  # noqa: SIM115
        except OSError as error:
            raise ConfigError(f"cannot write {path}: {error.strerror}") from None
        self._entries: deque[PostEntry] = deque(maxlen=keep)
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def add(self, entries: Sequence[PostEntry]) -> None:
        """Record the events of one post."""
        lines = "".join(json.dumps(each.as_dict()) + "\n" for each in entries)
        with self._lock:
            if self._file:
                self._file.write(lines)
            self._entries.extend(entries)
            self._counts.update(str(each.answered) for each in entries)

    def entries(self, *, notify_id: str = "", limit: int | None = None) -> list[PostEntry]:
        """Return the entries in memory, newest first; of one notification, if given."""
        with self._lock:
            newest_first = list(reversed(self._entries))
        found = (each for each in newest_first if notify_id in ("", each.notify_id))
        return list(islice(found, limit))

    def counts(self) -> dict[str, int]:
        """Return how many events got each answer."""
        with self._lock:
            return dict(self._counts)

    def close(self) -> None:
        """Close the file."""
        if self._file:
            self._file.close()
