"""Calls over a bare transport, for the tests of what is beneath every provider."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from providers._shared.answer import Answer
from providers._shared.transport import Transport

Hurry = Callable[[float], None]
"""From its call on, each wait for an answer ends this many seconds before its deadline."""


class Open(Protocol):
    """Opens a transport to an address."""

    def __call__(self, url: str, *, timeout: float = 10.0, pool: int = 4) -> Transport:
        """It is closed after the test."""
        ...


def call(transport: Transport, body: bytes = b"{}") -> Answer:
    """One call with nothing special."""
    return transport.post(transport.head("/send", {"Authorization": "Bearer canary"}), body)
