"""Counts of the queues of the session's RabbitMQ node, read from the queues themselves."""

from __future__ import annotations

import re

from tests.support.erlang import evaluate, node_at

# A passive declare waits 250 ms for a quorum queue and then answers 0 messages and 0 consumers
# (rabbit_quorum_queue:stat/2 of RabbitMQ 3.10), as if the queue were empty.
_COUNT = """
[begin
    {{ok, Queue}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"{vhost}">>, queue, Name)),
    {{ok, Ready, Consumers}} = rabbit_fifo_client:stat(amqqueue:get_pid(Queue), 60000),
    {{Ready, Consumers}}
end || Name <- [{names}]].
"""


def waiting(url: str, *queues: str) -> int:
    """Count the messages that are ready in quorum queues of a virtual host."""
    return sum(ready for ready, _ in _counts(url, queues))


def consumers(url: str, *queues: str) -> int:
    """Count the consumers of quorum queues; a cancelled one counts while it has messages."""
    return sum(count for _, count in _counts(url, queues))


def _counts(url: str, queues: tuple[str, ...]) -> list[tuple[int, int]]:
    names = ",".join(f'<<"{name}">>' for name in queues)
    vhost = url.rpartition("/")[2]
    found = evaluate(node_at(url), _COUNT.format(vhost=vhost, names=names))
    return [(int(ready), int(count)) for ready, count in re.findall(r"{(\d+),(\d+)}", found)]
