"""One HTTP/2 connection (RFC 9113) that carries one request at a time, bounded in time and size."""

from __future__ import annotations

import select
import time
from collections.abc import Sequence
from typing import Any, NoReturn

from h2.config import H2Configuration
from h2.connection import ConnectionState, H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    PingAckReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
)
from h2.exceptions import H2Error
from h2.settings import SettingCodes, Settings
from hpack import HeaderTuple

from notify.errors import OutcomeUnknown, TransientError
from providers._shared.answer import Answer
from providers._shared.plain_answer import Headers

Fields = Sequence[HeaderTuple]

_READ = 65_536
_FRAME_HEAD = 9
_PING = b"is alive"


class Http2Connection:
    """
    A connected socket that speaks HTTP/2 as a client.

    Args:
        provider: The provider's name, for errors.
        sock: The socket; with TLS, one that negotiated h2.
        room: The most bytes of an answer to read.
    """

    def __init__(self, provider: str, sock: Any, *, room: int) -> None:
        self._provider = provider
        self._sock = sock
        self._room = room
        self._h2 = H2Connection(
            H2Configuration(validate_outbound_headers=False, normalize_outbound_headers=False)
        )
        # Pushed answers are refused.
        self._h2.local_settings = Settings(
            client=True, initial_values={SettingCodes.ENABLE_PUSH: 0}
        )
        self._h2.initiate_connection()
        self._unread = b""
        self._stream = 0
        self._status: int | None = None
        self._headers: dict[str, str] = {}
        self._body = b""
        self._ended = False
        self._reset: int | None = None
        self._pinged = False
        self._last: int | None = None
        """The last request that the server processes, once it is shutting down."""
        self._whole = True
        """Whether the last request was written to its end."""

    @property
    def reusable(self) -> bool:
        """Whether another request may follow."""
        return self._last is None and self._whole

    def exchange(self, fields: Fields, body: bytes, *, deadline: float) -> Answer:
        """
        Send one request and return its answer, whatever its status.

        Args:
            fields: The headers, pseudo-headers first.
            body: The request's body.
            deadline: When the call ends, by the monotonic clock.

        Raises:
            TransientError: The server certainly did not process it.
            OutcomeUnknown: The whole request was sent; no usable answer came in time.
        """
        try:
            self._write(fields, body, deadline)
        except (OSError, H2Error, ValueError) as error:
            # The server has no complete request, so it cannot have acted on it.
            self._unprocessed(type(error).__name__)
        try:
            while not self._ended:
                self._read(deadline)
                self._check_processed()
        except (OSError, H2Error, ValueError) as error:
            self._check_processed()
            # Only the error's type is reported: its text may quote the vendor's answer.
            text = f"the request was sent, no usable answer came ({type(error).__name__})"
            raise OutcomeUnknown(f"{self._provider}: {text}", provider=self._provider) from None
        if self._status is None or self._reset is not None:
            text = "the request was sent, its stream ended without an answer"
            raise OutcomeUnknown(f"{self._provider}: {text}", provider=self._provider)
        return Answer(self._status, Headers(self._headers), self._body)

    def is_quiet(self, deadline: float, *, ping: bool) -> bool:
        """
        Whether another request may be sent: the server is neither gone nor shutting down.

        Args:
            deadline: When the check ends, by the monotonic clock.
            ping: Whether the server must answer first: a network may drop an idle connection
                without telling either end.
        """
        try:
            while _readable(self._sock):
                self._read(deadline)
            if ping:
                self._pinged = False
                self._h2.ping(_PING)
                self._flush(deadline)
                while not self._pinged:
                    self._read(deadline)
            else:
                self._flush(deadline)
        except (OSError, H2Error, ValueError):
            return False
        return self.reusable

    def close(self) -> None:
        """Close it, with a word to the server if there is no wait."""
        try:
            self._h2.close_connection()
            self._flush(time.monotonic() + 0.1)
        except (OSError, H2Error):
            pass
        self._sock.close()

    def _write(self, fields: Fields, body: bytes, deadline: float) -> None:
        stream = self._stream = self._h2.get_next_available_stream_id()
        self._status, self._headers, self._body = None, {}, b""
        self._ended, self._reset, self._whole = False, None, False
        self._h2.send_headers(stream, fields)
        while not self._ended:
            room = min(self._h2.local_flow_control_window(stream), self._h2.max_outbound_frame_size)
            if room <= 0:
                self._flush(deadline)
                self._read(deadline)
                self._check_processed()
                continue
            part, body = body[:room], body[room:]
            self._h2.send_data(stream, part, end_stream=not body)
            if not body:
                self._whole = True
                break
        self._flush(deadline)

    def _flush(self, deadline: float) -> None:
        data = self._h2.data_to_send()
        if data:
            self._sock.settimeout(_left(deadline))
            self._sock.sendall(data)

    def _read(self, deadline: float) -> None:
        self._sock.settimeout(_left(deadline))
        came = self._sock.recv(_READ)
        if not came:
            raise ConnectionError
        self._unread += came
        # One frame at a time: after GOAWAY, h2 would refuse the frames of requests that the server
        # still answers (RFC 9113 section 6.8).
        while len(self._unread) >= _FRAME_HEAD:
            length = int.from_bytes(self._unread[:3], "big")
            if length > self._h2.max_inbound_frame_size:
                raise ValueError
            end = _FRAME_HEAD + length
            if len(self._unread) < end:
                break
            frame, self._unread = self._unread[:end], self._unread[end:]
            state = self._h2.state_machine.state
            for event in self._h2.receive_data(frame):
                self._handle(event, state)
        self._flush(deadline)

    def _handle(self, event: Event, before: ConnectionState) -> None:
        match event:
            case ResponseReceived(stream_id=self._stream):
                self._answered(event)
            case DataReceived(stream_id=self._stream):
                self._body += event.data or b""
                if len(self._body) > self._room:
                    raise ValueError
                count = event.flow_controlled_length or 0
                self._h2.acknowledge_received_data(count, self._stream)
            case StreamEnded(stream_id=self._stream):
                self._ended = True
            case StreamReset(stream_id=self._stream) if not self._ended:
                # After a complete answer it says that the rest of the request is not needed.
                self._ended, self._reset = True, int(event.error_code or 0)
            case ConnectionTerminated():
                self._last = event.last_stream_id or 0
                self._h2.state_machine.state = before
            case PingAckReceived():
                self._pinged = True

    def _answered(self, event: ResponseReceived) -> None:
        for name, value in event.headers or ():
            key, text = _text(name), _text(value)
            if key == ":status":
                self._status = int(text)
            else:
                self._headers.setdefault(key, text)

    def _check_processed(self) -> None:
        """Raise the error of a request that the server says it did not process."""
        if self._last is not None and self._stream > self._last and self._status is None:
            self._unprocessed("GOAWAY")
        # RFC 9113 section 8.7.
        if self._reset == ErrorCodes.REFUSED_STREAM:
            self._unprocessed("REFUSED_STREAM")

    def _unprocessed(self, why: str) -> NoReturn:
        text = f"{self._provider}: not reached, nothing was sent ({why})"
        raise TransientError(text, provider=self._provider) from None


def _text(value: bytes | str) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _readable(sock: Any) -> bool:
    """Whether something can be read now: frames, or the connection's end."""
    pending = getattr(sock, "pending", None)
    if pending is not None and pending() > 0:
        return True
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))
