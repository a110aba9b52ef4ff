"""Messages to recipients on the suppression list: no call, one end, one decision."""

from __future__ import annotations

from datetime import datetime

from notify.delivery import Done
from notify.message import Channel, Status
from notify.suppression import Suppression, SuppressionReason, suppress
from providers.memory import Memory
from tests.unit.delivery.test_delivery import Build, Rig, body, build, id_of

__all__ = ["build"]


def stop(rig: Rig, recipient: str, *, now: datetime) -> None:
    """Suppress a recipient."""
    item = Suppression(
        channel=Channel.EMAIL,
        reason=SuppressionReason.COMPLAINT,
        since=now,
        recipient=recipient,
    )
    with rig.store.writing() as connection:
        suppress(connection, [item], now=now)


def test_a_suppressed_recipient_gets_no_call_and_its_neighbours_do(build: Build) -> None:
    """More such messages than the lane has permits: each permit is released."""
    provider = Memory()
    rig = build(provider, concurrency=2)
    stop(rig, "eve@example.com", now=rig.clock.wall())
    stopped = [body(to="eve@example.com") for _ in range(8)]
    free = [body() for _ in range(8)]

    assert rig.deliver(*stopped, *free) == [Done()] * 16

    assert {message.to for message in provider.calls} == {"ada@example.com"}
    assert len(provider.calls) == 8
    for request in stopped:
        story = rig.story(id_of(request))
        assert (story.status, story.attempts) == (Status.SUPPRESSED, [])
        assert len(story.events) == 1
    assert rig.deliver(*stopped) == [Done()] * 8
    assert rig.delivery.in_flight() == {"normal": 0}


def test_the_rest_of_a_batch_request_is_sent(build: Build) -> None:
    """One recipient's complaint does not stop the others, the first of the batch included."""
    provider = Memory()
    rig = build(provider)
    stop(rig, "eve@example.com", now=rig.clock.wall())
    request = body(to=["eve@example.com", "ada@example.com"])
    assert rig.deliver(request) == [Done()]
    assert [message.to for message in provider.calls] == ["ada@example.com"]
