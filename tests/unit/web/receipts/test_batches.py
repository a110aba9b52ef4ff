"""Requests of one moment are verified and stored together, and each has its own answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from notify.receipt import Forged, Posted
from notify.web.receipts.batches import BATCH_BYTES, LARGEST_BATCH, RequestBatches


class _Intake:
    """An intake whose first batch of the provider `slow` waits until a test releases it."""

    def __init__(self, error: Exception | None = None) -> None:
        self.batches: list[list[bytes]] = []
        self.begun, self.released = threading.Event(), threading.Event()
        self._error = error

    def accept_all(
        self, provider: str, requests: Sequence[Posted], /
    ) -> Sequence[Exception | None]:
        """Refuse the requests whose body is `forged`."""
        self.batches.append([each.body for each in requests])
        if provider == "slow" and len(self.batches) == 1:
            self.begun.set()
            assert self.released.wait(10)
        if self._error is not None:
            raise self._error
        return [Forged("x") if each.body == b"forged" else None for each in requests]


def _posted(body: bytes) -> Posted:
    return Posted(query="", headers={}, body=body)


async def _behind(intake: _Intake, *bodies: bytes) -> list[Exception | None]:
    """Pass requests on while one is at work; return the answers to all."""
    batches = RequestBatches(intake, working=4)
    calls = [asyncio.create_task(batches.accept("slow", _posted(b"first")))]
    await asyncio.to_thread(intake.begun.wait, 10)
    calls += [asyncio.create_task(batches.accept("slow", _posted(each))) for each in bodies]
    await asyncio.sleep(0.01)
    intake.released.set()
    return await asyncio.gather(*calls)


def test_requests_that_arrive_while_one_is_at_work_are_one_batch() -> None:
    """In their order, and each has its own answer."""
    intake = _Intake()
    ends = asyncio.run(_behind(intake, b"a", b"forged", b"b"))
    assert intake.batches == [[b"first"], [b"a", b"forged", b"b"]]
    assert [type(each) for each in ends] == [type(None), type(None), Forged, type(None)]


def test_a_batch_is_bounded() -> None:
    """In requests and in bytes, so that its confirm is quick."""
    intake = _Intake()
    asyncio.run(_behind(intake, *[b"x"] * (LARGEST_BATCH + 1), b"y" * BATCH_BYTES, b"z"))
    assert [len(each) for each in intake.batches] == [1, LARGEST_BATCH, 1, 1, 1]


def test_a_fault_is_the_answer_of_the_whole_batch() -> None:
    """No request waits for ever, and the next one is passed on."""
    intake = _Intake(RuntimeError("x"))
    ends = asyncio.run(_behind(intake, b"a", b"b"))
    assert [type(each) for each in ends] == [RuntimeError] * 3


def test_a_slow_provider_delays_no_other() -> None:
    """Its key may have to be fetched."""
    intake = _Intake()

    async def played() -> None:
        batches = RequestBatches(intake, working=4)
        slow = asyncio.create_task(batches.accept("slow", _posted(b"a")))
        await asyncio.to_thread(intake.begun.wait, 10)
        assert await batches.accept("other", _posted(b"b")) is None
        assert not slow.done()
        intake.released.set()
        await slow

    asyncio.run(played())


def test_a_request_whose_time_is_over_is_not_passed_on() -> None:
    """It was answered with 503; the vendor posts it again."""
    intake = _Intake()

    async def played() -> None:
        batches = RequestBatches(intake, working=4)
        first = asyncio.create_task(batches.accept("slow", _posted(b"a")))
        await asyncio.to_thread(intake.begun.wait, 10)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(batches.accept("slow", _posted(b"late")), 0.01)
        intake.released.set()
        await first

    asyncio.run(played())
    assert intake.batches == [[b"a"]]
