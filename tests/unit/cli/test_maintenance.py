"""`notify maintenance`, as a timer or a person calls it."""

from __future__ import annotations

import json
from functools import partial

import pytest

from notify.store import Store
from tests.support.commands import Notify
from tests.support.planting import FAULTS, sent


@pytest.fixture
def notify(notify: Notify) -> Notify:
    """Call `notify maintenance` as the timer does."""
    return partial(notify, "maintenance")


def test_a_sound_record_passes_in_one_line(store: Store, notify: Notify) -> None:
    """A journal that is read in the morning holds little."""
    sent(store)
    assert notify("--dry-run").out.startswith("would be deleted: 0 notifications")
    done = notify()
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(
        "deleted: 0 notifications, 0 attempts, 0 events, 0 receipts, 0 dead letters, "
    )
    assert done.out.splitlines()[-1] == "ledger: 1 accepted, it balances"


def test_a_contradiction_fails_the_unit_and_names_the_id(store: Store, notify: Notify) -> None:
    """The timer fails, which alarms, and the output names the ids."""
    kind, plant = FAULTS["sent, never called"]
    planted = plant(store)
    done = notify()
    assert done.code == 1
    assert f"contradiction: {kind}: 1\n  {planted}\n" in done.out
    assert "does not balance" in done.err
    plain = json.loads(notify("--json").out)
    assert plain["ledger"]["balanced"] is False
