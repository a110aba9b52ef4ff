"""Fixtures for tests on real services."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from notify.store import Store
from tests.support.migrated import migrated
from tests.support.rig import Rig, surroundings


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """An empty record, on each kind of database in turn."""
    store = migrated(store_url)
    yield store
    store.close()


@pytest.fixture
def rig(tmp_path: Path, broker_url: str, store_url: str) -> Iterator[Rig]:
    """A worker's surroundings, on each kind of database in turn."""
    with surroundings(tmp_path, broker_url=broker_url, store_url=store_url) as rig:
        yield rig
