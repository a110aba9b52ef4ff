"""The queue of the plain Celery application, of the same type as ours."""

from __future__ import annotations

from benchmarks.load import connect

NAME = "plain.email"


def declare(amqp: str) -> None:
    """Declare the queue and its exchange, as the application would at its first start."""
    connection = connect(amqp)
    channel = connection.channel()
    channel.exchange_declare(NAME, "direct", durable=True, auto_delete=False)
    channel.queue_declare(
        NAME, durable=True, auto_delete=False, arguments={"x-queue-type": "quorum"}
    )
    channel.queue_bind(NAME, NAME, NAME)
    connection.close()


def delete(amqp: str) -> None:
    """Delete the queue and its messages."""
    with connect(amqp) as connection:
        connection.channel().queue_delete(NAME)
