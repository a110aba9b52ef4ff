"""A message from the broker, and the decision on it: one part makes it, the consumer acts on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from notify.contract import Incoming

AGAIN_AFTER = 1.0
"""Seconds until a message that is claimed elsewhere or could not be stored is delivered again."""


@dataclass(frozen=True, slots=True)
class Done:
    """All that the message requests is on record: acknowledge it."""


@dataclass(frozen=True, slots=True)
class Dead:
    """The message, or a part of it, could not be delivered: reject it into the dead letters."""


@dataclass(frozen=True, slots=True)
class Again:
    """Nothing is decided: keep it unacknowledged and deliver it again."""

    after: float = AGAIN_AFTER
    """Seconds to wait."""


Decision = Done | Dead | Again


@dataclass(frozen=True, slots=True)
class Raw:
    """A message without its body, as the broker delivered it."""

    exchange: str = ""
    properties: Mapping[str, Any] = field(default_factory=dict)
    """By AMQP name, `application_headers` among them; values of any AMQP type."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One message from the broker, and the callback for the decision on it."""

    incoming: Incoming
    settle: Callable[[Decision], None]
    """Called exactly once, from any thread."""
    raw: Callable[[], Raw] = Raw
    """Returns the parts that only the archive of dead letters needs."""
