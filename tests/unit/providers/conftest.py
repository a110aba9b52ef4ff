"""The vendors' stand-ins."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from notify.sandbox import Sandbox
from providers._shared.transport import Transport
from tests.support.vendor import Vendor
from tests.unit.providers.calling import Open


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
