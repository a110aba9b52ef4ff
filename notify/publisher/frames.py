"""
The frames of one message, made at once: its method, its properties and its body; and its confirm.

py-amqp makes the same bytes through a general encoder, a value at a time, which is a quarter of a
bulk worker's announcements, and reads them as slowly. tests/unit/publisher/test_frames.py compares
both.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

from amqp import spec
from amqp.serialization import dumps

_METHOD, _HEADER, _BODY = 1, 2, 3
_END = b"\xce"
# A frame's kind, channel and size; with its end 8 bytes (AMQP 0-9-1, section 2.3.5).
_FRAME = struct.Struct(">BHI")
_OVERHEAD = 8
_PUBLISH = struct.pack(">HHH", *spec.Basic.Publish, 0)
_MANDATORY = 1
_CONTENT = struct.Struct(">HHQH")
_BASIC = spec.Basic.CLASS_ID
_PERSISTENT = b"\x02"
_TIMESTAMP = struct.Struct(">Q")
_LONG = struct.Struct(">cq")
_INT = struct.Struct(">ci")
_TEXT = struct.Struct(">cI")
_SIZE = struct.Struct(">I")
# Content type, headers, delivery mode, message id, time; then the user's id.
_PROPERTIES = 0x8000 | 0x2000 | 0x1000 | 0x0080 | 0x0040
_USER_ID = 0x0010
_MOST_INT = 2**31 - 1
_ACK = struct.Struct(">BHIHHQ?B")
_ACK_SIZE = 13
"""Bytes of an acknowledgement: its class and method, the delivery tag, and whether it is of all."""


def publish_frames(
    body: bytes,
    *,
    exchange: str,
    routing_key: str,
    mandatory: bool,
    content_type: str,
    message_id: str,
    headers: Mapping[str, Any],
    timestamp: int,
    user_id: str | None,
    channel: int,
    frame_max: int,
) -> bytes:
    """
    Return the frames of a persistent message.

    Args:
        timestamp: Unix time in seconds.
        channel: The channel's number.
        frame_max: The most bytes of a frame, as the broker has set it.

    Raises:
        ValueError: A text is too long.
        struct.error: A number is too large, or a header's name too long.
        amqp.FrameSyntaxError: A header has a type that AMQP does not have.
    """
    method = _PUBLISH + _short(exchange) + _short(routing_key) + bytes([_MANDATORY * mandatory])
    own = b"" if user_id is None else _short(user_id)
    flags = _PROPERTIES | (_USER_ID if own else 0)
    properties = (
        _CONTENT.pack(_BASIC, 0, len(body), flags)
        + _short(content_type)
        + _table(headers)
        + _PERSISTENT
        + _short(message_id)
        + _TIMESTAMP.pack(timestamp)
        + own
    )
    frames = [_frame(_METHOD, channel, method), _frame(_HEADER, channel, properties)]
    most = frame_max - _OVERHEAD
    frames += (_frame(_BODY, channel, body[at : at + most]) for at in range(0, len(body), most))
    return b"".join(frames)


def leading_acks(data: bytes, *, channel: int) -> tuple[list[tuple[int, bool]], int]:
    """
    Return the acknowledgements with which received bytes begin, and the bytes that they have.

    Any other frame, and one that is not complete, is left to py-amqp.

    Returns:
        The delivery tag of each, and whether it is also of all lower tags.
    """
    begin = (_METHOD, channel, _ACK_SIZE, *spec.Basic.Ack)
    found: list[tuple[int, bool]] = []
    at = 0
    while at + _ACK.size <= len(data):
        *head, tag, multiple, end = _ACK.unpack_from(data, at)
        if (*head, end) != (*begin, _END[0]):
            break
        found.append((tag, multiple))
        at += _ACK.size
    return found, at


def _frame(kind: int, channel: int, payload: bytes) -> bytes:
    return _FRAME.pack(kind, channel, len(payload)) + payload + _END


def _short(text: str) -> bytes:
    """Return a short string; more than 255 bytes are a ValueError."""
    data = text.encode("utf-8", "surrogatepass")
    return bytes([len(data)]) + data


def _table(headers: Mapping[str, Any]) -> bytes:
    fields: list[bytes] = []
    for name, value in headers.items():
        kind = type(value)
        if kind is int:
            number = _INT if -_MOST_INT <= value <= _MOST_INT else _LONG
            fields += (_short(name), number.pack(b"I" if number is _INT else b"L", value))
        elif kind is str:
            data = value.encode("utf-8", "surrogatepass")
            fields += (_short(name), _TEXT.pack(b"S", len(data)), data)
        else:
            # Others are rare: nested tables of a dead letter's headers, for example.
            return bytes(dumps("F", [dict(headers)]))
    table = b"".join(fields)
    return _SIZE.pack(len(table)) + table
