"""Bounds that end a hang on the busiest machine; a test that passes does not reach them."""

from __future__ import annotations

import amqp

from notify import publisher
from notify.stack.rabbitmq import RabbitMQNode

PATIENCE = 90.0
"""Seconds until a condition counts as failed."""

START = 240.0
"""Seconds in which RabbitMQ or a stack starts, when eight start at once; pytest waits 300."""


class PatientNode(RabbitMQNode):
    """A node whose commands may take as long as anything else."""

    _patience = PATIENCE

    def ctl(self, *arguments: str, timeout: float | None = None) -> str:
        """Run `rabbitmqctl` against this node and return what it printed."""
        return super().ctl(*arguments, timeout=timeout or self._patience)


def connect(url: str) -> amqp.Connection:
    """Open a connection for a test's own use; each step, read and write may take `PATIENCE`."""
    return publisher.connect(url, timeout=PATIENCE)
