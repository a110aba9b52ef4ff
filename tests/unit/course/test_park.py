"""Any course of events in park lanes, with a vendor that cannot be asked."""

from __future__ import annotations

import pytest

from notify.message import Channel, Unknown
from tests.unit.course.base import Terms
from tests.unit.course.run import run


@pytest.mark.timeout(900)
def test_where_lanes_park_only_people_send_again() -> None:
    """Whatever workers, relays and the broker do, the vendor accepts nothing twice."""
    terms = Terms(Channel.EMAIL, {"critical": Unknown.PARK})
    run(terms, number=1, also={"end: unknown", "sent more than once: park"})
