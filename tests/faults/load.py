"""A running producer: a steady stream of requests, each confirmed or published again."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4, uuid5

import amqp

from notify.message import Channel
from notify.publisher import Outgoing, Publisher, connect
from notify.topology import EXCHANGE, routing_key
from tests.faults.ledgers import Fate, Journal, Published, digest
from tests.support.malformed import Malformed

LANE = "normal"
SOURCE = "shop"
CHANNELS = (Channel.EMAIL, Channel.SMS)
TICK = 0.1
"""Seconds between two batches of messages."""
TAIL = 300
"""The least number of messages after a fault's end."""


class Load:
    """
    Publishes a steady stream in its own thread, until `finish`.

    Attributes:
        journal: The publisher's ledger.
    """

    def __init__(
        self,
        url: str,
        folder: Path,
        *,
        rate: int,
        minimum: int,
        make: Callable[[int], Outgoing] | None = None,
    ) -> None:
        """
        Prepare.

        Args:
            url: The broker.
            folder: The ledger's folder.
            rate: Messages a second.
            minimum: The least number to publish.
            make: Returns each message by its number; default: an email and an SMS in turn.
        """
        self.journal = Journal(folder / "publisher.jsonl")
        self._url = url
        self._publisher = Publisher(url)
        self._handful = max(1, round(rate * TICK))
        self._minimum = minimum
        self._make = make or request
        self._made = 0
        self._again: deque[Outgoing] = deque()
        self._finishing = threading.Event()
        self._abandoned = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)

    def start(self) -> None:
        """Start to publish."""
        self._thread.start()

    def finish(self, *, timeout: float, tail: int = TAIL) -> None:
        """Publish the rest, at least *tail* more, and all unconfirmed ones again."""
        self._minimum = max(self._minimum, self._made + tail)
        self._finishing.set()
        self._thread.join(timeout)
        self._publisher.close()

    def abandon(self) -> None:
        """Stop publishing, even with unconfirmed messages; harmless if it never started."""
        self._abandoned.set()
        if self._thread.is_alive():
            self._thread.join()

    def flood(self, message: Outgoing, *, copies: int, threads: int = 8) -> None:
        """Publish copies of one message from many connections at once."""
        self.journal.note([Published(message.message_id, Fate.TRYING)])

        def pour() -> bool:
            with Publisher(self._url) as publisher:
                return not any([*publisher.publish_many([message] * (copies // threads))])

        with ThreadPoolExecutor(threads) as pool:
            poured = [pool.submit(pour) for _ in range(threads)]
        confirmed = all(each.result() for each in poured)
        fate = Fate.CONFIRMED if confirmed else Fate.UNCONFIRMED
        self.journal.note([Published(message.message_id, fate)])

    def batch(self, recipients: int) -> None:
        """Publish one email to many recipients; the journal has a line for each of them."""
        id_ = uuid4()
        to = [f"batch-{number}@example.com" for number in range(recipients)]
        body = {"id": str(id_), "to": to, "subject": "Hello", "text": "News."}
        message = Outgoing(
            body=json.dumps(body).encode(),
            routing_key=routing_key(Channel.EMAIL, LANE, SOURCE),
            message_id=str(id_),
        )
        members = [str(uuid5(id_, str(position))) for position in range(recipients)]
        self.journal.note([Published(each, Fate.TRYING) for each in members])
        with Publisher(self._url) as publisher:
            failed = any([*publisher.publish_many([message])])
        fate = Fate.UNCONFIRMED if failed else Fate.CONFIRMED
        self.journal.note([Published(each, fate) for each in members])

    def poison(self, rows: Iterable[Malformed]) -> None:
        """Publish undeliverable messages one by one, each confirmed."""
        with connect(self._url) as connection:
            channel = connection.channel()
            channel.confirm_select()
            for row in rows:
                others = dict(row.properties)
                headers = others.pop("headers", {})
                message = amqp.Message(
                    row.body, application_headers=headers, delivery_mode=2, **others
                )
                key = digest(row.body)
                self.journal.note([Published(key, Fate.TRYING, poison=True)])
                channel.basic_publish_confirm(message, EXCHANGE, row.routing_key, timeout=10)
                self.journal.note([Published(key, Fate.CONFIRMED, poison=True)])

    def publish(self, messages: list[Outgoing]) -> list[Outgoing]:
        """Publish a batch of good messages; return the unconfirmed ones."""
        self.journal.note([Published(each.message_id, Fate.TRYING) for each in messages])
        words, unconfirmed = [], []
        errors = self._publisher.publish_many(messages)
        for message, error in zip(messages, errors, strict=True):
            fate = Fate.UNCONFIRMED if error else Fate.CONFIRMED
            words.append(Published(message.message_id, fate))
            if error:
                unconfirmed.append(message)
        self.journal.note(words)
        return unconfirmed

    def _run(self) -> None:
        at = time.monotonic()
        while (self._again or self._more) and not self._abandoned.is_set():
            handful = [*self._again]
            self._again.clear()
            if self._more:
                handful += [self._make(self._made + n) for n in range(self._handful)]
                self._made += self._handful
            self._again.extend(self.publish(handful))
            at = max(at + TICK, time.monotonic() - 1)
            time.sleep(max(0.0, at - time.monotonic()))

    @property
    def _more(self) -> bool:
        return self._made < self._minimum or not self._finishing.is_set()


def request(number: int) -> Outgoing:
    """Return one request: an email for even numbers, an SMS for odd ones."""
    channel = CHANNELS[number % 2]
    id_ = str(uuid4())
    to = f"r{number}@example.com" if channel is Channel.EMAIL else f"+49151{10_000_000 + number}"
    body = {"id": id_, "to": to, "text": f"Your code is {number}."}
    if channel is Channel.EMAIL:
        body["subject"] = "Hello"
    return Outgoing(
        body=json.dumps(body).encode(),
        routing_key=routing_key(channel, LANE, SOURCE),
        message_id=id_,
    )
