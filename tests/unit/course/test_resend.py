"""Any course of events in resend lanes, where a lost answer causes a second, marked send."""

from __future__ import annotations

import pytest

from notify.message import Channel, Unknown
from tests.unit.course.base import Terms
from tests.unit.course.run import run


@pytest.mark.timeout(900)
def test_where_lanes_resend_every_double_is_marked() -> None:
    """With any fault, nothing is lost, and each possible duplicate is marked."""
    terms = Terms(Channel.EMAIL, {"bulk": Unknown.RESEND})
    run(terms, number=25, also={"end: failed", "sent more than once: resend"})
