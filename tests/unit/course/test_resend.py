"""Any course of events where a lost answer has a notification sent again, marked."""

from __future__ import annotations

import pytest

from notify.message import Channel, Unknown
from tests.unit.course.base import Terms
from tests.unit.course.run import run


@pytest.mark.timeout(900)
def test_where_lanes_resend_every_double_is_marked() -> None:
    """Whatever breaks, nothing is lost, and what may have been sent twice says so."""
    terms = Terms(Channel.EMAIL, {"bulk": Unknown.RESEND})
    run(terms, number=5, also={"end: failed", "sent more than once: resend"})
