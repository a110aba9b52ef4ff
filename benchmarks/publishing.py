"""Publishing: our pipelined confirms against waiting for each confirm, on one quorum queue."""

from __future__ import annotations

import json
import time
from statistics import median

from benchmarks import load
from notify.publisher import Outgoing, Publisher

ONE_BY_ONE = 1_000
PIPELINED = 10_000


def one_by_one(amqp: str) -> float:
    """Publish and wait for the confirm, repeatedly; return the rate a second."""
    with load.connect(amqp) as connection:
        channel = connection.channel()
        channel.confirm_select()
        messages = [load.plain(number) for number in range(ONE_BY_ONE)]
        start = time.perf_counter()
        for message in messages:
            channel.basic_publish_confirm(message, *load.PLAIN_ROUTE, timeout=10)
        return ONE_BY_ONE / (time.perf_counter() - start)


def pipelined(amqp: str) -> float:
    """Publish through our publisher; return the rate a second."""
    requests = [load.request(number) for number in range(PIPELINED)]
    messages = [
        Outgoing(body=json.dumps(request).encode(), routing_key=load.KEY, message_id=request["id"])
        for request in requests
    ]
    with Publisher(amqp) as publisher:
        publisher.publish(messages[0])
        start = time.perf_counter()
        failed = [error for error in publisher.publish_many(messages) if error is not None]
        took = time.perf_counter() - start
    if failed:
        raise failed[0]
    return PIPELINED / took


def compare(amqp: str, *, rounds: int) -> tuple[float, float]:
    """Return both rates, each the median of its rounds; the queue is emptied between them."""
    slow, fast = [], []
    for _ in range(rounds):
        slow.append(one_by_one(amqp))
        purge(amqp)
        fast.append(pipelined(amqp))
        purge(amqp)
    return median(slow), median(fast)


def purge(amqp: str) -> None:
    """Delete the published messages."""
    with load.connect(amqp) as connection:
        connection.channel().queue_purge(load.QUEUE)
