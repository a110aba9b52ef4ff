"""What becomes of a message: the use case decides, the consumer acts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from notify.contract import Incoming


@dataclass(frozen=True, slots=True)
class Done:
    """All that it asked for is on record: acknowledge it."""


@dataclass(frozen=True, slots=True)
class Dead:
    """It, or a part of it, could not be delivered: reject it into the dead letters."""


@dataclass(frozen=True, slots=True)
class Again:
    """Nothing is decided: keep it in hand and look at it again."""

    after: float
    """Seconds to wait."""


Decision = Done | Dead | Again


@dataclass(frozen=True, slots=True)
class Raw:
    """What stands around a message's body, as the broker delivered it."""

    exchange: str = ""
    properties: Mapping[str, Any] = field(default_factory=dict)
    """By their names in AMQP, `application_headers` among them; values of any AMQP type."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One message from the broker, and whom to tell what becomes of it."""

    incoming: Incoming
    settle: Callable[[Decision], None]
    """Called exactly once, from any thread."""
    raw: Callable[[], Raw] = Raw
    """Gives what only the archive of dead letters wants to know."""


class Settlement:
    """
    Settles one message when the last of its notifications is decided.

    The gravest decision counts: a batch with one recipient to look at again is looked at again
    as a whole, since what is on record is not sent twice; one with a dead part is dead-lettered.
    """

    __slots__ = ("_gravest", "_left", "_lock", "_settle")

    def __init__(self, settle: Callable[[Decision], None], parts: int) -> None:
        self._settle = settle
        self._left = parts
        self._gravest: Decision = Done()
        self._lock = threading.Lock()

    def add(self, decision: Decision) -> None:
        """Take the decision on one notification."""
        with self._lock:
            self._left -= 1
            if _gravity(decision) > _gravity(self._gravest):
                self._gravest = decision
            last = self._left == 0
        if last:
            self._settle(self._gravest)


def _gravity(decision: Decision) -> int:
    match decision:
        case Done():
            return 0
        case Dead():
            return 1
        case Again():
            return 2
