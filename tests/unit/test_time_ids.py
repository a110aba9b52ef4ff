"""Ids that begin with their time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count

from notify.message import RandomBuffer, lowest_id, time_id

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


def test_buffered_bytes_are_returned_once_by_all_threads_together() -> None:
    """Two ids from the same bytes within a millisecond would be equal."""
    read: list[int] = []
    counter = count()

    def numbered(size: int) -> bytes:
        read.append(size)
        return b"".join(next(counter).to_bytes(10, "big") for _ in range(size // 10))

    buffer = RandomBuffer(read=numbered)
    with ThreadPoolExecutor(4) as threads:
        found = [*threads.map(buffer, [10] * 1000)]
    assert len(set(found)) == 1000
    assert {len(each) for each in found} == {10}
    assert 4 <= len(read) <= 8
    assert len({time_id(random=RandomBuffer()) for _ in range(1000)}) == 1000
