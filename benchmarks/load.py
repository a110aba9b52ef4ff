"""Messages for the contenders, published before each run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import amqp

from notify.message import Channel
from notify.topology import EXCHANGE, queue_name, routing_key

QUEUE = queue_name(Channel.EMAIL, "normal")
KEY = routing_key(Channel.EMAIL, "normal", "bench")
TEXT = "Your order has left our house and will be with you on Friday. " * 6
WINDOW = 200


def connect(url: str) -> amqp.Connection:
    """Open a plain connection to the broker at *url*."""
    parts = urlsplit(url)
    connection = amqp.Connection(host=f"{parts.hostname}:{parts.port}")
    connection.connect()
    return connection


def request(number: int) -> dict[str, str]:
    """Return one notification as a producer would write it."""
    return {
        "id": str(uuid4()),
        "to": f"customer{number}@example.com",
        "subject": f"Order {number} is on its way",
        "text": TEXT,
    }


def plain(number: int) -> amqp.Message:
    """Return one notification as the plain JSON that notify and the bare consumer read."""
    return _message(json.dumps(request(number)), {})


def task(number: int) -> amqp.Message:
    """Return one notification as a call of the plain Celery application's task."""
    fields = request(number)
    id_ = fields.pop("id")
    headers = {"task": "plain.send_email", "id": id_, "lang": "py", "root_id": id_}
    return _message(json.dumps([[], fields, {}]), headers)


def _message(body: str, headers: dict[str, Any]) -> amqp.Message:
    return amqp.Message(
        body,
        content_type="application/json",
        content_encoding="utf-8",
        delivery_mode=2,
        application_headers=headers,
    )


def backlog(url: str, number: int, *, build: Callable[[int], amqp.Message], route: Any) -> None:
    """Publish *number* messages to *route*, an exchange and a key, and wait for all confirms."""
    exchange, key = route
    connection = connect(url)
    channel = connection.channel()
    channel.confirm_select()
    confirmed = [0]

    def settle(tag: int, multiple: bool) -> None:
        confirmed[0] = tag

    channel.events["basic_ack"].add(settle)
    for sent in range(number):
        channel.basic_publish(build(sent), exchange=exchange, routing_key=key)
        while sent - confirmed[0] > WINDOW:
            connection.drain_events(timeout=10)
    while confirmed[0] < number:
        connection.drain_events(timeout=10)
    connection.close()


def depth(url: str, queues: Iterable[str]) -> int:
    """Count the messages that are ready in *queues*."""
    connection = connect(url)
    channel = connection.channel()
    try:
        return sum(channel.queue_declare(name, passive=True).message_count for name in queues)
    finally:
        connection.close()


PLAIN_ROUTE = (EXCHANGE, KEY)
