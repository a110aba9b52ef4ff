"""Messages as the broker delivered them, and a task message as Celery expects it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import kombu
from celery.app.amqp import AMQP

from notify.arrival import Arrival, Raw
from notify.contract import Incoming, publication_time


class RawConsumer(kombu.Consumer):
    """Passes messages on unread: it does not decompress, decode or raise."""

    def revive(self, channel: Any) -> None:
        """Use a channel that does not decode bodies by their sender's headers."""
        super().revive(channel)
        self.channel.auto_decode = False

    def _receive_callback(self, message: Any) -> None:
        self.on_message(message)

    def _add_tag(self, queue: Any, consumer_tag: str | None = None) -> str:
        """Return a unique tag with the queue's name: each consumer has its own prefetch."""
        tag = consumer_tag or f"{queue.name}/{next(self._tags)}"
        self._active_tags[queue.name] = tag
        return tag


class RawAMQP(AMQP):
    """Celery's AMQP objects, with the raw consumer."""

    Consumer = RawConsumer


class Received:
    """
    One message as the broker delivered it. For the event loop only.

    Attributes:
        tag: Its delivery tag.
        consumer: The number of the queue's consumer that received it.
        settled: Whether it is acknowledged, rejected or requeued.
        deferred: Whether it waits for its retry.
        size: The length of its body in bytes or characters.
        at_work: Its size while it is large and in a batch or call, else 0.
    """

    __slots__ = (
        "_message",
        "_taken_at",
        "at_work",
        "consumer",
        "deferred",
        "settled",
        "size",
        "tag",
    )

    def __init__(self, message: Any) -> None:
        self._message = message
        self._taken_at = time.time()
        self.tag: int = message.delivery_info["delivery_tag"]
        self.consumer = 0
        self.settled = self.deferred = False
        self.size = len(message.body)
        self.at_work = 0

    @property
    def alive(self) -> bool:
        """Whether its channel is open: if not, the broker delivers it again."""
        return bool(self._message.channel.is_open)

    def incoming(self) -> Incoming:
        """Return the parts that the contract reads. A header that is not text counts as absent."""
        message = self._message
        properties: Mapping[str, Any] = message.properties
        headers = properties.get("application_headers") or {}
        body = message.body
        return Incoming(
            body=body.encode() if isinstance(body, str) else bytes(body),
            routing_key=message.delivery_info["routing_key"],
            content_type=properties.get("content_type"),
            content_encoding=properties.get("content_encoding"),
            message_id=properties.get("message_id"),
            user_id=properties.get("user_id"),
            traceparent=_text(headers.get("traceparent")),
            published_at=publication_time(properties, headers, now=self._taken_at),
        )

    def raw(self) -> Raw:
        """Return the other parts, which only the archive of dead letters needs."""
        return Raw(self._message.delivery_info["exchange"], self._message.properties)

    def acknowledged(self) -> Any:
        """Count it as settled; return its channel, to acknowledge its tag."""
        self.settled = True
        return self._message.channel

    def reject(self) -> None:
        """Send it to the dead letters; raises the connection's errors."""
        self.settled = True
        self._message.channel.basic_reject(self.tag, requeue=False)

    def requeue(self) -> None:
        """Return it to its queue, which counts as one delivery; raises the connection's errors."""
        self.settled = True
        self._message.channel.basic_reject(self.tag, requeue=True)


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Messages to deliver together, and the callback when all their calls have started."""

    arrivals: list[Arrival]
    started: Callable[[bool], None]
    """Called with False if the record could not be used, so that some calls have not started."""


class TaskMessage:
    """A task message that Celery accepts; its argument never leaves the process."""

    content_type = None
    content_encoding = None

    def __init__(self, task: str, argument: object) -> None:
        self.headers = {"id": str(uuid4()), "task": task}
        self.body: tuple[Any, ...] = ((argument,), {}, None)
        self.payload = self.body
        self.properties: dict[str, Any] = {}
        self.delivery_info: dict[str, Any] = {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
