"""One message on an idle stack: from its publication to its first byte at the provider."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import quantiles
from typing import Any, Self

import amqp as amqp_client

from benchmarks import load, plain_queue
from benchmarks.stage import processes, wait_until
from benchmarks.throughput import Contender

MESSAGES = 300
WARM_UP = 20
GAP = 0.02


class Watch:
    """A provider that accepts everything and records the times."""

    def __init__(self) -> None:
        """Listen on a free port."""
        self.arrivals: list[float] = []
        arrivals = self.arrivals

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                arrivals.append(time.perf_counter())
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.send_header("X-Message-Id", "watched")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Log nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def has(self, number: int) -> bool:
        """Return whether this many messages have arrived."""
        return len(self.arrivals) >= number

    def __enter__(self) -> Self:
        """Start."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


def measure(contender: Contender, *, amqp: str, watch: Watch, folder: Path) -> tuple[float, float]:
    """Publish one message at a time; return the median and the 99th percentile in seconds."""
    celery = contender.speaks_celery
    build: Callable[[int], amqp_client.Message] = load.task if celery else load.plain
    route = (plain_queue.NAME, plain_queue.NAME) if celery else load.PLAIN_ROUTE
    took = []
    with (
        processes(contender.commands, environ=contender.environ, log=folder / "latency.log"),
        load.connect(amqp) as connection,
    ):
        channel = connection.channel()
        for number in range(MESSAGES + WARM_UP):
            before = len(watch.arrivals)
            message = build(number)
            start = time.perf_counter()
            channel.basic_publish(message, *route)
            wait_until(partial(watch.has, before + 1), what=contender.name)
            took.append(watch.arrivals[before] - start)
            time.sleep(GAP)
    cuts = quantiles(took[WARM_UP:], n=100)
    return cuts[49], cuts[98]
