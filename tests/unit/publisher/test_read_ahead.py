"""Reading ahead, by an attribute of py-amqp that its documentation does not promise."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

import pytest
from amqp.transport import SSLTransport, TCPTransport, _AbstractTransport

from notify.publisher.link import READ_AHEAD, read_ahead

_ACK = struct.pack(">BHI", 1, 1, 4) + b"ack!" + b"\xce"
"""A frame: type, channel, size, payload, end."""


class _Sizes:
    """The socket's own read, and how much each call asks for."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self.asked: list[int] = []

    def __call__(self, size: int) -> bytes:
        """Read at most so many bytes."""
        self.asked.append(size)
        return self._end.recv(size)


@pytest.fixture(params=[TCPTransport, SSLTransport])
def transport(request: pytest.FixtureRequest) -> Iterator[tuple[_AbstractTransport, _Sizes]]:
    """A transport of either kind, whose peer has sent three frames at once."""
    near, far = socket.socketpair()
    made: _AbstractTransport = request.param("localhost:1", connect_timeout=5)
    made.sock, made.connected = near, True
    if request.param is TCPTransport:
        made._setup_transport()
    else:
        # Its set-up would shake hands; what it sets is the attribute that is pinned here.
        made._read_buffer = b""
    sizes = _Sizes(near)
    # Fails if py-amqp does not read by this attribute any more.
    made._quick_recv = sizes
    far.sendall(3 * _ACK)
    yield made, sizes
    near.close()
    far.close()


def test_py_amqp_reads_by_the_attribute_that_is_replaced(
    transport: tuple[_AbstractTransport, _Sizes],
) -> None:
    """One read of the socket for three frames, where py-amqp alone makes three for each."""
    made, sizes = transport
    read_ahead(made)
    frames = [made.read_frame()]
    # The link reads confirms from here itself.
    assert made._read_buffer == 2 * _ACK
    frames += [made.read_frame() for _ in range(2)]
    assert frames == [(1, 1, b"ack!")] * 3
    assert sizes.asked == [READ_AHEAD]


def test_py_amqp_sets_the_attribute_itself() -> None:
    """A transport that is set up has it; else a link could not be opened."""
    near, far = socket.socketpair()
    made = TCPTransport("localhost:1", connect_timeout=5)
    made.sock = near
    made._setup_transport()
    assert made._quick_recv == near.recv
    far.close()
    near.close()
