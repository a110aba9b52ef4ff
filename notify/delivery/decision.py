"""The decision on a message: delivery makes it, the consumer acts on it."""

from __future__ import annotations

import threading
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


class Settlement:
    """
    Settles one message when the last of its notifications is decided.

    The most severe decision counts. A batch request with one recipient to deliver again is
    delivered again as a whole, since no recorded one is sent twice; one with a dead part is
    dead-lettered.
    """

    __slots__ = ("_left", "_lock", "_settle", "_worst")

    def __init__(self, settle: Callable[[Decision], None], parts: int) -> None:
        self._settle = settle
        self._left = parts
        self._worst: Decision = Done()
        self._lock = threading.Lock()

    def add(self, decision: Decision) -> None:
        """Add the decision on one notification."""
        with self._lock:
            self._left -= 1
            if _severity(decision) > _severity(self._worst):
                self._worst = decision
            last = self._left == 0
        if last:
            self._settle(self._worst)


def _severity(decision: Decision) -> int:
    match decision:
        case Done():
            return 0
        case Dead():
            return 1
        case Again():
            return 2
