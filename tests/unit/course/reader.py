"""Messages, read by the product's own contract, each once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime

from notify import contract
from notify.errors import DecodeError
from notify.message import Notification
from notify.store.sealing.row_cipher import RowCipher
from tests.support.burying import LIMITS
from tests.unit.course.snapshot import Key

Wants = frozenset[tuple[Key, bytes]]
"""The requests of messages: their keys and digests."""


@dataclass(slots=True)
class Reader:
    """Reads the requests of messages."""

    now: Callable[[], datetime]
    cipher: RowCipher
    """Seals digests as the record does."""
    _read: dict[tuple[bytes, str], Sequence[Notification]] = field(default_factory=dict)
    _wants: dict[tuple[bytes, str], Wants] = field(default_factory=dict)

    def asked(self, body: bytes, key: str) -> Sequence[Notification]:
        """Return a message's requests; none if it cannot be read."""
        if (body, key) not in self._read:
            incoming = contract.Incoming(body, key, content_type="application/json")
            asked: Sequence[Notification] = ()
            with suppress(DecodeError):
                asked = contract.decode(incoming, LIMITS, now=self.now())
            if self.cipher.keyring.current:
                asked = [replace(each, digest=self.cipher.digest(each.digest)) for each in asked]
            self._read[body, key] = asked
            self._wants[body, key] = frozenset((each.key, each.digest) for each in asked)
        return self._read[body, key]

    def wants(self, body: bytes, key: str) -> Wants:
        """Return a message's requests in short form."""
        self.asked(body, key)
        return self._wants[body, key]
