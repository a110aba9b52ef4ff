"""The limits of one request, and of all requests at once."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WebLimits:
    """
    The bounds of what a client may use. A vendor's largest request is below 1 MiB.

    Attributes:
        body: Bytes of a body, as sent and after decompression.
        body_seconds: Seconds to read a body.
        head_seconds: Seconds until a connection has sent a whole head, has ended a body that its
            answer did not need, or has read an answer.
        idle_seconds: Seconds that a connection is kept after an answer.
        headers: Number of headers.
        head: Bytes of a request line with all headers.
        connections: Connections at once; a request on a further one is answered with 503.
        working: Requests, or batches of them, that are at work at once.
        answer_seconds: Seconds for verifying and storing; then the answer is 503.
    """

    body: int = 4 * 1024 * 1024
    body_seconds: float = 10.0
    head_seconds: float = 10.0
    idle_seconds: int = 15
    headers: int = 64
    head: int = 32 * 1024
    connections: int = 512
    working: int = 16
    answer_seconds: float = 8.0


DEFAULT_WEB_LIMITS = WebLimits()
