"""No bytes of a message's properties or key can stop a worker."""

from __future__ import annotations

import struct
import sys
from types import SimpleNamespace
from typing import Any

import amqp
import pytest
from amqp.spec import Basic
from hypothesis import given
from hypothesis import strategies as st

from notify.worker.frames import frame_handler

METHOD, HEADER, BODY = 1, 2, 3


def read(properties: bytes, *, key: bytes = b"email.normal.shop", body: bytes = b"{}") -> Any:
    """Read a delivery's frames; return the message with its arguments as py-amqp has them."""
    came: list[amqp.Message] = []

    def callback(_channel: int, _method: object, arguments: bytes, message: amqp.Message) -> None:
        message.arguments = arguments
        came.append(message)

    take = frame_handler(SimpleNamespace(bytes_recv=0), callback)
    tag, exchange = b"\x05queue" + struct.pack(">QB", 7, 0), b"\x06notify"
    arguments = tag + exchange + struct.pack("B", len(key)) + key
    take((METHOD, 1, struct.pack(">HH", *Basic.Deliver) + arguments))
    take((HEADER, 1, struct.pack(">HHQ", 60, 0, len(body)) + properties))
    if body:
        take((BODY, 1, body))
    (message,) = came
    return message


@given(st.binary(max_size=200), st.sampled_from([b"", b"{}"]))
def test_no_bytes_stop_the_reader(properties: bytes, body: bytes) -> None:
    """The message is delivered, with the unreadable bytes as a header."""
    message = read(properties, body=body)
    assert message.body in (body, "")
    if message.properties.get("content_type") == "unreadable properties":
        assert message.properties["application_headers"] == {"unreadable properties": properties}


@given(st.binary(max_size=255))
def test_no_key_stops_the_reader(key: bytes) -> None:
    """In a key that is not UTF-8, question marks replace every byte that is not ASCII."""
    arguments = read(b"\0\0", key=key).arguments
    found = arguments[len(arguments) - len(key) :]
    assert found.decode().isascii() or found == key


def test_no_depth_stops_the_reader() -> None:
    """Including a table just too deep for the stack, whose rest the second attempt needs too."""
    table = struct.pack(">I", 0)
    found = set()
    for _ in range(sys.getrecursionlimit()):
        entry = b"\x01aF" + table
        table = struct.pack(">I", len(entry)) + entry
        message = read(struct.pack(">H", 0x2000) + table)
        found |= message.properties["application_headers"].keys()
    assert found == {"a", "unreadable properties"}


def test_what_can_be_read_is_read() -> None:
    """A message as its producer wrote it, key and properties alike."""
    message = amqp.Message(b"{}", content_type="application/json", application_headers={"a": 1})
    found = read(message._serialize_properties())
    assert found.properties == message.properties
    assert found.arguments.endswith(b"email.normal.shop")


def test_an_error_of_the_receiver_is_raised() -> None:
    """Only unreadable properties of a sender are kept as bytes."""

    def fails(*_: object) -> None:
        raise ValueError("ours")

    take = frame_handler(SimpleNamespace(bytes_recv=0), fails)
    take((METHOD, 1, struct.pack(">HH", *Basic.Deliver) + b"\0" * 12))
    with pytest.raises(ValueError, match="ours"):
        take((HEADER, 1, struct.pack(">HHQH", 60, 0, 0, 0)))
