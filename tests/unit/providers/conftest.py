"""The vendors' stand-ins."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from notify.sandbox import Sandbox
from providers._shared.answer import Answer, receive
from providers._shared.transport import Transport
from providers.apns.connection import Http2Connection
from providers.smtp.connection import SmtpConnection
from tests.support.vendor import Vendor
from tests.unit.providers.calling import Hurry, Open


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A stand-in for all vendors."""
    with Sandbox.start(port=0) as sandbox:
        yield sandbox


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    """A server that does what the test says."""
    with Vendor() as vendor:
        yield vendor


@pytest.fixture
def transport() -> Iterator[Open]:
    """Transports that are closed after the test."""
    with ExitStack() as opened:

        def start(url: str, *, timeout: float = 10.0, pool: int = 4) -> Transport:
            sender = Transport("acme", url, timeout=timeout, connect_timeout=timeout, pool=pool)
            opened.callback(sender.close)
            return sender

        yield start


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> Hurry:
    """
    Shorten only the wait for an answer, for vendors that give none.

    A short timeout bounds connecting and writing too. If a busy machine used it up before the
    request was written, the error would be another one.
    """
    read, send = Http2Connection._read, SmtpConnection.send

    def begin(seconds: float) -> None:
        def received(sock: Any, *, deadline: float, room: int) -> tuple[Answer, bool]:
            return receive(sock, deadline=deadline - seconds, room=room)

        def sent(connection: SmtpConnection, s: str | bytes) -> None:
            send(connection, s)
            if isinstance(s, bytes):  # the content: commands are text
                connection.deadline -= seconds

        monkeypatch.setattr("providers._shared.transport.receive", received)
        monkeypatch.setattr(
            Http2Connection, "_read", lambda each, deadline: read(each, deadline - seconds)
        )
        monkeypatch.setattr(SmtpConnection, "send", sent)

    return begin
