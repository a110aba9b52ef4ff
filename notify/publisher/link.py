"""One connection in confirm mode, and its unconfirmed messages."""

from __future__ import annotations

import contextlib
import itertools
import struct
import time
from collections.abc import Callable, Mapping
from typing import Any

import amqp
from amqp.method_framing import frame_writer as write_frames

from notify.contract import IN_MS
from notify.errors import PublishError, Unconfirmed, Unroutable
from notify.publisher.connection import FAILURES, connect
from notify.publisher.frames import leading_acks, publish_frames
from notify.publisher.outgoing import InFlight, Outgoing

# RabbitMQ counts a message's deaths and deliveries in these headers, and before version 4 trusts a
# publisher's values: https://www.rabbitmq.com/docs/dlx#effects
_BROKERS_OWN = (
    "x-death",
    "x-first-death-",
    "x-last-death-",
    "x-delivery-count",
    "x-acquired-count",
)
_UNFIT = (amqp.FrameSyntaxError, struct.error, TypeError, ValueError)
_FLUSH_AT = 65_536
READ_AHEAD = 8_192
_CLOSE_TIMEOUT = 1.0


class Link:
    """
    A connection to the broker with one channel in confirm mode; for one thread at a time.

    After a method has raised one of `FAILURES`, the link is unusable: `sever` it. After a timeout
    its channel must not be used, since its delivery tags would be wrong.

    Attributes:
        in_flight: Messages that were written and are not settled, by delivery tag.
        alarm: Whether the broker blocks publishers now.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float,
        connect_timeout: float,
        heartbeat: int,
        ssl: Mapping[str, Any] | bool,
        user_id: str | None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Connect; raises the errors of `connect`. `now` returns Unix time, to stamp messages."""
        self.in_flight: dict[int, InFlight] = {}
        self.alarm = False
        self._tag = 0
        self._user_id = user_id
        self._now = now
        self._buffer = _WriteBuffer()
        self._connection = connect(
            url,
            timeout=timeout,
            connect_timeout=connect_timeout,
            heartbeat=heartbeat,
            ssl=ssl,
            on_alarm=self._on_alarm,
            frame_writer=self._buffer.frame_writer,
        )
        read_ahead(self._connection.transport)
        self._channel = self._connection.channel()
        self._channel.confirm_select()
        self._channel.events["basic_ack"].add(self._on_ack)
        self._channel.events["basic_nack"].add(self._on_nack)
        self._channel.events["basic_return"].add(self._on_return)

    def post(self, entry: InFlight) -> None:
        """Write a message, or settle it at once if it cannot be encoded; `flush` must follow."""
        message = entry.message
        self._buffer.buffering = True
        self._tag += 1
        self.in_flight[self._tag] = entry
        try:
            self._buffer.write(self._frames(message))
        except _UNFIT:
            # Raised before a byte was written, so the tag is still free.
            del self.in_flight[self._tag]
            self._tag -= 1
            text = f"message {message.message_id}: its key, id or headers do not fit AMQP"
            entry.settle(PublishError(text, message_id=message.message_id))

    def flush(self) -> None:
        """Send all posted messages."""
        self._buffer.flush()

    def receive(self, timeout: float) -> None:
        """Wait for the broker's next frames, and settle the messages that they confirm."""
        self._connection.drain_events(timeout=timeout)
        self._settle_read()

    def probe(self) -> None:
        """Read all frames that have arrived; raises one of `FAILURES` if the broker is gone."""
        with contextlib.suppress(TimeoutError):
            while True:
                self._connection.drain_events(timeout=0)

    def sever(self) -> list[InFlight]:
        """Drop the connection without closing it, and return the messages in flight."""
        lost = list(self.in_flight.values())
        self.in_flight.clear()
        if self._connection.connected:
            # TLS would otherwise wait for the peer's part of its shutdown.
            self._connection.transport.sock.settimeout(0)
        self._connection.collect()
        return lost

    def close(self) -> list[InFlight]:
        """Close the connection within a second, and return the messages in flight."""
        with contextlib.suppress(*FAILURES):
            if not self._connection.connected:
                return self.sever()
            self._connection.transport.sock.settimeout(_CLOSE_TIMEOUT)
            self._connection.close()
        return self.sever()

    def forget(self) -> None:
        """Close this process's copy of the parent's socket, without a word to the broker."""
        transport = self._connection.transport
        transport.sock.close()
        transport.sock = None

    def _frames(self, message: Outgoing) -> bytes:
        if not self._channel.is_open:
            raise amqp.RecoverableConnectionError("the channel is closed")
        now = self._now()
        own = {
            name: value
            for name, value in message.headers.items()
            if not name.startswith(_BROKERS_OWN)
        }
        return publish_frames(
            message.body,
            exchange=message.exchange,
            routing_key=message.routing_key,
            mandatory=message.mandatory,
            content_type=message.content_type,
            message_id=message.message_id,
            headers={**own, IN_MS: int(1000 * now)},
            timestamp=int(now),
            user_id=self._user_id,
            channel=self._channel.channel_id,
            frame_max=self._connection.frame_max,
        )

    def _settle_read(self) -> None:
        """Settle the confirms that were read ahead, without py-amqp's cost of 20 us for each."""
        transport = self._connection.transport
        acks, size = leading_acks(transport._read_buffer, channel=self._channel.channel_id)
        if size:
            transport._read_buffer = transport._read_buffer[size:]
            for tag, multiple in acks:
                self._on_ack(tag, multiple)

    def _on_alarm(self, alarm: bool) -> None:
        self.alarm = alarm

    def _on_ack(self, tag: int, multiple: bool) -> None:
        for entry in self._settled(tag, multiple):
            entry.settle()

    def _on_nack(self, tag: int, multiple: bool) -> None:
        for entry in self._settled(tag, multiple):
            message_id = entry.message.message_id
            text = f"message {message_id} refused: the queue is full or lost its leader"
            entry.settle(Unconfirmed(text, message_id=message_id))

    def _on_return(self, _: Exception, exchange: str, key: str, returned: amqp.Message) -> None:
        """
        Mark a returned message; its confirm follows and settles it.

        Returns arrive in the order of publishing, and messages with the same id, exchange and key
        are routed alike, so it is the oldest of them that is not marked.
        """
        wanted = (returned.properties.get("message_id"), exchange, key)
        for entry in self.in_flight.values():
            message = entry.message
            if entry.error is None and wanted == (
                message.message_id,
                message.exchange,
                message.routing_key,
            ):
                text = f"message {message.message_id}: no queue is bound for {key!r} on {exchange}"
                entry.error = Unroutable(text, message_id=message.message_id)
                return

    def _settled(self, tag: int, multiple: bool) -> list[InFlight]:
        if not multiple:
            return [self.in_flight.pop(tag)] if tag in self.in_flight else []
        tags = list(itertools.takewhile(lambda one: one <= tag, self.in_flight))
        return [self.in_flight.pop(one) for one in tags]


def read_ahead(transport: Any) -> None:
    """
    Make py-amqp read all available bytes into its buffer, not only the next few.

    Otherwise it makes three system calls for each frame, so for each confirm, and a busy process
    waits for the interpreter lock after each call. It reads by the attribute `_quick_recv`, which
    tests/unit/publisher/test_read_ahead.py pins.
    """
    receive = transport._quick_recv
    transport._quick_recv = lambda size: receive(max(size, READ_AHEAD))


class _WriteBuffer:
    """Buffers the frames of a batch, so that it costs one system call, not one for each message."""

    def __init__(self) -> None:
        self.buffering = False
        self._bytes = bytearray()
        self._send: Callable[[bytes], None] = self._bytes.extend

    def frame_writer(self, connection: amqp.Connection, transport: Any) -> Any:
        """Return py-amqp's frame writer on this buffer in place of the socket."""
        self._send = transport.write
        return write_frames(connection, self)

    def write(self, data: memoryview | bytes) -> None:
        """Buffer a copy of the bytes, since py-amqp reuses its own buffer."""
        self._bytes += data
        if not self.buffering or len(self._bytes) >= _FLUSH_AT:
            self._empty()

    def flush(self) -> None:
        """Send the buffer, and later frames at once, such as a request that py-amqp waits for."""
        self.buffering = False
        if self._bytes:
            self._empty()

    def _empty(self) -> None:
        data = bytes(self._bytes)
        self._bytes.clear()
        self._send(data)
