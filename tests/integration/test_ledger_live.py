"""The ledger on both databases, and beside workers that are at it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from click.testing import CliRunner
from sqlalchemy import delete

from notify.cli.ledger import ledger
from notify.ledger.ledger import Ledger, build_ledger
from notify.message import Status
from notify.store import Claim, Filter, Store
from notify.store.tables import notifications
from tests.support.planting import AFTERWARDS, DOUBTS, FAULTS, bury, sent
from tests.support.recording import NOW, answer_to, asked, begin, call_for
from tests.support.rig import Rig, until


def test_every_contradiction_is_named_on_either_database(store: Store) -> None:
    """All are planted at once, and each kind names exactly its own."""
    planted = {name: plant(store) for name, (_, plant) in (FAULTS | DOUBTS).items()}
    drawn = build_ledger(store, now=AFTERWARDS, ids=100)
    for kinds, found in ((FAULTS, drawn.faults), (DOUBTS, drawn.doubts)):
        wanted: dict[object, set[object]] = {}
        for name, (kind, _) in kinds.items():
            wanted.setdefault(kind, set()).add(planted[name])
        assert {kind: set(each.ids) for kind, each in found.items()} == wanted


def test_dead_letters_count_once_on_either_database(store: Store) -> None:
    """Those with a notification by it, the same request by one letter of it."""
    id_ = bury(store)
    bury(store, notification_id=id_)
    bury(store, notification_id=None, channel=None, lane=None, cause="contract")
    bury(store, notification_id=sent(store), cause="failed")
    drawn = build_ledger(store, now=AFTERWARDS)
    assert (drawn.accepted, drawn.terms, drawn.balanced) == (3, {"sent": 1, "dead": 2}, True)


def test_a_letter_is_matched_by_its_own_source(store: Store) -> None:
    """Another source may use the same id: its row does not account for this source's request."""
    shared = sent(store)
    for source in ("bank", "bank", "club", None):
        bury(store, notification_id=shared, source=source, cause="delivery_limit")
    drawn = build_ledger(store, now=AFTERWARDS)
    assert (drawn.accepted, drawn.terms, drawn.balanced) == (4, {"sent": 1, "dead": 3}, True)


@pytest.mark.parametrize("kept", [True, False])
def test_a_letter_is_matched_by_the_id_that_its_producer_gave(store: Store, kept: bool) -> None:
    """Its row has another id where a second source uses it, also when that one's row is gone."""
    first = begin(store)
    entry = call_for(asked(id=first.notification.id, source="bank"))
    assert answer_to(store, entry).claim is Claim.OWNED
    bury(store, notification_id=first.notification.id, source="bank", cause="failed")
    if not kept:
        with store.writing() as connection:
            of_first = notifications.c.id == first.notification.id
            connection.execute(delete(notifications).where(of_first))
    assert build_ledger(store, now=NOW).accepted == 1 + kept


def test_it_balances_at_any_moment_beside_workers(rig: Rig) -> None:
    """One moment of the record is read, while claims and records go on."""
    rig.sandbox.switch.set(latency=0.05)

    def balanced() -> Ledger:
        drawn = build_ledger(rig.store, now=datetime.now(UTC))
        assert drawn.faults == {}
        assert drawn.difference == 0
        return drawn

    with rig.worker("email-1"), rig.worker("email-2"):
        rig.requests(10)
        # It is read before all is over, however late the first reading is.
        until(lambda: balanced().accepted == 10)
        rig.request(to=[f"r{number}@example.com" for number in range(300)])
        until(lambda: balanced().terms == {"sent": 310})
    assert rig.store.count(Filter()) == {Status.SENT: 310}


def test_the_brokers_queues_are_told_on_demand(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages there are not on record yet."""
    monkeypatch.setenv("NOTIFY_CONFIG", str(rig.config))
    monkeypatch.setenv("KEY", "SG.test")
    rig.requests(3)
    done = CliRunner().invoke(ledger, ["--broker"], catch_exceptions=False)
    assert done.exit_code == 0
    rows = [line.split() for line in done.output.splitlines()]
    assert ["notify.email.normal", "3", "0"] in rows
    assert ["notify.dead", "0", "0"] in rows
