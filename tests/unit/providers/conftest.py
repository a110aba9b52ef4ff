"""What stands in the vendors' place."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from notify.sandbox import Sandbox
from tests.vendor import Vendor


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
