"""Any course of events where the vendor can be asked, in lanes of both kinds; all is sealed."""

from __future__ import annotations

import pytest

from notify.message import Channel, Unknown
from tests.support.sealing import KEYRING
from tests.unit.course.base import Terms
from tests.unit.course.run import run


@pytest.mark.timeout(900)
def test_where_the_vendor_can_be_asked_its_answer_counts() -> None:
    """Look-ups, late evidence and operators' decisions overlap, and none causes a duplicate."""
    terms = Terms(Channel.SMS, {"critical": Unknown.PARK, "bulk": Unknown.RESEND})
    also = {"notify.unknown", "notify.lookup_failed", "Listing.READ"}
    run(terms, number=3, also=also | {"sent more than once: resend"}, keyring=KEYRING)
