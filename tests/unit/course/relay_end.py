"""The relay's end of the broker, where publishing can go wrong."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from notify.errors import PublishError, Unconfirmed
from notify.publisher import Outgoing
from tests.unit.course.broker import Broker, Message
from tests.unit.course.vendor import Killed


class Fate(enum.Enum):
    """The fates of a publication."""

    FINE = "confirmed"
    REFUSED = "refused by the broker"
    UNHEARD = "taken by the broker, and the confirm lost"
    KILLED_FIRST = "the relay died before it published"
    KILLED_AFTER = "the relay died before it could write that it has published"


def nothing() -> None:
    """Do nothing."""


@dataclass(slots=True)
class RelayEnd:
    """
    Stands for the relay's publisher.

    Attributes:
        told: Called with each published message, and whether it was confirmed to the relay.
        in_between: Called before the relay records its publications.
    """

    broker: Broker
    told: Callable[[Outgoing, bool], None]
    fate: Fate = Fate.FINE
    in_between: Callable[[], None] = nothing

    def publish_many(self, messages: Iterable[Outgoing], /) -> Iterator[PublishError | None]:
        """Publish with the drawn fate."""
        for message in messages:
            if self.fate is Fate.KILLED_FIRST:
                raise Killed
            if self.fate is not Fate.REFUSED:
                self._publish(message)
            known = self.fate in (Fate.FINE, Fate.KILLED_AFTER)
            yield None if known else Unconfirmed("no confirm", message_id=message.message_id)
        self.in_between()
        if self.fate is Fate.KILLED_AFTER:
            raise Killed

    def _publish(self, message: Outgoing) -> None:
        self.told(message, self.fate is not Fate.UNHEARD)
        properties = {"content_type": message.content_type, "message_id": message.message_id}
        self.broker.publish(Message(message.body, message.routing_key, properties, "notify"))
