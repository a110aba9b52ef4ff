"""Requests as producers write them: valid, repeated, conflicting, or invalid."""

from __future__ import annotations

import enum
import json
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from notify.message import Channel


class Kind(enum.Enum):
    """Kinds of new requests."""

    PLAIN = "plain"
    BATCH = "to three recipients"
    SCHEDULED = "for a later time"
    EXPIRING = "with little time"
    EXPIRED = "too late"
    UNRENDERABLE = "with a template that lacks data"
    UNROUTABLE = "for a lane that no queue takes"
    MALFORMED = "nothing that can be read"


class Repeat(enum.Enum):
    """Kinds of requests related to an earlier one."""

    SAME = "the same bytes"
    NEW_ID = "the same request under another id"
    OTHER_WORDS = "other words under the same id and key"
    OTHER_KEY = "other words under the same id and another key"
    MORE = "to one recipient more under the same key"


@dataclass(frozen=True, slots=True)
class Published:
    """One message that a producer wrote."""

    key: str
    fields: dict[str, Any]

    @property
    def body(self) -> bytes:
        """The bytes on the wire."""
        return json.dumps(self.fields).encode()

    @property
    def text(self) -> str:
        """The text that it requests to send."""
        return str(self.fields.get("text", ""))


@dataclass(slots=True)
class Producer:
    """Writes requests, each with a different text."""

    channel: Channel
    written: list[Published] = field(default_factory=list)
    _number: int = 0

    def new(self, kind: Kind, lane: str, *, now: datetime) -> Published:
        """Return a request of a kind."""
        number = self._next()
        own: dict[Kind, dict[str, Any]] = {
            Kind.BATCH: {"to": [self._address(number + each) for each in range(3)]},
            Kind.SCHEDULED: {"send_at": (now + timedelta(seconds=100)).isoformat()},
            Kind.EXPIRING: {"expires_at": (now + timedelta(seconds=30)).isoformat()},
            Kind.EXPIRED: {"expires_at": (now - timedelta(seconds=1)).isoformat()},
            Kind.UNRENDERABLE: {"text": None, "subject": None, "template": "login_code"},
            Kind.MALFORMED: {"to": number},
        }
        fields: dict[str, Any] = {
            "id": str(UUID(int=number)),
            "idempotency_key": f"order-{number}",
            "to": self._address(number),
            "text": f"words {number}",
            "subject": "Hello" if self.channel is Channel.EMAIL else None,
        } | own.get(kind, {})
        fields = {name: value for name, value in fields.items() if value is not None}
        lane = "strange" if kind is Kind.UNROUTABLE else lane
        return self._written(Published(f"{self.channel}.{lane}.shop", fields))

    def again(self, earlier: Published, how: Repeat) -> Published:
        """Return a request that is related to an earlier one."""
        number = self._next()
        fields = dict(earlier.fields)
        match how:
            case Repeat.SAME:
                pass
            case Repeat.NEW_ID:
                fields["id"] = str(UUID(int=number))
            case Repeat.OTHER_WORDS:
                fields["text"] = f"words {number}"
            case Repeat.OTHER_KEY:
                fields |= {"text": f"words {number}", "idempotency_key": f"order-{number}"}
            case Repeat.MORE:
                before = fields["to"] if isinstance(fields["to"], list) else [fields["to"]]
                fields |= {"text": f"words {number}", "to": [*before, self._address(number)]}
        return self._written(replace(earlier, fields=fields))

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _address(self, number: int) -> str:
        # Few, so that some requests share one: then a look-up has rivals.
        if self.channel is Channel.SMS:
            return f"+49151123456{number % 4:02}"
        return f"ann{number % 4}@example.com"

    def _written(self, published: Published) -> Published:
        self.written.append(published)
        return published
