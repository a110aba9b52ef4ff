"""The frames of a message are those of py-amqp, byte for byte."""

from __future__ import annotations

import struct
from types import SimpleNamespace
from typing import Any

import amqp
import pytest
from amqp import spec
from amqp.method_framing import frame_writer
from amqp.serialization import dumps
from hypothesis import given
from hypothesis import strategies as st

from notify.publisher.frames import leading_acks, publish_frames
from tests.support.tables import each_of

FRAME_MAX = 4096
"""The least that AMQP allows."""
names = st.text(max_size=40)
numbers = st.integers(-(2**63), 2**63 - 1)
plain = st.one_of(st.text(max_size=60), numbers)
values = st.recursive(
    plain | st.booleans() | st.none() | st.floats(allow_nan=False) | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=5,
)
messages = st.fixed_dictionaries(
    {
        "exchange": st.sampled_from(["notify", "notify.events", ""]),
        "routing_key": names,
        "mandatory": st.booleans(),
        "content_type": st.sampled_from(["application/json", "text/plain; charset=utf-8"]),
        "message_id": names,
        "headers": st.dictionaries(names, plain, max_size=4)
        | st.dictionaries(names, values, max_size=4),
        "timestamp": st.integers(0, 2**64 - 1),
        "user_id": st.none() | names,
    }
)
sizes = st.integers(0, 300) | st.integers(FRAME_MAX - 300, 2 * FRAME_MAX + 20)


def frames(body: bytes, message: dict[str, Any], *, channel: int = 1) -> bytes:
    """Return the frames of a message on a connection with small frames."""
    return publish_frames(body, channel=channel, frame_max=FRAME_MAX, **message)


def frames_by_library(body: bytes, message: dict[str, Any], *, channel: int) -> bytes:
    """Return the bytes that py-amqp writes for a message."""
    written = bytearray()
    write = frame_writer(
        SimpleNamespace(frame_max=FRAME_MAX, bytes_sent=0), SimpleNamespace(write=written.extend)
    )
    properties = {
        "content_type": message["content_type"],
        "delivery_mode": 2,
        "message_id": message["message_id"],
        "timestamp": message["timestamp"],
        "application_headers": message["headers"],
    }
    if message["user_id"] is not None:
        properties["user_id"] = message["user_id"]
    route = message["exchange"], message["routing_key"], message["mandatory"]
    arguments = dumps("Bssbb", (0, *route, False))
    write(1, channel, spec.Basic.Publish, arguments, amqp.Message(body, **properties))
    return bytes(written)


@given(messages, sizes, st.integers(1, 65_535))
def test_the_bytes_are_the_librarys(message: dict[str, Any], size: int, channel: int) -> None:
    """For any text, header and length; an empty body has no frame, as the protocol says."""
    body = bytes(at % 251 for at in range(size))
    expected = frames_by_library(body, message, channel=channel)
    if not body:
        expected = expected.removesuffix(struct.pack(">BHIB", 3, channel, 0, 0xCE))
    assert frames(body, message, channel=channel) == expected


@each_of(
    "wrong",
    [
        {"routing_key": "k" * 256},
        {"message_id": "ü" * 128},
        {"headers": {"n" * 256: 1}},
        {"headers": {"n": 2**63}},
        {"headers": {"n": object()}},
        {"headers": {"n": {1, 2}}},
        {"timestamp": -1},
    ],
)
def test_what_does_not_fit_is_an_error(wrong: dict[str, Any]) -> None:
    """Of a kind that the link expects, before a byte is written."""
    message = {
        "exchange": "notify",
        "routing_key": "email.normal.shop",
        "mandatory": True,
        "content_type": "application/json",
        "message_id": "m-1",
        "headers": {},
        "timestamp": 1,
        "user_id": None,
    }
    with pytest.raises((amqp.FrameSyntaxError, ValueError, struct.error)):
        frames(b"{}", {**message, **wrong})


def method(kind: tuple[int, int], arguments: bytes, *, channel: int = 1) -> bytes:
    """Return the frame of a method."""
    payload = struct.pack(">HH", *kind) + arguments
    return struct.pack(">BHI", 1, channel, len(payload)) + payload + b"\xce"


ACK = method(spec.Basic.Ack, dumps("Lb", (7, True)))
LEFT_TO_LIBRARY = {
    "refusal": method(spec.Basic.Nack, dumps("Lb", (7, False))),
    "another channel's": method(spec.Basic.Ack, dumps("Lb", (7, False)), channel=2),
    "heartbeat": b"\x08\x00\x00\x00\x00\x00\x00\xce",
    "longer": method(spec.Basic.Ack, dumps("Lb", (7, False)) + b"\x00"),
    "without its end": ACK[:-1] + b"\x00",
}


@given(acks=st.lists(st.tuples(st.integers(0, 2**63 - 1), st.booleans()), max_size=5))
@pytest.mark.parametrize("rest", LEFT_TO_LIBRARY.values(), ids=LEFT_TO_LIBRARY)
def test_confirms_are_read_up_to_another_frame(acks: list[tuple[int, bool]], rest: bytes) -> None:
    """A frame that is passed over, or read as a confirm, would settle a message wrongly."""
    data = b"".join(method(spec.Basic.Ack, dumps("Lb", each)) for each in acks)
    assert leading_acks(data + rest + ACK, channel=1) == (acks, len(data))


@each_of("size", range(len(ACK)))
def test_a_confirm_of_which_a_part_has_arrived_is_not_read(size: int) -> None:
    """The rest arrives with the next read."""
    assert leading_acks(ACK + ACK[:size], channel=1) == ([(7, True)], len(ACK))
