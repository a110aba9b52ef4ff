"""One API for the tests of a module: its parts are the same for all, and cost half a second."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.api_rig import ApiRig
from tests.support.migrated import migrated


@pytest.fixture(scope="module")
def shared_rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiRig]:
    """An API on a record of this module."""
    store = migrated(f"sqlite:///{tmp_path_factory.mktemp('api') / 'notify.db'}")
    yield ApiRig(store)
    store.close()


@pytest.fixture
def rig(shared_rig: ApiRig) -> ApiRig:
    """The module's API, with a broker that has nothing and confirms everything."""
    shared_rig.broker.sent.clear()
    shared_rig.broker.away, shared_rig.broker.lost = False, 0
    return shared_rig
