"""
Reading AMQP frames so that no message can stop a worker by its properties or routing key; writing
acknowledgements together.

py-amqp reads a message's properties in the event loop, before any handler has the message.
Properties that it cannot read, such as a content type that is not UTF-8, a time beyond the calendar
or tables nested two thousand deep, crash the worker. The message stays in its queue and crashes the
next worker too.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any

import amqp
from amqp.method_framing import frame_handler as read_frames
from amqp.spec import Basic

_METHOD, _HEADER = 1, 2
_DELIVER = struct.pack(">HH", *Basic.Deliver)
# Class, weight and size of the body; the properties follow.
_FIXED = 12
# A class and method, then in a delivery: the consumer's tag, eight bytes and a bit, the exchange.
_SIGNATURE, _NUMBERS = 4, 9
_UNREADABLE = b"unreadable properties"
_TYPE_AND_HEADERS = 0x8000 | 0x2000
_ERRORS = (
    *(ArithmeticError, LookupError, OSError, RecursionError, TypeError, ValueError),
    *(struct.error, amqp.AMQPError),
)

# A method frame: kind, channel, size; class, method, tag, whether it is for all before; the end.
_ACK = struct.Struct(">BHIHHQBB")
_ACK_SIZE, _END = 13, 0xCE

Frame = tuple[int, int, bytes]
"""The frame's kind, channel and bytes."""


def frame_handler(connection: Any, callback: Callable[..., Any]) -> Callable[[Frame], bool]:
    """
    Return a frame handler like py-amqp's that keeps unreadable properties as bytes.

    They become one header, beside a content type that names the problem and is not JSON. So the
    message goes to the dead letters, and the archive keeps all of it.
    """
    read = read_frames(connection, callback)

    def on_frame(frame: Frame) -> bool:
        kind, channel, payload = frame
        if kind == _METHOD:
            frame = kind, channel, _with_text_as_key(payload)
        try:
            return bool(read(frame))
        except _ERRORS:
            if kind != _HEADER or _readable(payload):
                raise
            return bool(read((kind, channel, payload[:_FIXED] + _kept(payload[_FIXED:]))))

    return on_frame


def _readable(payload: bytes) -> bool:
    """Return whether py-amqp can read the properties, at the stack depth of `read`."""
    try:
        amqp.Message().inbound_header(payload)
    except _ERRORS:
        return False
    return True


def _kept(unread: bytes) -> bytes:
    """Return properties that contain the unread bytes as one header."""
    name = struct.pack("B", len(_UNREADABLE)) + _UNREADABLE
    header = name + struct.pack(">cI", b"x", len(unread)) + unread
    return struct.pack(">H", _TYPE_AND_HEADERS) + name + struct.pack(">I", len(header)) + header


def _with_text_as_key(payload: bytes) -> bytes:
    """Return a method's bytes; in a delivery, replace a routing key that is not text."""
    if payload[:_SIGNATURE] != _DELIVER:
        return payload
    exchange = _SIGNATURE + 1 + payload[_SIGNATURE] + _NUMBERS
    key = exchange + 1 + payload[exchange] + 1
    try:
        payload[key:].decode()
    except UnicodeDecodeError:
        return payload[:key] + bytes(byte if byte < 128 else ord("?") for byte in payload[key:])
    return payload


def write_acks(channel: amqp.Channel, tags: Sequence[int]) -> None:
    """
    Acknowledge messages one by one, all in one write.

    Raises:
        RecoverableConnectionError: The channel is closed.
    """
    if not channel.is_open:
        raise amqp.RecoverableConnectionError("the channel is closed")
    number = channel.channel_id
    frames = [_ACK.pack(_METHOD, number, _ACK_SIZE, *Basic.Ack, tag, 0, _END) for tag in tags]
    channel.connection.transport.write(b"".join(frames))
