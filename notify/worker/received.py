"""Messages as the broker delivered them, who takes them so, and what Celery takes for a task's."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import kombu
from celery.app.amqp import AMQP

from notify.contract import Incoming
from notify.contract.published import publication_time
from notify.delivery import Arrival, Raw


class RawConsumer(kombu.Consumer):
    """Hands messages over as they came: nothing is decompressed, decoded or raised."""

    def revive(self, channel: Any) -> None:
        """Take a channel, and keep it from decoding bodies by what their sender claims."""
        super().revive(channel)
        self.channel.auto_decode = False

    def _receive_callback(self, message: Any) -> None:
        self.on_message(message)

    def _add_tag(self, queue: Any, consumer_tag: str | None = None) -> str:
        """Name a consumer by its queue, and never twice alike: each has its own prefetch."""
        tag = consumer_tag or f"{queue.name}/{next(self._tags)}"
        self._active_tags[queue.name] = tag
        return tag


class RawAMQP(AMQP):
    """Celery's AMQP objects, with the raw consumer."""

    Consumer = RawConsumer


class Received:
    """
    One message as the broker delivered it. Use it in the event loop only.

    Attributes:
        tag: Its number on the channel it came by.
        consumer: Which of its queue's consumers it came by.
        settled: Whether it has been acknowledged, rejected or given back.
    """

    __slots__ = ("_message", "_taken_at", "consumer", "settled", "tag")

    def __init__(self, message: Any) -> None:
        self._message = message
        self._taken_at = time.time()
        self.tag: int = message.delivery_info["delivery_tag"]
        self.consumer = 0
        self.settled = False

    @property
    def alive(self) -> bool:
        """Whether the channel it came by is open: if not, the broker delivers it again."""
        return bool(self._message.channel.is_open)

    @property
    def size(self) -> int:
        """How many bytes or characters its body has."""
        return len(self._message.body)

    def incoming(self) -> Incoming:
        """Give what the contract looks at. Headers count only as far as they are text."""
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
        """Give what the archive of dead letters keeps beside that."""
        return Raw(self._message.delivery_info["exchange"], self._message.properties)

    def acknowledge(self) -> None:
        """Tell the broker that it is done; raises the connection's errors."""
        self.settled = True
        self._message.channel.basic_ack(self.tag)

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
    """Messages that are delivered together, and whom to tell when all their calls have begun."""

    arrivals: list[Arrival]
    begun: Callable[[bool], None]
    """Called with False where the record could not be used, so that some have not."""


class TaskMessage:
    """What Celery takes for the message of one task; its argument never leaves the process."""

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
