"""Ids that begin with their time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from notify.message import lowest_id, time_id

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_an_id_is_a_uuid_of_version_7_with_its_time() -> None:
    """RFC 9562: milliseconds, version, variant, and 74 random bits."""
    id_ = time_id(clock=NOW.timestamp, random=lambda count: b"\xff" * count)
    assert (id_.version, id_.variant) == (7, "specified in RFC 4122")
    assert id_.int >> 80 == int(NOW.timestamp() * 1000)
    zeros = time_id(clock=NOW.timestamp, random=bytes)
    assert (zeros.version, zeros.variant) == (7, "specified in RFC 4122")


def test_ids_are_ordered_by_their_time_and_differ() -> None:
    """So that they are written at the end of an index."""
    later = NOW + timedelta(milliseconds=1)
    one, other = (time_id(clock=at.timestamp) for at in (NOW, later))
    assert lowest_id(NOW) <= one < lowest_id(later) <= other
    assert len({time_id() for _ in range(100)}) == 100
