"""The lattice: the final status depends on the set of receipts, and never on their order."""

from __future__ import annotations

from itertools import permutations

from notify.message import Status
from notify.receipt import ReceiptEvent
from notify.receipts.lattice import LATTICE, STATUS_OF, derived, is_late
from notify.store.status_rules import ALLOWED, REPORTED
from tests.support.tables import each_of


def test_the_lattice_is_what_the_table_of_statuses_allows() -> None:
    """Each status may be followed by the higher ones of the lattice, and by no other."""
    for number, status in enumerate(LATTICE):
        assert set(ALLOWED[status]) == set(LATTICE[number + 1 :])
    assert set(LATTICE) == {Status.SENT, *REPORTED}


def test_the_final_status_depends_on_the_set_of_receipts_only() -> None:
    """Over all orders of all events, each applied alone or together with the next."""
    expected = derived(Status.SENT, list(ReceiptEvent))
    for order in permutations(STATUS_OF):
        status = Status.SENT
        for event in order:
            before, status = status, derived(status, [event])
            assert status is before or status in ALLOWED[before]
        assert status is expected is Status.COMPLAINED


@each_of("status", [each for each in Status if each not in LATTICE])
def test_a_notification_that_was_not_sent_keeps_its_status(status: Status) -> None:
    """A receipt alone proves nothing about one that no call is known to have sent."""
    assert derived(status, list(ReceiptEvent)) is status
    assert is_late(status, ReceiptEvent.DELIVERED)


def test_a_failed_segment_outweighs_a_later_success() -> None:
    """One failed segment of an SMS makes it unreadable."""
    assert derived(Status.BOUNCED, [ReceiptEvent.DELIVERED]) is Status.BOUNCED
    assert derived(Status.DELIVERED, [ReceiptEvent.BOUNCED]) is Status.BOUNCED
    assert is_late(Status.BOUNCED, ReceiptEvent.DELIVERED)


def test_a_failure_that_the_producer_reports_changes_no_status() -> None:
    """It may be the person who did not use the code."""
    assert derived(Status.DELIVERED, [ReceiptEvent.FAILED]) is Status.DELIVERED
    assert not is_late(Status.DELIVERED, ReceiptEvent.FAILED)
